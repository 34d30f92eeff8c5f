/*
 * Tables as terminals of many widths show them, and as pipes get them.
 */
#include "token/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "token/text.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

enum { COLUMNS = 4 };

#define ADDRESS "j\xc3\xbcrgen@d"
#define SERVER	"mx.d.e"
#define REASON	"550 5.1.1 no such user here, see the manual page"

#define HEADS  "WHO       CODE   SERVER"
#define FIRST  ADDRESS "  5.1.1  " SERVER
#define SECOND "b@c       2.0.0"

static const struct table_column columns[COLUMNS] = { { "WHO", 0 },
	{ "CODE", 0 }, { "SERVER", 0 }, { "SAID", TABLE_WHOLE } };

/* What table_print() makes of whole rows of four; to be freed. */
static char *
printed(const char *const *cells, size_t count, size_t terminal)
{
	struct table *t = table_new(columns, COLUMNS);
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < count; i++)
		table_add(t, cells[i], strlen(cells[i]));
	table_print(t, out, terminal);
	fclose(out);
	table_free(t);
	return text;
}

static void
what_does_not_fit_stands_below(void **state)
{
	static const char *const cells[] = { ADDRESS, "5.1.1", SERVER, REASON,
		"b@c", "2.0.0", "", "" };
	static const struct {
		size_t terminal;
		const char *out;
	} rows[] = {
		{ 0,
		    HEADS "  SAID\n" FIRST "  " REASON "\n" SECOND
			  "          \n" },
		{ 74, HEADS "  SAID\n" FIRST "  " REASON "\n" SECOND "\n" },
		{ 55,
		    HEADS
		    "  SAID\n" FIRST "  550 5.1.1 no such user here,\n"
		    "                         see the manual page\n" SECOND
		    "\n" },
		{ 54,
		    HEADS "\n    SAID\n" FIRST "\n    " REASON "\n" SECOND
			  "\n" },
		{ 22,
		    "WHO       CODE\n    SERVER\n    SAID\n" ADDRESS "  5.1.1\n"
		    "    " SERVER "\n    550 5.1.1 no such\n"
		    "    user here, see the\n    manual page\n" SECOND "\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		char *text = printed(cells, LEN(cells), rows[i].terminal);

		assert_string_equal(text, rows[i].out);
		free(text);
	}
}

static void
empty_columns_are_left_out_of_terminals_only(void **state)
{
	static const char *const cells[] = { "a@d", "", "", "250 Ok", "b@d", "",
		"mx", "" };
	char *text = printed(cells, 4, 80);

	(void)state;
	assert_string_equal(text, "WHO  SAID\na@d  250 Ok\n");
	free(text);
	text = printed(cells, 8, 80);
	assert_string_equal(text,
	    "WHO  SERVER  SAID\n"
	    "a@d          250 Ok\n"
	    "b@d  mx\n");
	free(text);
	text = printed(cells, 4, 0);
	assert_string_equal(text,
	    "WHO  CODE  SERVER  SAID\n"
	    "a@d                250 Ok\n");
	free(text);
	text = printed(cells, 0, 80);
	assert_string_equal(text, "WHO  CODE  SERVER  SAID\n");
	free(text);
}

static void
no_line_is_wider_than_the_terminal(void **state)
{
	static const char *const cells[] = { ADDRESS, "5.1.1", SERVER,
		REASON " https://example.net/a/word/without/any/space/at/all "
		       "\xe6\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97\xe6"
		       "\xbc\xa2\xe5\xad\x97\xe6\xbc\xa2\xe5\xad\x97" };

	(void)state;
	for (size_t terminal = 14; terminal < 220; terminal++) {
		char *text = printed(cells, LEN(cells), terminal);

		for (char *line = strtok(text, "\n"); line != NULL;
		     line = strtok(NULL, "\n"))
			assert_true(text_width(line) <= terminal);
		free(text);
	}
	for (size_t terminal = 1; terminal < 14; terminal++)
		free(printed(cells, LEN(cells), terminal));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_stands_below),
		cmocka_unit_test(empty_columns_are_left_out_of_terminals_only),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
