/*
 * Comments of waybill.conf: what is one, and that no line moves.
 */
#include "conf/conf_comments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void
comments_become_blanks_and_lines_stay(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "# a\nb = 1\n", "   \nb = 1\n" },
		{ "#\r\nb = 1", " \r\nb = 1" },
		{ "a = 1 // b # c\n", "a = 1         \n" },
		{ "a = b#c\n", "a = b  \n" },
		{ "a = b//c\n", "a = b//c\n" },
		{ "a = {//b\n}", "a = {   \n}" },
		{ "a /* b\n # c\n */ = 1", "a     \n    \n    = 1" },
		{ "a /* b", "a /* b" },
		{ "/**/a/b = /", "    a/b = /" },
		{ "a = \"#b\" # c", "a = \"#b\"    " },
		{ "a = \"b\\\"#c\"#", "a = \"b\\\"#c\" " },
		{ "a = '//b\\'#' //", "a = '//b\\'#'   " },
		{ "a = \"b\n#c\nd", "a = \"b\n#c\nd" },
		{ "a = \"b\\", "a = \"b\\" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char *text = strdup(cases[i].in);

		assert_non_null(text);
		conf_blank_comments(text);
		assert_string_equal(text, cases[i].out);
		free(text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comments_become_blanks_and_lines_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
