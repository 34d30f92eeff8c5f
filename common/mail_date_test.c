/*
 * Tables for common/mail_date (RFC 5322 3.3, 4.3).
 */
#include "common/mail_date.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static void
dates_are_written_with_a_numeric_zone(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ 978380115999, "Mon, 1 Jan 2001 20:15:15 +0000" },
		{ 1795313349123, "Sun, 22 Nov 2026 02:09:09 +0000" },
		{ 253402300799999, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ UINT64_MAX, "Fri, 31 Dec 9999 23:59:59 +0000" },
	};
	char out[MAIL_DATE_SIZE];
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		mail_date_write(rows[i].ms, out);
		assert_string_equal(out, rows[i].text);
		assert_int_equal(mail_date_read(out, strlen(out), &ms), 0);
		if (rows[i].ms != UINT64_MAX)
			assert_int_equal(ms, rows[i].ms / 1000 * 1000);
	}
}

static void
dates_are_read_leniently(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {
		{ "Mon, 1 Jan 2001 15:15:15 -0500", 978380115 },
		{ "Mon,01 Jan 2001 15:15:15 -0500", 978380115 },
		{ "  1 jan 2001\r\n 20:15:15 GMT ", 978380115 },
		{ "1 Jan 01 15:15:15 est", 978380115 },
		{ "1 Jan 101 20:15:15 UT", 978380115 },
		{ "1 Jan 2001 20:15 Z", 978380100 },
		{ "1 Jan 2001 20 : 15 : 15", 978380115 },
		{ "1 Jan 2001 20:15:15 XYZ", 978380115 },
		{ "2 Jan 2001 01:45:15 +0530", 978380115 },
		{ "Wed, 31 Dec 1969 23:59:59 +0000", 0 },
		{ "1 Jan 70 00:00:00 +0000", 0 },
	};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(good); i++) {
		ms = 1;
		assert_int_equal(
		    mail_date_read(good[i].text, strlen(good[i].text), &ms), 0);
		assert_int_equal(ms, good[i].seconds * 1000);
	}
}

static void
what_is_no_date_is_refused(void **state)
{
	static const char *const bad[] = { "", "Mon", "Mon,", "1", "1 Jan",
		"1 Jan 2001", "1 Jan 2001 20", "1 Jan 2001 20:15:15 +05",
		"1 Jan 2001 24:00:00 +0000", "32 Jan 2001 20:15:15 +0000",
		"0 Jan 2001 20:15:15 +0000", "1 Foo 2001 20:15:15 +0000",
		"1 Jan 2001 20:60:15 +0000", "1 Jan 2001 20:15:15 +0075",
		"1 Jan 2001 20:15:15 +0000 x", "2001-01-01T20:15:15Z",
		"1 Jan 2 20:15:15 +0000", "1 Jan 20011 20:15:15 +0000" };
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(
		    mail_date_read(bad[i], strlen(bad[i]), &ms), -1);
	assert_int_equal(mail_date_read("1 Jan 2001 20:15\0:15", 19, &ms), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_written_with_a_numeric_zone),
		cmocka_unit_test(dates_are_read_leniently),
		cmocka_unit_test(what_is_no_date_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
