/*
 * Tests of the header scanner (RFC 5322 2.2, 3.6): what is noted, and where
 * a Message-ID is added.
 */
#include "proxy/header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ADD	     "Message-ID: <new@id>\r\n"
#define ROOM	     200000

struct result {
	char text[ROOM];
	size_t len;
};

static struct result got;
static struct header_scan scan;

static void
take(struct data_span *in)
{
	struct data_span out;

	while (header_next(&scan, in, &out)) {
		assert_true(got.len + out.len < ROOM);
		memcpy(got.text + got.len, out.at, out.len);
		got.len += out.len;
		got.text[got.len] = '\0';
	}
	assert_int_equal(in->len, 0);
}

static const char *
the_id(void *arg)
{
	const char **add = arg;

	return *add;
}

/* Pass in in pieces of first, then then, octets, each in its own memory. */
static void
pass(const char *in, size_t first, size_t then, const char *add)
{
	size_t len = strlen(in);
	struct data_span none = { NULL, 0 };

	got.len = 0;
	got.text[0] = '\0';
	header_init(&scan, add == NULL ? NULL : the_id, &add);
	for (size_t at = 0, n = first; at < len; at += n, n = then) {
		uint8_t *piece;
		struct data_span span;

		n = n < len - at ? n : len - at;
		piece = malloc(n);
		assert_non_null(piece);
		memcpy(piece, in + at, n);
		span = (struct data_span){ piece, n };
		take(&span);
		free(piece);
	}
	header_finish(&scan);
	take(&none);
	assert_int_equal(scan.state, HEADER_ENDED);
}

static void
check_everywhere(const char *in, const char *add, const char *want)
{
	size_t len = strlen(in);

	for (size_t split = 0; split <= len; split++) {
		if (split == 0)
			pass(in, 1, 1, add);
		else
			pass(in, split, len, add);
		assert_string_equal(got.text, want);
	}
}

static void
a_missing_message_id_is_added_where_the_section_ends(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "", ADD },
		{ "\r\n", ADD "\r\n" },
		{ "\r\nbody: x\r\n", ADD "\r\nbody: x\r\n" },
		{ "A: b\r\n", "A: b\r\n" ADD },
		{ "A: b\r\n\r\nbody\r\n", "A: b\r\n" ADD "\r\nbody\r\n" },
		{ "A: b\r\n c\r\n\td\r\n\r\n",
		    "A: b\r\n c\r\n\td\r\n" ADD "\r\n" },
		{ "A: b\r\n \r\n\r\n", "A: b\r\n \r\n" ADD "\r\n" },
		{ "body\r\nA: b\r\n", ADD "\r\nbody\r\nA: b\r\n" },
		{ "A: b\r\nbody\r\n", "A: b\r\n" ADD "\r\nbody\r\n" },
		{ "A: b\r\nno field\r\n\r\n",
		    "A: b\r\n" ADD "\r\nno field\r\n\r\n" },
		{ " a\r\nA: b\r\n", ADD "\r\n a\r\nA: b\r\n" },
		{ ": a\r\n", ADD "\r\n: a\r\n" },
		{ "\xc3\xa4: a\r\n", ADD "\r\n\xc3\xa4: a\r\n" },
		{ "From me Mon\r\nA: b\r\n\r\n",
		    "From me Mon\r\nA: b\r\n" ADD "\r\n" },
		{ "From  me Mon\r\n\r\n", "From  me Mon\r\n" ADD "\r\n" },
		{ "From me\r\n c\r\n\r\n", "From me\r\n c\r\n" ADD "\r\n" },
		{ "A: b\r\nFrom me Mon\r\n\r\n",
		    "A: b\r\n" ADD "\r\nFrom me Mon\r\n\r\n" },
		{ "A: b\r\n\r\nMessage-ID: <in@body>\r\n",
		    "A: b\r\n" ADD "\r\nMessage-ID: <in@body>\r\n" },
		{ "X-Message-ID: <a@b>\r\n", "X-Message-ID: <a@b>\r\n" ADD },
		{ "Message-I: <a@b>\r\n", "Message-I: <a@b>\r\n" ADD },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++)
		check_everywhere(cases[i].in, ADD, cases[i].out);
}

static void
a_message_with_its_message_id_is_not_touched(void **state)
{
	static const struct {
		const char *in;
		const char *id;
		unsigned count;
	} cases[] = {
		{ "Message-ID: <a@b>\r\n\r\nx\r\n", "<a@b>", 1 },
		{ "mEsSaGe-iD:<a@b>\r\n", "<a@b>", 1 },
		{ "Message-ID : <a@b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID \t : <a@b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID:\r\n <a@b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID:\r\n\t\r\n <a@b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID: <a\r\n @b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID: (x (<y@z>) \\) ) <a@b> (q)\r\n\r\n", "<a@b>",
		    1 },
		{ "Message-ID: (\\)<x@y>)<a@b><c@d>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID: a@b\r\n\r\n", "", 1 },
		{ "Message-ID:\r\n\r\n", "", 1 },
		{ "Message-ID: <a@b\r\n\r\n", "", 1 },
		{ "Message-ID: <a@b>\r\nA: b\r\nMESSAGE-ID: <c@d>\r\n\r\n",
		    "<a@b>", 2 },
		{ "Message-ID: a\r\nMessage-ID: <c@d>\r\n\r\n", "", 2 },
		{ "From x\r\nMessage-ID: <a@b>\r\n\r\n", "<a@b>", 1 },
		{ "Message-ID: <a@b>\r\nbody\r\n", "<a@b>", 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		check_everywhere(cases[i].in, ADD, cases[i].in);
		assert_string_equal(scan.message_id.text, cases[i].id);
		assert_int_equal(scan.message_id.len, strlen(cases[i].id));
		assert_int_equal(scan.message_id.count, cases[i].count);
	}
}

static void
nothing_is_added_where_nothing_was_asked_for(void **state)
{
	(void)state;
	check_everywhere("A: b\r\n\r\nx\r\n", NULL, "A: b\r\n\r\nx\r\n");
	check_everywhere("body\r\n", NULL, "body\r\n");
	check_everywhere("", NULL, "");
	/* Or it would continue the Received line before it. */
	check_everywhere(" a\r\nx\r\n", NULL, "\r\n a\r\nx\r\n");
}

static void
a_subject_is_noted_unfolded(void **state)
{
	const char *in = "SUBJECT: \t one\r\n two\r\n\tthree  \r\n"
			 "Subject: other\r\n"
			 "\r\nSubject: no\r\n";

	(void)state;
	for (size_t n = 1; n < 50; n++) {
		pass(in, n, n, NULL);
		assert_string_equal(scan.subject.text, "one two\tthree");
		assert_int_equal(scan.subject.count, 2);
		assert_int_equal(scan.message_id.count, 0);
		assert_int_equal(scan.octets, strstr(in, "\r\n\r\n") + 2 - in);
	}
	/* Nothing is left of a message before, in the same memory. */
	pass("Message-ID: <1@x>\r\n\r\n", 99, 99, NULL);
	assert_string_equal(scan.message_id.text, "<1@x>");
	assert_string_equal(scan.subject.text, "");
	pass(in, 99, 99, NULL);
	assert_string_equal(scan.message_id.text, "");
}

static void
a_long_subject_is_cut_at_a_whole_character(void **state)
{
	static const char *const characters[] = { "a", "\xc3\xa4",
		"\xe2\x82\xac", "\xf0\x9f\x93\xa6" };
	char in[1024];

	(void)state;
	for (size_t i = 0; i < COUNT(characters); i++) {
		size_t size = strlen(characters[i]);

		for (size_t shift = 0; shift < 4; shift++) {
			size_t len = (size_t)sprintf(
			    in, "Subject: %.*s", (int)shift, "xyz");

			while (len < 500)
				len += (size_t)sprintf(
				    in + len, "%s", characters[i]);
			sprintf(in + len, "\r\n\r\n");
			pass(in, 7, 7, NULL);
			assert_true(scan.subject.cut);
			assert_true(scan.subject.len <= HEADER_SUBJECT_MAX);
			assert_true(
			    scan.subject.len + size > HEADER_SUBJECT_MAX);
			assert_int_equal((scan.subject.len - shift) % size, 0);
		}
	}
}

static void
long_headers_survive(void **state)
{
	static char in[ROOM], want[ROOM];
	size_t len;

	(void)state;
	len = (size_t)sprintf(in, "From: x\r\nReferences:");
	while (len < 64 * 1024)
		len += (size_t)sprintf(in + len, "\r\n <%zu@example>", len);
	len += (size_t)sprintf(in + len, "\r\nX: ");
	memset(in + len, 'y', 65536);
	len += 65536;
	sprintf(in + len, "\r\nSubject: last\r\n");
	stpcpy(stpcpy(want, in), ADD "\r\nbody\r\n");
	strcat(in, "\r\nbody\r\n");
	for (size_t n = 1; n < ROOM; n = n * 7 + 3) {
		pass(in, n, n, ADD);
		assert_string_equal(got.text, want);
		assert_string_equal(scan.subject.text, "last");
	}
}

static void
a_message_id_that_does_not_fit_is_not_kept(void **state)
{
	char in[1200];

	(void)state;
	for (size_t len = 990; len < 1010; len++) {
		memset(in, 'a', sizeof(in));
		memcpy(in, "Message-ID: <", 13);
		sprintf(in + 12 + len - 1, ">\r\n\r\n");
		pass(in, sizeof(in), 1, ADD);
		assert_string_equal(got.text, in);
		assert_int_equal(scan.message_id.count, 1);
		assert_int_equal(
		    scan.message_id.len, len <= HEADER_ID_MAX ? len : 0);
	}
}

static void
a_name_without_end_is_no_header(void **state)
{
	static char in[2048], want[2048];

	(void)state;
	for (size_t len = 990; len < 1010; len++) {
		bool field = len < HEADER_NAME_MAX;

		memset(in, 'a', len);
		sprintf(in + len, ": b\r\n");
		stpcpy(stpcpy(want, field ? in : ADD "\r\n"), field ? ADD : in);
		for (size_t n = 1; n < 2000; n = n * 2 + 1) {
			pass(in, n, n, ADD);
			assert_string_equal(got.text, want);
		}
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_missing_message_id_is_added_where_the_section_ends),
		cmocka_unit_test(a_message_with_its_message_id_is_not_touched),
		cmocka_unit_test(nothing_is_added_where_nothing_was_asked_for),
		cmocka_unit_test(a_subject_is_noted_unfolded),
		cmocka_unit_test(a_long_subject_is_cut_at_a_whole_character),
		cmocka_unit_test(long_headers_survive),
		cmocka_unit_test(a_message_id_that_does_not_fit_is_not_kept),
		cmocka_unit_test(a_name_without_end_is_no_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
