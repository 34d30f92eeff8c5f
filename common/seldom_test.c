/*
 * Some lines a minute, and how many were withheld.
 */
#include "common/seldom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void
some_lines_a_minute_are_written_and_the_rest_counted(void **state)
{
	struct seldom s = { 0 };
	uint64_t now = 1790000000000, withheld = 99;

	(void)state;
	for (int i = 0; i < SELDOM_LINES; i++) {
		assert_true(seldom_may(&s, now + 1000, &withheld));
		assert_int_equal(withheld, 0);
	}
	for (int i = 0; i < 1000; i++)
		assert_false(seldom_may(&s, now + 59000, &withheld));
	assert_true(seldom_may(&s, now + 61000, &withheld));
	assert_int_equal(withheld, 1000);
	assert_true(seldom_may(&s, now + 61000, &withheld));
	assert_int_equal(withheld, 0);
}

static void
a_clock_that_is_set_back_does_not_silence(void **state)
{
	struct seldom s = { 0 };
	uint64_t withheld;

	(void)state;
	while (seldom_may(&s, 1790000000000, &withheld))
		;
	assert_true(seldom_may(&s, 1600000000000, &withheld));
	assert_int_equal(withheld, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    some_lines_a_minute_are_written_and_the_rest_counted),
		cmocka_unit_test(a_clock_that_is_set_back_does_not_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
