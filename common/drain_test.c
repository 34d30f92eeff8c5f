/*
 * Leaving: sessions that end by themselves, sessions that are ended, and what
 * else holds a process.
 */
#include "common/drain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/clock.h"

static struct {
	size_t sessions;
	size_t leave_each_tick; /* by themselves */
	unsigned ticks;
	unsigned late_ticks;
	uint64_t late;	  /* the longest that was told */
	uint64_t held_ms; /* something else is done so long after the time */
} process;

static size_t
sessions(void)
{
	return process.sessions;
}

static void
tick(bool late)
{
	process.ticks++;
	process.late_ticks += late;
	if (late)
		process.sessions = 0;
	else if (process.leave_each_tick <= process.sessions)
		process.sessions -= process.leave_each_tick;
}

static bool
holds(uint64_t late)
{
	process.late = late;
	return late < process.held_ms;
}

/* Leave within ms, and again within again where that is shorter. */
static uint64_t
leave(uint64_t ms, uint64_t again)
{
	static const struct drain_owner owner = { sessions, tick, holds };
	struct event_base *base = event_base_new();
	uint64_t began = clock_ms();

	assert_non_null(base);
	drain_open(base, &owner);
	assert_false(drain_is_over());
	drain_begin(ms);
	if (again < ms)
		drain_begin(again);
	while (!drain_is_over())
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	drain_close();
	event_base_free(base);
	return clock_ms() - began;
}

static void
it_waits_for_sessions_to_end(void **state)
{
	uint64_t took;

	(void)state;
	memset(&process, 0, sizeof(process));
	process.sessions = 3;
	process.leave_each_tick = 1;
	took = leave(60000, 60000);
	assert_int_equal(process.ticks, 3);
	assert_int_equal(process.late_ticks, 0);
	assert_int_equal(process.late, 0);
	assert_true(took < 10000);
}

static void
it_ends_them_when_their_time_is_over(void **state)
{
	uint64_t took;

	(void)state;
	memset(&process, 0, sizeof(process));
	process.sessions = 3;
	took = leave(200, 200);
	assert_int_equal(process.late_ticks, 1);
	assert_true(took >= 200 && took < 10000);
}

static void
a_second_order_may_be_more_impatient(void **state)
{
	(void)state;
	memset(&process, 0, sizeof(process));
	process.sessions = 3;
	assert_true(leave(UINT64_MAX, 0) < 10000);
	assert_int_equal(process.late_ticks, 1);
}

static void
what_else_is_to_be_done_holds_it(void **state)
{
	uint64_t took;

	(void)state;
	memset(&process, 0, sizeof(process));
	process.held_ms = 150;
	took = leave(100, 100);
	assert_true(process.late >= 150);
	assert_true(took >= 250 && took < 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_for_sessions_to_end),
		cmocka_unit_test(it_ends_them_when_their_time_is_over),
		cmocka_unit_test(a_second_order_may_be_more_impatient),
		cmocka_unit_test(what_else_is_to_be_done_holds_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
