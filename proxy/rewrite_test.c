/*
 * What MAIL and RCPT become on the way to the MSA: the pairs in
 * tests/golden/, and what no line may ever be. Run from the root.
 */
#include "proxy/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/caps.h"

/* One block of a golden file. */
struct golden {
	char title[256];
	char mint[256];
	char client[1024];
	char msa[2048];
	unsigned caps;
	uint64_t extra;
	bool track;
	bool utf8;
};

static unsigned
cap_of(const char *keyword)
{
	static const char *const keywords[] = {
#define X(name, word) word,
		CAPS_LIST(X)
#undef X
	};

	for (unsigned i = 0; i < CAPS_COUNT; i++)
		if (strcmp(keywords[i], keyword) == 0)
			return 1U << i;
	fail_msg("no such capability: %s", keyword);
	return 0;
}

static unsigned
caps_of(char *words)
{
	unsigned caps = 0;
	char *save = NULL;

	for (char *w = strtok_r(words, " ", &save); w != NULL;
	     w = strtok_r(NULL, " ", &save))
		caps |= cap_of(w);
	return caps;
}

static const char *
value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) == 0 ? line + len : NULL;
}

static void
keep(char *out, size_t size, const char *value)
{
	size_t len = strlen(value);

	if (len >= size)
		fail_msg("too long: %s", value);
	memcpy(out, value, len + 1);
}

static void
golden_line(struct golden *g, char *line)
{
	const char *v;

	if ((v = value_of(line, "= ")) != NULL)
		keep(g->title, sizeof(g->title), v);
	else if ((v = value_of(line, "msa: ")) != NULL)
		g->caps = caps_of(line + 5);
	else if ((v = value_of(line, "mint: ")) != NULL)
		keep(g->mint, sizeof(g->mint), v);
	else if ((v = value_of(line, "extra: ")) != NULL)
		g->extra = strtoull(v, NULL, 10);
	else if ((v = value_of(line, "C: ")) != NULL)
		keep(g->client, sizeof(g->client), v);
	else if ((v = value_of(line, "S: ")) != NULL)
		keep(g->msa, sizeof(g->msa), v);
	else if (strcmp(line, "track") == 0)
		g->track = true;
	else if (strcmp(line, "utf8") == 0)
		g->utf8 = true;
	else if (line[0] != '#')
		fail_msg("not understood: %s", line);
}

/* Read the next block; false at the end of the file. */
static bool
golden_next(FILE *file, struct golden *g)
{
	char line[2048];

	*g = (struct golden){ 0 };
	while (fgets(line, sizeof(line), file) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] != '\0')
			golden_line(g, line);
		else if (g->client[0] != '\0')
			return true;
	}
	return g->client[0] != '\0';
}

static FILE *
golden_open(const char *path)
{
	FILE *file = fopen(path, "r");

	if (file == NULL)
		fail_msg("%s: cannot be read; run from the root", path);
	return file;
}

static void
compare(const struct golden *g, long len, const struct rewrite_line *line)
{
	size_t expected = strlen(g->msa);

	if (len < 0 || line->len != expected + 2 ||
	    memcmp(line->text, g->msa, expected) != 0)
		fail_msg("%s: got %s", g->title, len < 0 ? "-1" : line->text);
	assert_string_equal(line->text + expected, "\r\n");
	assert_int_equal(len, line->len);
	assert_int_equal(len, strlen(line->text));
}

static void
check_mail(const struct golden *g)
{
	char envid[128] = "", certifier[64] = "";
	struct rewrite_mint mint = { envid, certifier, 0 };
	struct rewrite_line line;
	struct mail_params mail;

	if (g->mint[0] != '\0')
		assert_int_equal(sscanf(g->mint, "%127s %63s %u", envid,
				     certifier, &mint.seconds),
		    3);
	/* Skip the verb and its space. */
	assert_int_equal(
	    params_parse_mail(g->client + 5, strlen(g->client + 5), ~0U, &mail),
	    0);
	compare(g,
	    rewrite_mail(&mail, g->caps, g->extra,
		g->mint[0] != '\0' ? &mint : NULL, &line),
	    &line);
}

static void
check_rcpt(const struct golden *g)
{
	struct rewrite_line line;
	struct rcpt_params rcpt;

	assert_int_equal(params_parse_rcpt(g->client + 5, strlen(g->client + 5),
			     ~0U, g->utf8, &rcpt),
	    0);
	compare(g, rewrite_rcpt(&rcpt, g->caps, g->track, &line), &line);
}

static void
check_file(const char *path, void (*check)(const struct golden *))
{
	FILE *file = golden_open(path);
	struct golden g;
	int count = 0;

	while (golden_next(file, &g)) {
		check(&g);
		count++;
	}
	fclose(file);
	assert_true(count > 10);
}

static void
mail_becomes_what_the_golden_file_says(void **state)
{
	(void)state;
	check_file("tests/golden/mail.txt", check_mail);
}

static void
rcpt_becomes_what_the_golden_file_says(void **state)
{
	(void)state;
	check_file("tests/golden/rcpt.txt", check_rcpt);
}

#define CERTIFIER "VheLhqV/rCKJmplkGFwsyW59pYk"

static const struct rewrite_mint bad_mints[] = {
	{ "", CERTIFIER, 60 },
	{ "a@b\r\nRCPT TO:<x@y>", CERTIFIER, 60 },
	{ "a@b RET=FULL", CERTIFIER, 60 },
	{ "a=@b", CERTIFIER, 60 },
	{ "a@b", "short", 60 },
	{ "a@b", "VheLhqV/rCKJmplkGFwsyW59pY=", 60 },
	{ "a@b", CERTIFIER, 1000000000 },
	{ "0123456789012345678901234567890123456789012345678901234567890123456"
	  "78901234567890123456789012345678@b",
	    CERTIFIER, 60 },
};

static void
mint_unfit_for_a_line_is_refused(void **state)
{
	const char *text = "FROM:<a@b>";
	struct rewrite_line line;
	struct mail_params mail;

	(void)state;
	assert_int_equal(params_parse_mail(text, strlen(text), 0, &mail), 0);
	for (size_t i = 0; i < sizeof(bad_mints) / sizeof(bad_mints[0]); i++)
		assert_int_equal(
		    rewrite_mail(&mail, CAP_MTRK, 0, &bad_mints[i], &line), -1);
}

/* Parsing lets none through, but the last guard does not rely on it. */
static void
control_characters_never_reach_the_line(void **state)
{
	static const char path[] = "a@b\r\nDATA";
	struct rcpt_params rcpt = { .to.whole = { path, sizeof(path) - 1 } };
	struct mail_params mail = { .from.whole = { path, sizeof(path) - 1 } };
	struct rewrite_line line;

	(void)state;
	assert_int_equal(rewrite_rcpt(&rcpt, ~0U, true, &line), -1);
	assert_int_equal(rewrite_mail(&mail, ~0U, 0, NULL, &line), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_becomes_what_the_golden_file_says),
		cmocka_unit_test(rcpt_becomes_what_the_golden_file_says),
		cmocka_unit_test(mint_unfit_for_a_line_is_refused),
		cmocka_unit_test(control_characters_never_reach_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
