/*
 * Tables for track/log_clock: years that are not said, and local times.
 */
#include "track/log_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/timestamp.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t
ms_of(const char *text)
{
	uint64_t ms = 0;

	assert_int_equal(timestamp_read(text, strlen(text), &ms), 0);
	return ms;
}

static void
assert_read(struct log_clock *clock, struct log_time t, const char *want)
{
	char got[TIMESTAMP_SIZE];
	uint64_t ms;

	if (want == NULL) {
		assert_int_equal(log_clock_read(clock, &t, &ms), -1);
		return;
	}
	assert_int_equal(log_clock_read(clock, &t, &ms), 0);
	timestamp_write(ms, got);
	assert_string_equal(got, want);
}

static void
the_year_is_the_one_next_to_now_or_to_the_line_before(void **state)
{
	static const struct {
		const char *now;
		const char *last;
		struct log_time t;
		const char *want;
	} cases[] = {
		{ "2026-11-22T00:00:00Z", NULL,
		    { .month = 11, .day = 21, .hour = 23 },
		    "2026-11-21T23:00:00.000Z" },
		/* A clock that is a little ahead of ours. */
		{ "2026-11-22T00:00:00Z", NULL,
		    { .month = 11, .day = 22, .hour = 23 },
		    "2026-11-22T23:00:00.000Z" },
		/* Not in the future: last year's. */
		{ "2026-11-22T00:00:00Z", NULL,
		    { .month = 12, .day = 24, .hour = 1 },
		    "2025-12-24T01:00:00.000Z" },
		{ "2026-01-01T00:00:05Z", NULL,
		    { .month = 12, .day = 31, .hour = 23, .minute = 59 },
		    "2025-12-31T23:59:00.000Z" },
		/* Over the end of a year, and back again. */
		{ "2026-11-22T00:00:00Z", "2024-12-31T23:59:59Z",
		    { .month = 1, .day = 1, .ms = 5 },
		    "2025-01-01T00:00:00.005Z" },
		{ "2026-11-22T00:00:00Z", "2025-01-01T00:00:01Z",
		    { .month = 12, .day = 31, .hour = 23 },
		    "2024-12-31T23:00:00.000Z" },
		/* A clock that was set right after some lines of April. */
		{ "2026-11-22T00:00:00Z", "2026-04-10T00:00:00Z",
		    { .month = 11, .day = 21, .hour = 23 },
		    "2026-11-21T23:00:00.000Z" },
		{ "2026-11-22T00:00:00Z", "2026-11-21T23:00:00Z",
		    { .month = 4, .day = 10 }, "2026-04-10T00:00:00.000Z" },
		/* An old log does not leap. */
		{ "2026-11-22T00:00:00Z", "2024-11-20T00:00:00Z",
		    { .month = 11, .day = 21 }, "2024-11-21T00:00:00.000Z" },
		/* Only a leap year has it. */
		{ "2026-11-22T00:00:00Z", NULL, { .month = 2, .day = 29 },
		    "2024-02-29T00:00:00.000Z" },
		{ "2026-11-22T00:00:00Z", NULL,
		    { .year = 2023, .month = 2, .day = 29 }, NULL },
		{ "2026-11-22T00:00:00Z", NULL, { .month = 2, .day = 30 },
		    NULL },
		{ "2026-11-22T00:00:00Z", NULL, { .month = 13, .day = 1 },
		    NULL },
		{ "2026-11-22T00:00:00Z", NULL,
		    { .month = 1, .day = 1, .hour = 24 }, NULL },
		{ "2026-11-22T00:00:00Z", NULL,
		    { .month = 1, .day = 1, .second = 61 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		struct log_clock clock = { .now = ms_of(cases[i].now) };

		if (cases[i].last != NULL)
			clock.last = ms_of(cases[i].last);
		assert_read(&clock, cases[i].t, cases[i].want);
	}
}

static void
the_hour_before_makes_no_difference(void **state)
{
	struct log_clock clock = { .now = ms_of("2026-11-22T00:00:00Z") };
	struct log_time t = { .month = 11, .day = 20, .hour = 5 };

	(void)state;
	assert_read(&clock, t, "2026-11-20T05:00:00.000Z");
	t.minute = 59;
	assert_read(&clock, t, "2026-11-20T05:59:00.000Z");
	t.minute = 1;
	assert_read(&clock, t, "2026-11-20T05:01:00.000Z");
	t.year = 2020;
	assert_read(&clock, t, "2020-11-20T05:01:00.000Z");
	t.has_offset = true;
	t.offset = -270;
	assert_read(&clock, t, "2020-11-20T09:31:00.000Z");
	t.second = 61;
	assert_read(&clock, t, NULL);
}

static void
times_without_a_zone_are_the_machines(void **state)
{
	struct log_clock clock = { .now = ms_of("2026-11-22T00:00:00Z") };
	struct log_time t = { .month = 7, .day = 1, .hour = 12 };

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	assert_read(&clock, t, "2026-07-01T10:00:00.000Z");
	t.month = 1;
	assert_read(&clock, t, "2026-01-01T11:00:00.000Z");
	setenv("TZ", "UTC", 1);
	tzset();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_year_is_the_one_next_to_now_or_to_the_line_before),
		cmocka_unit_test(the_hour_before_makes_no_difference),
		cmocka_unit_test(times_without_a_zone_are_the_machines),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
