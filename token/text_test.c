/*
 * Tables for text on its way to people: cleaning, encoded words, tables.
 */
#include "token/text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "token/table.h"
#include "token/words.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
nothing_steers_the_terminal(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *out;
	} rows[] = {
		{ "plain", 5, "plain" },
		{ "a\0b", 3, "a?b" },
		{ "\x1b[31mred\x1b]0;x\x07", 14, "?[31mred?]0;x?" },
		{ "a\tb\r\nc", 6, "a b  c" },
		{ "\x7f\x08", 2, "??" },
		{ "\xc2\x9b"
		  "31m",
		    5, "?31m" },
		{ "\x9b", 1, "?" },
		{ "\xe2\x80\xae"
		  "evil",
		    7, "?evil" },
		{ "Gr\xc3\xbc\xc3\x9f", 6, "Gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80" },
		{ "\xc3", 1, "?" },
		{ "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", 9, "?????????" },
		{ "\xff\xfe", 2, "??" },
	};
	char out[64];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(
		    text_clean(rows[i].in, rows[i].len, out, sizeof(out)),
		    strlen(rows[i].out));
		assert_string_equal(out, rows[i].out);
	}
	assert_int_equal(text_clean("ab\xc3\xbc", 4, out, 4), 2);
	assert_string_equal(out, "ab");
	assert_int_equal(text_clean("ab", 2, out, 1), 0);
}

static void
columns_are_counted_in_characters(void **state)
{
	static const struct {
		const char *text;
		size_t width;
	} rows[] = { { "", 0 }, { "abc", 3 }, { "\xc3\xbc", 1 },
		{ "u\xcc\x88", 1 }, { "\xe6\xbc\xa2\xe5\xad\x97", 4 },
		{ "\xf0\x9f\x98\x80", 2 } };

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(text_width(rows[i].text), rows[i].width);
	assert_int_equal(text_fit("abc", 2), 2);
	assert_int_equal(text_fit("\xe6\xbc\xa2\xe5\xad\x97", 3), 3);
	assert_int_equal(text_fit("\xe6\xbc\xa2", 1), 0);
	assert_int_equal(text_fit("abc", 9), 3);
}

static void
encoded_words_are_decoded(void **state)
{
	static const struct {
		const char *in;
		const char *out;
	} rows[] = {
		{ "plain text", "plain text" },
		{ "=?utf-8?Q?Gr=C3=BC=C3=9Fe_an?= all",
		    "Gr\xc3\xbc\xc3\x9f"
		    "e an all" },
		{ "=?UTF-8?b?R3LDvMOfZQ==?=",
		    "Gr\xc3\xbc\xc3\x9f"
		    "e" },
		{ "=?iso-8859-1?q?=FC?= =?iso-8859-1?q?=DF?=",
		    "\xc3\xbc\xc3\x9f" },
		{ "=?iso-8859-1*de?q?=FC?=", "\xc3\xbc" },
		{ "a =?utf-8?q?b?= c", "a b c" },
		{ "=?nosuch?q?b?=", "=?nosuch?q?b?=" },
		{ "=?utf-8?x?b?=", "=?utf-8?x?b?=" },
		{ "a =?utf-8?q?b_c", "a b c" },
		{ "=?utf-8?q?=C3=BC=C3=B", "\xc3\xbc" },
		{ "=?utf-8?q?=C3=BC=C3", "\xc3\xbc" },
		{ "=?utf-8?q?=C3=BC=", "\xc3\xbc" },
		{ "=?utf-8?b?R3LDvMOfZ", "Gr\xc3\xbc\xc3\x9f" },
		{ "=?utf-8?q?=", "" },
		{ "=?utf-8?q?", "" },
		{ "=?utf-8?q", "=?utf-8?q" },
		{ "=?utf-8?q?=4?=", "=?utf-8?q?=4?=" },
		{ "=?utf-8?q?=FF?=", "=?utf-8?q?=FF?=" },
		{ "=?utf-8?b?!?=", "=?utf-8?b?!?=" },
		{ "=?", "=?" },
		{ "=??q?a?=", "=??q?a?=" },
		{ "", "" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		size_t len;
		char *out = words_decode(rows[i].in, strlen(rows[i].in), &len);

		assert_int_equal(len, strlen(rows[i].out));
		assert_memory_equal(out, rows[i].out, len);
		free(out);
	}
}

static void
tables_are_aligned_and_cut(void **state)
{
	static const struct table_column columns[] = { { "A", 0 }, { "B", 5 },
		{ "C", 0 } };
	static const char *const cells[] = { "one", "\xc3\xbc", "x", "2",
		"longer than five", "\x1b[2Jlast column" };
	struct table *t = table_new(columns, 3);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	for (size_t i = 0; i < LEN(cells); i++)
		table_add(t, cells[i], strlen(cells[i]));
	table_print(t, out, 22);
	fclose(out);
	assert_string_equal(text,
	    "A    B      C\n"
	    "one  \xc3\xbc      x\n"
	    "2    lo...  ?[2Jlas...\n");
	free(text);
	table_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_steers_the_terminal),
		cmocka_unit_test(columns_are_counted_in_characters),
		cmocka_unit_test(encoded_words_are_decoded),
		cmocka_unit_test(tables_are_aligned_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
