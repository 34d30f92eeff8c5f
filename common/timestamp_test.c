/*
 * Tables for common/timestamp.
 */
#include "common/timestamp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
date_times_are_read(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "1969-12-31T23:59:59Z", 0 },
		{ "2026-11-22T02:09:09Z", 1795313349000 },
		{ "2026-11-22t02:09:09z", 1795313349000 },
		{ "2026-11-22T02:09:09.5Z", 1795313349500 },
		{ "2026-11-22T02:09:09.123456789Z", 1795313349123 },
		{ "2026-11-22T04:09:09+02:00", 1795313349000 },
		{ "2026-11-21T21:39:09-04:30", 1795313349000 },
		{ "2024-02-29T00:00:00Z", 1709164800000 },
		{ "2000-02-29T00:00:00Z", 951782400000 },
		{ "2016-12-31T23:59:60Z", 1483228800000 },
		{ "9999-12-31T23:59:59.999Z", 253402300799999 },
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		ms = 1;
		assert_int_equal(
		    timestamp_read(good[i].text, strlen(good[i].text), &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
}

static void
anything_else_is_refused(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-11-22",
		"2026-11-22T02:09:09", "2026-11-22 02:09:09Z",
		"2026-11-22T02:09Z", "2026-13-22T02:09:09Z",
		"2026-00-22T02:09:09Z", "2026-11-31T02:09:09Z",
		"2026-02-29T02:09:09Z", "2100-02-29T02:09:09Z",
		"2026-11-22T24:09:09Z", "2026-11-22T02:60:09Z",
		"2026-11-22T02:09:61Z", "2026-11-22T02:09:09.Z",
		"2026-11-22T02:09:09+0200", "2026-11-22T02:09:09+24:00",
		"2026-11-22T02:09:09Zz", "2026-11-22T02:09:09Z ",
		"-026-11-22T02:09:09Z", "20a6-11-22T02:09:09Z" };
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(
		    timestamp_read(bad[i], strlen(bad[i]), &ms), -1);
	assert_int_equal(timestamp_read("2026-11-22T02:09:09\0", 20, &ms), -1);
}

static void
what_is_written_is_read_back(void **state)
{
	static const uint64_t times[] = { 0, 999, 1000, 951782400000,
		1795313349123, 253402300799999 };
	char text[TIMESTAMP_SIZE];
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(times); i++) {
		timestamp_write(times[i], text);
		assert_int_equal(strlen(text), TIMESTAMP_SIZE - 1);
		assert_int_equal(timestamp_read(text, strlen(text), &ms), 0);
		assert_int_equal(ms, times[i]);
	}
	timestamp_write(UINT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(date_times_are_read),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
