/*
 * Tests of the reply reader (RFC 5321 4.2): whole, split, malformed.
 */
#include "proxy/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static size_t
read_reply(struct reply *r, const char *in)
{
	reply_init(r);
	return reply_feed(r, in, strlen(in));
}

static void
whole_replies_are_kept_as_they_came(void **state)
{
	static const struct {
		const char *in;
		const char *text;
		int code;
		unsigned lines;
	} cases[] = {
		{ "250 ok\r\n", "250 ok\r\n", 250, 1 },
		{ "250\r\n", "250\r\n", 250, 1 },
		{ "250 \r\n", "250 \r\n", 250, 1 },
		{ "354 go on\n", "354 go on\r\n", 354, 1 },
		{ "250 ok\r\r\n", "250 ok\r\n", 250, 1 },
		{ "250-a\r\n250-b\n250 c\r\n", "250-a\r\n250-b\r\n250 c\r\n",
		    250, 3 },
		{ "250-a\r\n250\r\n", "250-a\r\n250\r\n", 250, 2 },
		{ "550-a\r\n550-\r\n550-c\r\n550-d\r\n550-e\r\n550-f\r\n"
		  "550-g\r\n550-h\r\n550-i\r\n550 j\r\n",
		    NULL, 550, 10 },
		{ "599 \xc3\xa4\tb\r\n", NULL, 599, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *text = cases[i].text ? cases[i].text : cases[i].in;
		struct reply r;

		assert_int_equal(
		    read_reply(&r, cases[i].in), strlen(cases[i].in));
		assert_true(r.complete);
		assert_int_equal(r.error, REPLY_OK);
		assert_string_equal(r.text, text);
		assert_int_equal(r.len, strlen(text));
		assert_int_equal(r.code, cases[i].code);
		assert_int_equal(r.lines, cases[i].lines);
		reply_clear(&r);
	}
}

static void
one_reply_is_taken_and_nothing_behind_it(void **state)
{
	const char *in = "250-a\r\n250 b\r\n354 next\r\n";
	struct reply r;

	(void)state;
	assert_int_equal(read_reply(&r, in), 14);
	assert_int_equal(reply_feed(&r, in + 14, strlen(in) - 14), 0);
	reply_again(&r);
	assert_int_equal(reply_feed(&r, in + 14, strlen(in) - 14), 10);
	assert_int_equal(r.code, 354);
	reply_clear(&r);
}

static void
a_split_reply_reads_the_same(void **state)
{
	const char *in = "550-5.7.1 no\r\n550-5.7.1 really\n550 5.7.1 no\r\n";
	size_t len = strlen(in);

	(void)state;
	for (size_t split = 0; split <= len; split++) {
		struct reply r;

		reply_init(&r);
		assert_int_equal(reply_feed(&r, in, split), split);
		assert_int_equal(r.complete, split == len);
		assert_int_equal(
		    reply_feed(&r, in + split, len - split), len - split);
		assert_true(r.complete);
		assert_int_equal(r.len, len + 1);
		assert_int_equal(r.lines, 3);
		reply_clear(&r);
	}
}

static void
malformed_replies_are_named(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		enum reply_error error;
	} cases[] = {
		{ "\r\n", 2, REPLY_BAD_CODE },
		{ "25\r\n", 4, REPLY_BAD_CODE },
		{ "25", 2, REPLY_OK },
		{ "ok 250\r\n", 8, REPLY_BAD_CODE },
		{ "150 no\r\n", 8, REPLY_BAD_CODE },
		{ "650 no\r\n", 8, REPLY_BAD_CODE },
		{ "2500 no\r\n", 9, REPLY_BAD_SEPARATOR },
		{ "250\tno\r\n", 8, REPLY_BAD_SEPARATOR },
		{ "250-a\r\n251 b\r\n", 14, REPLY_OTHER_CODE },
		{ "250 a\rb\r\n", 9, REPLY_BAD_OCTET },
		{ "250 a\0b\r\n", 9, REPLY_BAD_OCTET },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct reply r;

		reply_init(&r);
		reply_feed(&r, cases[i].in, cases[i].len);
		assert_false(r.complete);
		assert_int_equal(r.error, cases[i].error);
		assert_non_null(reply_error_text(r.error));
		assert_int_equal(reply_feed(&r, "250 x\r\n", 7),
		    cases[i].error == REPLY_OK ? 7 : 0);
		reply_clear(&r);
	}
}

static void
endless_lines_and_replies_end(void **state)
{
	char line[1024];
	struct reply r;
	int i;

	(void)state;
	memset(line, 'a', sizeof(line));
	memcpy(line, "250-", 4);
	reply_init(&r);
	for (i = 0; i < 10 && r.error == REPLY_OK; i++)
		reply_feed(&r, line, sizeof(line));
	assert_int_equal(r.error, REPLY_LINE_TOO_LONG);
	assert_int_equal(i, 5);
	reply_clear(&r);

	line[sizeof(line) - 1] = '\n';
	for (i = 0; i < 100 && r.error == REPLY_OK; i++)
		reply_feed(&r, line, sizeof(line));
	assert_int_equal(r.error, REPLY_TOO_LONG);
	assert_true(r.len <= REPLY_MAX);
	reply_clear(&r);
}

static void
queue_ids_of_known_msas_are_found(void **state)
{
	static const struct {
		const char *in;
		const char *id;
	} cases[] = {
		{ "250 2.0.0 Ok: queued as 4XyZ1b2c3dz9\r\n", "4XyZ1b2c3dz9" },
		{ "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok:"
		  " queued as 9F3A2\r\n",
		    "9F3A2" },
		{ "250 OK id=1rABCd-0005Xy-2Z\r\n", "1rABCd-0005Xy-2Z" },
		{ "250 2.0.0 5BMAbC12003456 Message accepted for delivery\r\n",
		    "5BMAbC12003456" },
		{ "250 2.0.0 1a2b3c4d Message accepted for delivery\r\n",
		    "1a2b3c4d" },
		{ "250 2.0.0: 1a2b3c4d Message accepted for delivery\r\n",
		    "1a2b3c4d" },
		{ "250-first\r\n250 Ok: queued as ABC.\r\n", "ABC" },
		{ "250 ok (queued as ABC)\r\n", "ABC" },
		{ "250 ok\r\n", "" },
		{ "250\r\n", "" },
		{ "250 valid=x\r\n", "" },
		{ "250 queued as \r\n", "" },
		{ "250 queued as a\"b\r\n", "" },
		{ "250 queued as \xc3\xa4\r\n", "" },
		{ "550 not queued as ABC\r\n", "" },
		{ "250 queued as 0123456789012345678901234567890123456789"
		  "0123456789012345678901234\r\n",
		    "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		char id[REPLY_QUEUE_ID];
		struct reply r;

		read_reply(&r, cases[i].in);
		assert_int_equal(
		    reply_queue_id(&r, id, sizeof(id)), strlen(cases[i].id));
		assert_string_equal(id, cases[i].id);
		reply_clear(&r);
	}
}

static void
the_envid_goes_to_the_last_line(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "250 ok\r\n", "250 ok [e@h]\r\n" },
		{ "250\r\n", "250 [e@h]\r\n" },
		{ "250 \r\n", "250 [e@h]\r\n" },
		{ "250-a\r\n250 b\n", "250-a\r\n250 b [e@h]\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t want = strlen(cases[i].out);
		char out[64];
		struct reply r;

		read_reply(&r, cases[i].in);
		assert_int_equal(
		    reply_append_envid(&r, "e@h", out, want), want);
		assert_memory_equal(out, cases[i].out, want);
		assert_int_equal(
		    reply_append_envid(&r, "e@h", out, want - 1), 0);
		reply_clear(&r);
	}
}

static void
a_line_that_would_pass_512_stays_unchanged(void **state)
{
	char in[REPLY_OURS_MAX + 1], out[REPLY_OURS_MAX + 16];

	(void)state;
	for (size_t len = 490; len <= REPLY_OURS_MAX; len++) {
		bool fits = len + strlen(" [e@h]") <= REPLY_OURS_MAX;
		size_t got;
		struct reply r;

		memset(in, 'x', len);
		memcpy(in, "250 ", 4);
		memcpy(in + len - 2, "\r\n", 3);
		read_reply(&r, in);
		got = reply_append_envid(&r, "e@h", out, sizeof(out));
		assert_int_equal(got, fits ? len + 6 : len);
		if (!fits)
			assert_memory_equal(out, in, len);
		reply_clear(&r);
	}
}

static void
a_421_does_not_send_the_client_away(void **state)
{
	static const char *const cases[][2] = {
		{ "421 4.3.2 Bye\r\n", "451 4.3.2 Bye\r\n" },
		{ "421-a\r\n421-421\r\n421 b\r\n",
		    "451-a\r\n451-421\r\n451 b\r\n" },
		{ "421 cut", "451 cut" },
		{ "250 421\r\n", "250 421\r\n" },
		{ "450-421\r\n450 x\r\n", "450-421\r\n450 x\r\n" },
		{ "", "" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), "%s", cases[i][0]);
		reply_stay(text);
		assert_string_equal(text, cases[i][1]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_replies_are_kept_as_they_came),
		cmocka_unit_test(one_reply_is_taken_and_nothing_behind_it),
		cmocka_unit_test(a_split_reply_reads_the_same),
		cmocka_unit_test(malformed_replies_are_named),
		cmocka_unit_test(endless_lines_and_replies_end),
		cmocka_unit_test(queue_ids_of_known_msas_are_found),
		cmocka_unit_test(the_envid_goes_to_the_last_line),
		cmocka_unit_test(a_line_that_would_pass_512_stays_unchanged),
		cmocka_unit_test(a_421_does_not_send_the_client_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
