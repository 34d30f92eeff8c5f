/*
 * Tables for the reader of common/mtqp_uri (RFC 3887 9, RFC 3986).
 */
#include "common/mtqp_uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* 16 octets, 00 to 0f. */
#define SECRET "AAECAwQFBgcICQoLDA0ODw"
#define PATH   "/track/a@b/" SECRET "=="

static const uint8_t secret[16] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
	13, 14, 15 };

static void
uris_are_read(void **state)
{
	static const struct {
		const char *uri;
		const char *server;
		unsigned port;
		const char *envid;
	} rows[] = {
		{ "mtqp://t.example" PATH, "t.example", 0, "a@b" },
		{ "mtqp://t.example/track/a@b/" SECRET, "t.example", 0, "a@b" },
		{ "MTQP://T.Example:1038/TRACK/A@b/" SECRET, "t.example", 1038,
		    "A@b" },
		{ "mtqp://t.example:" PATH, "t.example", 0, "a@b" },
		{ "mtqp://192.0.2.1:65535" PATH, "192.0.2.1", 65535, "a@b" },
		{ "mtqp://[2001:db8::1]" PATH, "2001:db8::1", 0, "a@b" },
		{ "mtqp://[2001:DB8::1]:7" PATH, "2001:DB8::1", 7, "a@b" },
		{ "mtqp://t/track/a%2Fb%3fc%25d%23e+2B@g/" SECRET "%3D%3D", "t",
		    0, "a/b?c%d#e+2B@g" },
		{ "mtqp://t/track/%3Ca@b%3E/" SECRET, "t", 0, "a@b" },
		{ "mtqp://t/track/<a@b>/" SECRET, "t", 0, "a@b" },
		{ "mtqp://t/track/a@b@c/" SECRET, "t", 0, "a@b@c" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mtqp_uri_parsed got;
		const char *uri = rows[i].uri;

		assert_int_equal(
		    mtqp_uri_read(uri, strlen(uri), &got), MTQP_URI_OK);
		assert_string_equal(got.uri.server, rows[i].server);
		assert_int_equal(got.uri.port, rows[i].port);
		assert_int_equal(got.uri.envid.len, strlen(rows[i].envid));
		assert_memory_equal(
		    got.uri.envid.data, rows[i].envid, got.uri.envid.len);
		assert_int_equal(got.uri.secret.len, sizeof(secret));
		assert_memory_equal(
		    got.uri.secret.data, secret, sizeof(secret));
		mtqp_uri_wipe(&got);
	}
}

static void
what_is_no_uri_is_refused(void **state)
{
	static const struct {
		const char *uri;
		enum mtqp_uri_error error;
	} rows[] = {
		{ "", MTQP_URI_SCHEME },
		{ "mtqp:/t" PATH, MTQP_URI_SCHEME },
		{ "http://t" PATH, MTQP_URI_SCHEME },
		{ "mtqp://", MTQP_URI_AUTHORITY },
		{ "mtqp://" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://user@t" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t:0" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t:65536" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t:100000" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t:+1" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://2001:db8::1" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://[2001:db8::1" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://[t.example]" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://[::1%25lo]" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://[::1]x" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t..example" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t%2Eexample" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://-t" PATH, MTQP_URI_AUTHORITY },
		{ "mtqp://t.example", MTQP_URI_PATH },
		{ "mtqp://t/", MTQP_URI_PATH },
		{ "mtqp://t/trace/a@b/" SECRET, MTQP_URI_PATH },
		{ "mtqp://t/track/a@b", MTQP_URI_PATH },
		{ "mtqp://t/track/a@b/" SECRET "/", MTQP_URI_PATH },
		{ "mtqp://t/track//" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/ab/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/@b/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a@/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a b@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a%20b@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a%00@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a%0D%0A@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a+2@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a%4@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a%@c/" SECRET, MTQP_URI_ENVID },
		{ "mtqp://t/track/a@b/", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/YWJjZGVmZ2gK", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/" SECRET "=", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/" SECRET "?x", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/" SECRET "#x", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/" SECRET "%3", MTQP_URI_SECRET },
		{ "mtqp://t/track/a@b/!" SECRET "=", MTQP_URI_SECRET },
	};
	static const struct mtqp_uri_parsed wiped;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mtqp_uri_parsed got;
		enum mtqp_uri_error error =
		    mtqp_uri_read(rows[i].uri, strlen(rows[i].uri), &got);

		if (error != rows[i].error)
			print_message("%s\n", rows[i].uri);
		assert_int_equal(error, rows[i].error);
		assert_memory_equal(&got, &wiped, sizeof(got));
		assert_true(strlen(mtqp_uri_error_text(error)) > 0);
	}
}

static void
lengths_have_bounds(void **state)
{
	char uri[1024], host[300], envid[ENVID_MAX + 2], base64[200];
	uint8_t octets[SECRET_MAX + 1] = { 0 };
	struct mtqp_uri_parsed got;

	(void)state;
	for (size_t n = 250; n < 260; n++) {
		memset(host, 'h', n);
		host[n] = '\0';
		snprintf(uri, sizeof(uri), "mtqp://%s" PATH, host);
		assert_int_equal(mtqp_uri_read(uri, strlen(uri), &got),
		    n <= 255 ? MTQP_URI_OK : MTQP_URI_AUTHORITY);
	}
	for (size_t n = ENVID_MAX - 1; n <= ENVID_MAX + 1; n++) {
		memset(envid, 'e', n);
		envid[1] = '@';
		envid[n] = '\0';
		snprintf(uri, sizeof(uri), "mtqp://t/track/%s/" SECRET, envid);
		assert_int_equal(mtqp_uri_read(uri, strlen(uri), &got),
		    n <= ENVID_MAX ? MTQP_URI_OK : MTQP_URI_ENVID);
	}
	for (size_t n = 0; n <= SECRET_MAX + 1; n++) {
		codec_base64_encode(octets, n, true, base64);
		snprintf(uri, sizeof(uri), "mtqp://t/track/a@b/%s", base64);
		assert_int_equal(mtqp_uri_read(uri, strlen(uri), &got),
		    n >= 16 && n <= SECRET_MAX ? MTQP_URI_OK : MTQP_URI_SECRET);
	}
}

static void
what_was_written_is_read(void **state)
{
	static const char *const envids[] = { "a@b", "a+2B/?%#\"@b",
		"k3Yc0bq2RtOZl8uPqv1x5A@submit.example.net" };
	static const char *const servers[] = { "t.example.net", "192.0.2.1",
		"2001:db8::1" };
	uint8_t octets[SECRET_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(octets); i++)
		octets[i] = (uint8_t)(i * 37 + 251);
	for (size_t i = 0; i < 9 * (SECRET_MAX - 15); i++) {
		const char *envid = envids[i % 3];
		struct mtqp_uri uri = { servers[i / 3 % 3], i % 2 ? 0 : 7,
			{ (const uint8_t *)envid, strlen(envid) },
			{ octets, 16 + i / 9 } };
		struct mtqp_uri_parsed got;
		char text[600];
		long len = mtqp_uri_write(&uri, text, sizeof(text));

		assert_true(len > 0);
		assert_int_equal(
		    mtqp_uri_read(text, (size_t)len, &got), MTQP_URI_OK);
		assert_string_equal(got.uri.server, uri.server);
		assert_int_equal(got.uri.port, uri.port);
		assert_int_equal(got.uri.envid.len, uri.envid.len);
		assert_memory_equal(got.uri.envid.data, envid, uri.envid.len);
		assert_int_equal(got.uri.secret.len, uri.secret.len);
		assert_memory_equal(
		    got.uri.secret.data, octets, uri.secret.len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(uris_are_read),
		cmocka_unit_test(what_is_no_uri_is_refused),
		cmocka_unit_test(lengths_have_bounds),
		cmocka_unit_test(what_was_written_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
