/*
 * Tables for common/mtqp_line (RFC 3887 2.2, 2.3, 3, 12).
 */
#include "common/mtqp_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/keeper_messages.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct octets
of(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static void
assert_octets(struct octets got, const char *want)
{
	assert_int_equal(got.len, strlen(want));
	if (got.len > 0)
		assert_memory_equal(got.data, want, got.len);
}

static void
status_lines_are_read(void **state)
{
	static const struct {
		const char *line;
		enum mtqp_verdict verdict;
		const char *tokens;
		const char *text;
	} rows[] = {
		{ "+OK", MTQP_OK, "", "" },
		{ "+OK+", MTQP_OK_MORE, "", "" },
		{ "+OK+/MTQP hello there ", MTQP_OK_MORE, "/MTQP",
		    "hello there " },
		{ "+ok/MTQP", MTQP_OK, "/MTQP", "" },
		{ "-TEMP/MTQP/admin", MTQP_TEMP, "/MTQP/admin", "" },
		{ "-Err/noinfo\tnone", MTQP_ERR, "/noinfo", "none" },
		{ "-ERR/tls-required", MTQP_ERR, "/tls-required", "" },
		{ "-BAD", MTQP_BAD, "", "" },
		{ "-BAD   text", MTQP_BAD, "", "text" },
		{ "-BAD/x,y", MTQP_BAD, "/x", ",y" },
		{ "+OK/ text", MTQP_BAD, NULL, NULL },
		{ "+OKAY", MTQP_BAD, NULL, NULL },
		{ "+O", MTQP_BAD, NULL, NULL },
		{ "", MTQP_BAD, NULL, NULL },
		{ "220 mail.example ESMTP", MTQP_BAD, NULL, NULL },
		{ " +OK", MTQP_BAD, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mtqp_status s;
		int got =
		    mtqp_status_read(rows[i].line, strlen(rows[i].line), &s);

		assert_int_equal(got, rows[i].tokens == NULL ? -1 : 0);
		if (got != 0)
			continue;
		assert_int_equal(s.verdict, rows[i].verdict);
		assert_octets(s.tokens, rows[i].tokens);
		assert_octets(s.text, rows[i].text);
	}
}

static void
tokens_are_found_whole(void **state)
{
	static const char line[] = "-ERR/MTQP/tls-required/noinfo x/admin";
	struct mtqp_status s;

	(void)state;
	assert_int_equal(mtqp_status_read(line, strlen(line), &s), 0);
	assert_true(mtqp_status_has(&s, "mtqp"));
	assert_true(mtqp_status_has(&s, "tls-required"));
	assert_true(mtqp_status_has(&s, "NoInfo"));
	assert_false(mtqp_status_has(&s, "tls"));
	assert_false(mtqp_status_has(&s, "admin"));
	assert_false(mtqp_status_has(&s, ""));
	assert_int_equal(s.verdict, MTQP_ERR);
}

struct response_row {
	const char *in;
	enum mtqp_response_error error;
	bool complete;
	size_t rest; /* octets behind it */
	const char *body;
};

static const struct response_row responses[] = {
	{ "+OK/MTQP ready\r\n", 0, true, 0, "" },
	{ "+OK\r\n-ERR\r\n", 0, true, 6, "" },
	{ "+OK+/MTQP\r\n.\r\n+OK\r\n", 0, true, 5, "" },
	{ "+OK+\r\na\r\n..b\r\n...\r\n\r\n.\r\n", 0, true, 0,
	    "a\r\n.b\r\n..\r\n\r\n" },
	{ "+OK+\na\n.b\n.\nrest", 0, true, 4, "a\r\nb\r\n" },
	{ "+OK+\r\na", 0, false, 0, "" },
	{ "+OK", 0, false, 0, "" },
	{ "220 x\r\n", MTQP_RESPONSE_NOT_MTQP, false, 0, "" },
	{ "\r\n", MTQP_RESPONSE_NOT_MTQP, false, 0, "" },
	{ "+OK+\r\n12345678901234567890\r\n1234567890\r\n", 0, false, 0,
	    "12345678901234567890\r\n1234567890\r\n" },
	{ "+OK+\r\n12345678901234567890\r\n12345678901\r\n",
	    MTQP_RESPONSE_TOO_LONG, false, 0, "12345678901234567890\r\n" },
};

/* However it is cut, it comes to the same. */
static void
responses_are_read_in_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(responses); i++) {
		const struct response_row *row = &responses[i];
		size_t len = strlen(row->in);

		for (size_t cut = 0; cut <= len; cut++) {
			struct mtqp_response r;
			size_t used;

			mtqp_response_init(&r, 34);
			used = mtqp_response_feed(&r, row->in, cut);
			if (used == cut)
				used += mtqp_response_feed(
				    &r, row->in + cut, len - cut);
			assert_int_equal(r.error, row->error);
			assert_int_equal(r.complete, row->complete);
			if (row->error == 0)
				assert_int_equal(len - used, row->rest);
			assert_int_equal(
			    buffer_len(&r.body), strlen(row->body));
			if (row->body[0] != '\0')
				assert_memory_equal(buffer_at(&r.body),
				    row->body, strlen(row->body));
			mtqp_response_free(&r);
		}
	}
}

static enum mtqp_response_error
error_of(const char *first, size_t n, const char *last)
{
	char *in = malloc(n + 64);
	size_t len = strlen(first);
	struct mtqp_response r;
	enum mtqp_response_error error;

	memcpy(in, first, len);
	memset(in + len, 'x', n);
	len += n;
	memcpy(in + len, last, strlen(last));
	mtqp_response_init(&r, 1 << 20);
	mtqp_response_feed(&r, in, len + strlen(last));
	error = r.error;
	mtqp_response_free(&r);
	free(in);
	return error;
}

static void
lines_have_998_octets(void **state)
{
	struct mtqp_response r;

	(void)state;
	assert_int_equal(error_of("+OK ", 994, "\r\n"), 0);
	assert_int_equal(error_of("+OK ", 995, "\r\n"), MTQP_RESPONSE_LINE);
	assert_int_equal(error_of(".", 998, "\r\n"), MTQP_RESPONSE_LINE);
	assert_int_equal(error_of("+OK+\r\n", 998, "\r\n.\r\n"), 0);
	assert_int_equal(error_of("+OK+\r\n", 999, "\r\n"), MTQP_RESPONSE_LINE);
	assert_int_equal(error_of("+OK+\r\n..", 997, "\r\n.\r\n"), 0);
	assert_int_equal(error_of("+OK+\r\n", 100000, ""), MTQP_RESPONSE_LINE);
	mtqp_response_init(&r, 100);
	assert_int_equal(mtqp_response_feed(&r, "+OK \0\r\n", 7), 7);
	assert_int_equal(r.error, MTQP_RESPONSE_LINE);
	mtqp_response_free(&r);
}

static void
options_are_found(void **state)
{
	static const char greeting[] = "+OK+/MTQP x\r\nvnd.example.x 1\r\n"
				       "StartTLS \r\n\tRequired\r\n"
				       "STARTTLSX no\r\nplain\r\n.\r\n";
	struct mtqp_response r, none;
	struct octets found;

	(void)state;
	mtqp_response_init(&none, 10);
	mtqp_response_init(&r, 1000);
	mtqp_response_feed(&r, greeting, strlen(greeting));
	assert_true(r.complete);
	found = mtqp_option_find(&r, "STARTTLS");
	assert_non_null(found.data);
	assert_true(mtqp_option_has(found, "required"));
	assert_false(mtqp_option_has(found, "require"));
	found = mtqp_option_find(&r, "plain");
	assert_non_null(found.data);
	assert_false(mtqp_option_has(found, "required"));
	assert_null(mtqp_option_find(&r, "required").data);
	assert_null(mtqp_option_find(&r, "START").data);
	assert_null(mtqp_option_find(&none, "STARTTLS").data);
	assert_false(
	    mtqp_option_has(mtqp_option_find(&none, "STARTTLS"), "required"));
	mtqp_response_free(&r);
	mtqp_response_free(&none);
}

static void
bodies_are_stuffed(void **state)
{
	static const struct {
		const char *text;
		const char *wire;
	} rows[] = {
		{ "", ".\r\n" },
		{ "a\r\n", "a\r\n.\r\n" },
		{ "a", "a\r\n.\r\n" },
		{ ".\r\n..\r\n.a\r\n", "..\r\n...\r\n..a\r\n.\r\n" },
		{ "a\n\n.b\n", "a\r\n\r\n..b\r\n.\r\n" },
	};
	char longest[3000];
	struct mtqp_response r;
	struct buffer out = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		mtqp_stuff(&out, rows[i].text, strlen(rows[i].text));
		assert_int_equal(buffer_len(&out), strlen(rows[i].wire));
		assert_memory_equal(
		    buffer_at(&out), rows[i].wire, buffer_len(&out));
		buffer_free(&out);
	}
	memset(longest, '.', sizeof(longest));
	buffer_append(&out, "+OK+\r\n", 6);
	mtqp_stuff(&out, longest, sizeof(longest));
	mtqp_response_init(&r, 4000);
	assert_int_equal(
	    mtqp_response_feed(&r, buffer_at(&out), buffer_len(&out)),
	    buffer_len(&out));
	assert_true(r.complete);
	mtqp_response_free(&r);
	buffer_free(&out);
}

static void
track_is_written_strictly(void **state)
{
	static const struct {
		const char *envid;
		const char *secret;
		const char *line; /* NULL: refused */
	} rows[] = {
		{ "a@b", "abcdefgh", "TRACK a@b YWJjZGVmZ2g=\r\n" },
		{ "<a@b>", "abc", "TRACK a@b YWJj\r\n" },
		{ "a+2Bb@c", "abcd", "TRACK a+2Bb@c YWJjZA==\r\n" },
		{ "a b@c", "abc", NULL },
		{ "a\r\n@c", "abc", NULL },
		{ "ab", "abc", NULL },
		{ "<>", "abc", NULL },
		{ "a=b@c", "abc", NULL },
		{ "a@b", "", NULL },
	};
	static const uint8_t long_secret[SECRET_MAX + 1];
	struct buffer out = { 0 };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		int got = mtqp_command_track(
		    &out, of(rows[i].envid), of(rows[i].secret));

		assert_int_equal(got, rows[i].line == NULL ? -1 : 0);
		assert_int_equal(buffer_len(&out),
		    rows[i].line == NULL ? 0 : strlen(rows[i].line));
		if (rows[i].line != NULL)
			assert_memory_equal(
			    buffer_at(&out), rows[i].line, buffer_len(&out));
		buffer_free(&out);
	}
	assert_int_equal(
	    mtqp_command_track(&out, of("a@b"),
		(struct octets){ long_secret, sizeof(long_secret) }),
	    -1);
	assert_int_equal(mtqp_command_track(&out, of("a@b"),
			     (struct octets){ long_secret, SECRET_MAX }),
	    0);
	assert_int_equal(buffer_len(&out), 6 + 3 + 1 + 172 + 2);
	buffer_free(&out);
}

static void
domains_have_a_dot(void **state)
{
	static const char *const good[] = { "a.b", "track.example.net",
		"x-1.example", "192.0.2.1" };
	static const char *const bad[] = { "", "localhost", "a.", ".a", "a..b",
		"-a.b", "a-.b", "a.-b", "a.b-", "a.b.", "a b.c", "a_b.c",
		"a.b\r\n", "\xc3\xa9.b" };
	struct buffer out = { 0 };
	char longest[300];

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		assert_true(mtqp_is_domain(good[i], strlen(good[i])));
		assert_int_equal(mtqp_command_starttls(&out, good[i]), 0);
		buffer_free(&out);
	}
	for (size_t i = 0; i < LEN(bad); i++) {
		assert_false(mtqp_is_domain(bad[i], strlen(bad[i])));
		assert_int_equal(mtqp_command_starttls(&out, bad[i]), -1);
	}
	memset(longest, 'a', sizeof(longest));
	longest[1] = '.';
	assert_true(mtqp_is_domain(longest, MTQP_DOMAIN_MAX));
	assert_false(mtqp_is_domain(longest, MTQP_DOMAIN_MAX + 1));
	assert_int_equal(mtqp_command_starttls(&out, "a.b"), 0);
	assert_int_equal(buffer_len(&out), 14);
	assert_memory_equal(buffer_at(&out), "STARTTLS a.b\r\n", 14);
	buffer_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_lines_are_read),
		cmocka_unit_test(tokens_are_found_whole),
		cmocka_unit_test(responses_are_read_in_pieces),
		cmocka_unit_test(lines_have_998_octets),
		cmocka_unit_test(options_are_found),
		cmocka_unit_test(bodies_are_stuffed),
		cmocka_unit_test(track_is_written_strictly),
		cmocka_unit_test(domains_have_a_dot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
