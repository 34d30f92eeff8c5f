/*
 * When refusals leave: on the grid, whatever the keeper's work took.
 */
#include "track/tracker_grid.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
a_refusal_leaves_at_the_first_tick_after_the_floor(void **state)
{
	static const struct {
		uint64_t asked, now, due;
	} cases[] = {
		{ 1000, 1000, 1050 },
		{ 1000, 1029, 1050 },
		{ 1020, 1020, 1050 },
		{ 1021, 1021, 1100 },
		{ 1049, 1060, 1100 },
		{ 0, 0, 50 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(tracker_grid_due(cases[i].asked, cases[i].now),
		    cases[i].due);
}

static void
work_within_the_floor_shows_in_no_time(void **state)
{
	(void)state;
	for (uint64_t asked = 5000; asked < 5100; asked++)
		for (uint64_t took = 0; took < TRACKER_FLOOR_MS; took++)
			assert_int_equal(tracker_grid_due(asked, asked + took),
			    tracker_grid_due(asked, asked));
}

static void
work_that_takes_longer_waits_for_a_later_tick(void **state)
{
	(void)state;
	for (uint64_t took = TRACKER_FLOOR_MS; took < 500; took++) {
		uint64_t due = tracker_grid_due(1000, 1000 + took);

		assert_int_equal(due % TRACKER_GRID_MS, 0);
		assert_true(due > 1000 + took);
		assert_true(due <= 1000 + took + TRACKER_GRID_MS);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_refusal_leaves_at_the_first_tick_after_the_floor),
		cmocka_unit_test(work_within_the_floor_shows_in_no_time),
		cmocka_unit_test(work_that_takes_longer_waits_for_a_later_tick),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
