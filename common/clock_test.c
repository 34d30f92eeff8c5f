/*
 * Both clocks stand still within a turn for whoever asks for that, and for
 * nobody else.
 */
#include "common/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

static void
it_goes_on_where_there_are_no_turns(void **state)
{
	uint64_t before = clock_ms();

	(void)state;
	usleep(5000);
	assert_true(clock_ms() >= before + 5);
}

static void
it_stands_still_within_a_turn(void **state)
{
	uint64_t start = clock_ms(), start_wall = clock_wall_ms();
	uint64_t before, wall;

	(void)state;
	clock_new_turn();
	usleep(5000);
	before = clock_ms(); /* the time when it is first asked */
	wall = clock_wall_ms();
	assert_true(before >= start + 5);
	assert_true(wall != start_wall);
	usleep(5000);
	assert_true(clock_ms() == before);
	assert_true(clock_wall_ms() == wall);
	clock_new_turn();
	assert_true(clock_ms() >= before + 5);
	assert_true(clock_wall_ms() != wall);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_goes_on_where_there_are_no_turns),
		cmocka_unit_test(it_stands_still_within_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
