/*
 * The times of a log: local ones, and ones that do not say their year
 * (RFC 3164 4.1.2).
 */
#include "track/log_clock.h"

#include <stddef.h>
#include <time.h>

#define DAY_MS	86400000ULL
#define LEAP_MS (30 * DAY_MS) /* from a line to the next */

enum { YEARS_BACK = 8 /* to the last leap year, whatever the century */ };

static bool
is_leap(int year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static bool
is_date(int year, int month, int day)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };

	return month >= 1 && month <= 12 && day >= 1 &&
	    day <= days[month - 1] + (month == 2 && is_leap(year));
}

static bool
is_time(const struct log_time *t)
{
	return t->hour >= 0 && t->hour <= 23 && t->minute >= 0 &&
	    t->minute <= 59 && t->second >= 0 && t->second <= 60 &&
	    t->ms >= 0 && t->ms <= 999;
}

static uint64_t
hour_base(int year, const struct log_time *t)
{
	struct tm tm = { .tm_year = year - 1900,
		.tm_mon = t->month - 1,
		.tm_mday = t->day,
		.tm_hour = t->hour,
		.tm_isdst = -1 };
	time_t seconds = t->has_offset ? timegm(&tm) : mktime(&tm);

	if (t->has_offset)
		seconds -= 60 * (time_t)t->offset;
	return seconds < 0 ? 0 : (uint64_t)seconds * 1000;
}

static uint64_t
in_year(int year, const struct log_time *t)
{
	return hour_base(year, t) + (uint64_t)t->minute * 60000 +
	    (uint64_t)t->second * 1000 + (uint64_t)t->ms;
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The year that brings it next to near; away is how far that is. */
static int
year_next_to(const struct log_clock *clock, const struct log_time *t,
    uint64_t near, uint64_t *away)
{
	time_t seconds = (time_t)(near / 1000);
	struct tm tm;
	int chosen = 0, year;

	localtime_r(&seconds, &tm);
	year = tm.tm_year + 1900;
	*away = UINT64_MAX;
	for (int y = year + 1; y >= year - YEARS_BACK; y--) {
		uint64_t ms;

		if (!is_date(y, t->month, t->day))
			continue;
		ms = in_year(y, t);
		if (clock->now > 0 && ms > clock->now + DAY_MS)
			continue;
		if (distance(ms, near) < *away) {
			*away = distance(ms, near);
			chosen = y;
		}
	}
	return chosen;
}

/*
 * A machine without a clock of its own starts months behind, writes some
 * lines, and then is told the time: such a leap to now is that.
 */
static int
guess_year(const struct log_clock *clock, const struct log_time *t)
{
	uint64_t from_last = UINT64_MAX, from_now = UINT64_MAX;
	int by_last = 0, by_now = 0;

	if (clock->last > 0)
		by_last = year_next_to(clock, t, clock->last, &from_last);
	if (clock->last == 0 || (from_last > LEAP_MS && clock->now > 0))
		by_now = year_next_to(clock, t, clock->now, &from_now);
	return clock->last == 0 || from_now <= DAY_MS ? by_now : by_last;
}

/* Most lines are of the hour of the line before: mktime() is dear. */
static bool
is_same_hour(const struct log_clock *clock, const struct log_time *t)
{
	return clock->base > 0 && t->month == clock->month &&
	    t->day == clock->day && t->hour == clock->hour && !t->has_offset &&
	    (t->year == 0 || t->year == clock->year);
}

int
log_clock_read(struct log_clock *clock, const struct log_time *t, uint64_t *ms)
{
	int year = t->year;

	if (!is_time(t))
		return -1;
	if (is_same_hour(clock, t)) {
		*ms = clock->base + (uint64_t)t->minute * 60000 +
		    (uint64_t)t->second * 1000 + (uint64_t)t->ms;
		clock->last = *ms;
		return 0;
	}
	if (year == 0)
		year = guess_year(clock, t);
	if (!is_date(year, t->month, t->day) || year < 1970 || year > 9999)
		return -1;
	*ms = in_year(year, t);
	clock->last = *ms;
	if (t->has_offset)
		return 0;
	clock->year = year;
	clock->month = t->month;
	clock->day = t->day;
	clock->hour = t->hour;
	clock->base = hour_base(year, t);
	return 0;
}
