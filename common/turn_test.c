/*
 * The end of a turn: everything is freed there once, also what is handed over
 * while freeing.
 */
#include "common/turn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int freed;

static void
count(void *object)
{
	freed += *(int *)object;
}

static void
count_and_hand_over(void *object)
{
	freed++;
	turn_free_later(count, object);
}

static void
nothing_is_freed_before_the_end(void **state)
{
	int one = 1, ten = 10;

	(void)state;
	freed = 0;
	turn_free_later(count, &one);
	turn_free_later(count, &ten);
	assert_int_equal(freed, 0);
	turn_end();
	assert_int_equal(freed, 11);
	turn_end();
	assert_int_equal(freed, 11);
}

static void
what_is_handed_over_while_freeing_goes_too(void **state)
{
	int hundred = 100;

	(void)state;
	freed = 0;
	turn_free_later(count_and_hand_over, &hundred);
	turn_end();
	assert_int_equal(freed, 101);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_freed_before_the_end),
		cmocka_unit_test(what_is_handed_over_while_freeing_goes_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
