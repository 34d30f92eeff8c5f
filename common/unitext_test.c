/*
 * Tables for common/unitext (RFC 6533 3).
 */
#include "common/unitext.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
text_is_escaped_and_comes_back(void **state)
{
	static const struct {
		const char *text;
		const char *also;
		const char *escaped;
	} rows[] = {
		{ "", "", "" },
		{ "250 2.0.0 Ok: queued", "", "250 2.0.0 Ok: queued" },
		{ "j\xc3\xb6rg@ex.example", UNITEXT_ADDRESS,
		    "j\\x{F6}rg@ex.example" },
		{ "\xe7\x94\xa8\xe6\x88\xb7+a=b c@x", UNITEXT_ADDRESS,
		    "\\x{7528}\\x{6237}\\x{2B}a\\x{3D}b\\x{20}c@x" },
		{ "\xf0\x9f\x93\xa6", "", "\\x{1F4E6}" },
		{ "a\\b\r\n\tc\x7f", "",
		    "a\\x{5C}b\\x{0D}\\x{0A}\\x{09}c\\x{7F}" },
		{ "\\x{41}", "", "\\x{5C}x{41}" },
	};
	char back[128];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct octets in = { (const uint8_t *)rows[i].text,
			strlen(rows[i].text) };
		struct buffer out = { 0 };
		size_t len;

		unitext_put(&out, in, rows[i].also);
		len = buffer_len(&out);
		assert_int_equal(len, strlen(rows[i].escaped));
		if (len > 0)
			assert_memory_equal(
			    buffer_at(&out), rows[i].escaped, len);
		assert_int_equal(
		    unitext_read(rows[i].escaped, len, back), in.len);
		assert_string_equal(back, rows[i].text);
		buffer_free(&out);
	}
}

static void
what_is_not_utf8_is_replaced(void **state)
{
	static const uint8_t in[] = { 'a', 0xff, 0xc3, 'b', 0xed, 0xa0, 0x80, 0,
		0xe2, 0x82 };
	static const char want[] =
	    "a\\x{FFFD}\\x{FFFD}b\\x{FFFD}\\x{FFFD}\\x{FFFD}\\x{00}"
	    "\\x{FFFD}\\x{FFFD}";
	struct buffer out = { 0 };

	(void)state;
	unitext_put(&out, (struct octets){ in, sizeof(in) }, "");
	assert_int_equal(buffer_len(&out), strlen(want));
	assert_memory_equal(buffer_at(&out), want, strlen(want));
	buffer_free(&out);
	assert_false(unitext_is_plain((struct octets){ in, sizeof(in) }));
	assert_true(unitext_is_plain((struct octets){ in, 1 }));
}

static void
what_is_no_escape_stays(void **state)
{
	static const struct {
		const char *text;
		const char *read;
	} rows[] = {
		{ "\\x{4}", "\\x{4}" },
		{ "\\x{41", "\\x{41" },
		{ "\\x{}", "\\x{}" },
		{ "\\x41", "\\x41" },
		{ "\\x{1234567}", "\\x{1234567}" },
		{ "\\", "\\" },
		{ "\\x{41}", "A" },
		{ "\\x{e9}", "\xc3\xa9" },
		{ "\\x{00}", "\xef\xbf\xbd" },
		{ "\\x{D800}", "\xef\xbf\xbd" },
		{ "\\x{110000}", "\xef\xbf\xbd" },
		{ "\\x{10FFFF}", "\xf4\x8f\xbf\xbf" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t len =
		    unitext_read(rows[i].text, strlen(rows[i].text), out);

		assert_string_equal(out, rows[i].read);
		assert_true(len <= strlen(rows[i].text));
	}
	assert_int_equal(unitext_read("a\0b", 3, out), 3);
	assert_string_equal(out, "a?b");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped_and_comes_back),
		cmocka_unit_test(what_is_not_utf8_is_replaced),
		cmocka_unit_test(what_is_no_escape_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
