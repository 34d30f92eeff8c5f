/*
 * Tables for token/json (RFC 8259 7).
 */
#include "token/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
strings_are_escaped(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ "", 0, "\"\"" },
		{ "a/b", 3, "\"a/b\"" },
		{ "\"\\", 2, "\"\\\"\\\\\"" },
		{ "\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"" },
		{ "\0\x01\x1f\x7f", 4, "\"\\u0000\\u0001\\u001f\\u007f\"" },
		{ "\xc2\x9b", 2, "\"\\u009b\"" },
		{ "\xc3\xbc", 2, "\"\xc3\xbc\"" },
		{ "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"" },
		{ "\xff"
		  "a\xc3",
		    3,
		    "\"\xef\xbf\xbd"
		    "a\xef\xbf\xbd\"" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		char *text = NULL;
		size_t len;
		struct json j = { .out = open_memstream(&text, &len) };

		json_text(&j, NULL, rows[i].in, rows[i].len);
		fclose(j.out);
		assert_string_equal(text, rows[i].out);
		free(text);
	}
}

static void
values_are_separated(void **state)
{
	char *text = NULL;
	size_t len;
	struct json j = { .out = open_memstream(&text, &len) };

	(void)state;
	json_begin(&j, NULL, '{');
	json_begin(&j, "empty", '[');
	json_end(&j, ']');
	json_begin(&j, "two", '[');
	json_begin(&j, NULL, '{');
	json_end(&j, '}');
	json_text(&j, NULL, "x", 1);
	json_end(&j, ']');
	json_number(&j, "n", UINT64_MAX);
	json_flag(&j, "yes", true);
	json_flag(&j, "no", false);
	json_end(&j, '}');
	fclose(j.out);
	assert_string_equal(text,
	    "{\"empty\":[],\"two\":[{},\"x\"],"
	    "\"n\":18446744073709551615,\"yes\":true,\"no\":false}");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_escaped),
		cmocka_unit_test(values_are_separated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
