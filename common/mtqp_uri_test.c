/*
 * Tables for common/mtqp_uri (RFC 3887 9).
 */
#include "common/mtqp_uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/keeper_messages.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static void
uris_are_escaped_as_rfc_3887_says(void **state)
{
	static const struct {
		const char *server;
		unsigned port;
		const char *envid;
		const char *secret;
		const char *uri;
	} rows[] = {
		{ "track.example.net", 0, "abc@h.example", "abcdefgh",
		    "mtqp://track.example.net/track/abc@h.example/"
		    "YWJjZGVmZ2g=" },
		{ "track.example.net", 1038, "a@b", "abcdefgh",
		    "mtqp://track.example.net/track/a@b/YWJjZGVmZ2g=" },
		{ "t.example", 11038, "a@b", "\xff\xff\xff",
		    "mtqp://t.example:11038/track/a@b/%2F%2F%2F%2F" },
		{ "t.example", 0, "a@b", "\xfb\xef\xbe",
		    "mtqp://t.example/track/a@b/++++" },
		{ "2001:db8::1", 0, "a/b?c%d#e<f>\"@g", "abc",
		    "mtqp://[2001:db8::1]/track/a%2Fb%3Fc%25d%23e%3Cf%3E%22@g/"
		    "YWJj" },
		{ "[2001:db8::1]", 7, "a+2Bb@c", "abc",
		    "mtqp://[2001:db8::1]:7/track/a+2Bb@c/YWJj" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mtqp_uri uri = { rows[i].server, rows[i].port,
			text(rows[i].envid), text(rows[i].secret) };
		char out[256];

		assert_int_equal(mtqp_uri_write(&uri, out, sizeof(out)),
		    strlen(rows[i].uri));
		assert_string_equal(out, rows[i].uri);
	}
}

static void
what_does_not_fit_is_not_cut(void **state)
{
	struct mtqp_uri uri = { "t.example", 0, text("a@b"), text("abc") };
	const char *whole = "mtqp://t.example/track/a@b/YWJj";
	uint8_t secret[SECRET_MAX + 1] = { 0 };
	char out[64];

	(void)state;
	for (size_t size = 0; size <= strlen(whole); size++)
		assert_int_equal(mtqp_uri_write(&uri, out, size), -1);
	assert_int_equal(
	    mtqp_uri_write(&uri, out, strlen(whole) + 1), strlen(whole));
	uri.secret = (struct octets){ secret, sizeof(secret) };
	assert_int_equal(mtqp_uri_write(&uri, out, sizeof(out)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris_are_escaped_as_rfc_3887_says),
		cmocka_unit_test(what_does_not_fit_is_not_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
