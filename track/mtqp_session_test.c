/*
 * MTQP sessions (RFC 3887): the transcripts in tests/golden/mtqp/, and what
 * does not fit a transcript. Run from the root.
 */
#include "track/mtqp_session.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static const char *const effects[] = { [MTQP_READ] = "READ",
	[MTQP_LOOK_UP] = "LOOK_UP",
	[MTQP_START_TLS] = "START_TLS",
	[MTQP_HANDSHAKE] = "HANDSHAKE",
	[MTQP_CLOSE] = "CLOSE" };

/* A transcript being played. */
struct play {
	struct mtqp_session session;
	struct mtqp_rules rules;
	struct buffer in;   /* sent by the client, not taken yet */
	struct buffer want; /* what S: lines say */
	size_t piece;	    /* octets fed at once */
};

static void
feed(struct play *p)
{
	while (p->session.effect == MTQP_READ && buffer_len(&p->in) > 0) {
		size_t len = buffer_len(&p->in);
		size_t used = mtqp_session_feed(&p->session, buffer_at(&p->in),
		    len < p->piece ? len : p->piece);

		buffer_consume(&p->in, used);
	}
}

static void
check_output(struct play *p, const char *where)
{
	struct buffer *out = &p->session.out;
	size_t len = buffer_len(&p->want);

	if (buffer_len(out) != len ||
	    (len > 0 &&
		memcmp(buffer_at(out), buffer_at(&p->want), len) != 0)) {
		fprintf(stderr, "%s: not as it says; before it came:\n", where);
		fwrite(buffer_at(out), 1, buffer_len(out), stderr);
		fail();
	}
	buffer_free(out);
	buffer_free(&p->want);
}

/* "tls required commands=3" */
static void
start(struct play *p, const char *words)
{
	const char *refuse = strstr(words, "refuse=");
	const char *at;

	p->rules.hostname = "track.example.net";
	p->rules.tls = strstr(words, "tls") != NULL;
	p->rules.tls_required = strstr(words, "required") != NULL;
	if ((at = strstr(words, "commands=")) != NULL)
		p->rules.commands_max = (unsigned)atoi(at + 9);
	if ((at = strstr(words, "bad=")) != NULL)
		p->rules.bad_max = (unsigned)atoi(at + 4);
	if ((at = strstr(words, "refused=")) != NULL)
		p->rules.refused_max = (unsigned)atoi(at + 8);
	mtqp_session_start(&p->session, &p->rules,
	    refuse == NULL ? NULL : refuse + strlen("refuse="));
}

/* "LOOK_UP envid certifier", "START_TLS domain", or the effect alone. */
static void
check_effect(const struct play *p, const char *want)
{
	const struct mtqp_session *s = &p->session;
	char got[512], certifier[BASE64_LEN(CERTIFIER_LEN) + 1];

	codec_base64_encode(s->certifier, CERTIFIER_LEN, false, certifier);
	snprintf(got, sizeof(got), "%s", effects[s->effect]);
	if (s->effect == MTQP_LOOK_UP)
		snprintf(
		    got, sizeof(got), "LOOK_UP %s %s", s->envid, certifier);
	if (s->effect == MTQP_START_TLS)
		snprintf(got, sizeof(got), "START_TLS %s", s->domain);
	assert_string_equal(got, want);
}

static void
answer_found(struct play *p, const char *name)
{
	char path[128], line[2048];
	struct buffer body = { 0 };
	FILE *file;

	snprintf(path, sizeof(path), "tests/golden/mtqp/report-%s.txt", name);
	file = fopen(path, "r");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file) != NULL) {
		buffer_append(&body, line, strcspn(line, "\n"));
		buffer_append(&body, "\r\n", 2);
	}
	fclose(file);
	mtqp_session_found(&p->session, buffer_at(&body), buffer_len(&body));
	buffer_free(&body);
}

/* What the process does. */
static void
act(struct play *p, const char *what)
{
	struct mtqp_session *s = &p->session;

	if (strncmp(what, "found ", 6) == 0)
		answer_found(p, what + 6);
	else if (strcmp(what, "noinfo") == 0)
		mtqp_session_refuse(s, MTQP_NOINFO);
	else if (strcmp(what, "temporary") == 0)
		mtqp_session_refuse(s, MTQP_TEMPORARY);
	else if (strcmp(what, "no domain") == 0)
		mtqp_session_tls_refuse(s);
	else if (strcmp(what, "tls") == 0)
		assert_int_equal(mtqp_session_tls_begin(s, buffer_len(&p->in)),
		    buffer_len(&p->in) > 0 ? -1 : 0);
	else if (strcmp(what, "strong") == 0)
		mtqp_session_tls_done(s, true);
	else if (strcmp(what, "weak") == 0)
		mtqp_session_tls_done(s, false);
	else
		fail_msg("no such act: %s", what);
	feed(p);
}

/* "C" ends in CRLF, "c" is as it stands; \n, \r, \0, \e and \\ are escapes. */
static void
send_line(struct play *p, char kind, const char *text)
{
	for (; *text != '\0'; text++) {
		char c = *text;

		if (c == '\\') {
			c = *++text;
			c = c == 'n'   ? '\n'
			    : c == 'r' ? '\r'
			    : c == '0' ? '\0'
			    : c == 'e' ? (char)0xe9
				       : c;
		}
		buffer_append(&p->in, &c, 1);
	}
	if (kind == 'C')
		buffer_append(&p->in, "\r\n", 2);
}

static void
play_line(struct play *p, char kind, const char *text, const char *where)
{
	if (kind == 'S') {
		buffer_append(&p->want, text, strlen(text));
		buffer_append(&p->want, "\r\n", 2);
		return;
	}
	if (kind == 'E') {
		check_effect(p, text);
		return;
	}
	check_output(p, where);
	switch (kind) {
	case 'R':
		start(p, text);
		break;
	case 'C':
	case 'c':
		send_line(p, kind, text);
		break;
	case 'P':
		act(p, text);
		break;
	default:
		fail_msg("%s: no such kind of line", where);
	}
}

/*
 * R: rules, C: and c: from the client, S: to the client, E: what the session
 * waits for, P: what the process does; # is a comment. What the client sends
 * in a row comes at once.
 */
static void
play_file(const char *path, size_t piece)
{
	struct play p = { .piece = piece };
	char line[2048], where[256], last = '\0';
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	for (int n = 1; fgets(line, sizeof(line), file) != NULL; n++) {
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		snprintf(where, sizeof(where), "%s:%d", path, n);
		if ((last == 'C' || last == 'c') && line[0] != 'C' &&
		    line[0] != 'c')
			feed(&p);
		last = line[0];
		play_line(&p, line[0],
		    line[1] == ':' && line[2] == ' ' ? line + 3 : line + 2,
		    where);
	}
	feed(&p);
	check_output(&p, path);
	fclose(file);
	buffer_free(&p.in);
	mtqp_session_free(&p.session);
}

static void
transcripts_come_out_octet_for_octet(void **state)
{
	static const size_t pieces[] = { 1, 2, 7, 100000 };
	glob_t found;

	(void)state;
	assert_int_equal(
	    glob("tests/golden/mtqp/session-*.txt", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		for (size_t k = 0; k < LEN(pieces); k++)
			play_file(found.gl_pathv[i], pieces[k]);
	globfree(&found);
}

static struct mtqp_rules open_rules = { .hostname = "t.example" };

/* One command; the effect after it, and its answer in *out. */
static enum mtqp_effect
answer_to(const char *command, size_t len, char *out, size_t size)
{
	struct mtqp_session s;
	enum mtqp_effect effect;
	size_t n;

	mtqp_session_start(&s, &open_rules, NULL);
	buffer_free(&s.out);
	assert_int_equal(mtqp_session_feed(&s, command, len), len);
	n = buffer_len(&s.out);
	assert_true(n < size);
	if (n > 0)
		memcpy(out, buffer_at(&s.out), n);
	out[n] = '\0';
	effect = s.effect;
	mtqp_session_free(&s);
	return effect;
}

/* Secrets of any length, and base64 of any: RFC 3885 3.1. */
static void
secrets_have_16_to_128_octets(void **state)
{
	static uint8_t octets[4096];
	char text[BASE64_LEN(4096) + 1], line[8192], out[256];

	(void)state;
	memset(octets, 0xa5, sizeof(octets));
	for (size_t n = 0; n <= sizeof(octets); n += n < 200 ? 1 : 97) {
		for (int pad = 0; pad < 2; pad++) {
			enum mtqp_effect effect;
			int len;

			codec_base64_encode(octets, n, pad, text);
			len = snprintf(
			    line, sizeof(line), "TRACK a@b %s\r\n", text);
			effect = answer_to(line, (size_t)len, out, sizeof(out));
			if (n >= 16 && n <= 128) {
				assert_int_equal(effect, MTQP_LOOK_UP);
				assert_string_equal(out, "");
			} else {
				assert_int_equal(effect, MTQP_READ);
				assert_memory_equal(out, "-BAD ", 5);
			}
		}
	}
}

static void
lines_have_at_most_998_octets(void **state)
{
	char line[3000], out[256];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "COMMENT ", 8);
	for (size_t n = 990; n < 2990; n++) {
		memcpy(line + n, "\r\n", 2);
		answer_to(line, n + 2, out, sizeof(out));
		assert_string_equal(out,
		    n <= 998 ? "+OK\r\n"
			     : "-BAD a line has at most 998 octets\r\n");
		memset(line + n, 'x', 2);
	}
}

static void
secrets_do_not_stay(void **state)
{
	static const char line[] = "TRACK a@b AAECAwQFBgcICQoLDA0ODw==\r\n";
	struct mtqp_session s;

	(void)state;
	mtqp_session_start(&s, &open_rules, NULL);
	mtqp_session_feed(&s, line, strlen(line));
	assert_int_equal(s.effect, MTQP_LOOK_UP);
	assert_null(memmem(&s, sizeof(s), "AAECAwQF", 8));
	assert_null(memmem(&s, sizeof(s), "\0\1\2\3\4\5", 6));
	mtqp_session_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transcripts_come_out_octet_for_octet),
		cmocka_unit_test(secrets_have_16_to_128_octets),
		cmocka_unit_test(lines_have_at_most_998_octets),
		cmocka_unit_test(secrets_do_not_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
