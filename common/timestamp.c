/*
 * Points in time as text: RFC 3339, UTC when written.
 */
#include "common/timestamp.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LAST_MS 253402300799999ULL /* 9999-12-31T23:59:59.999Z */

struct reader {
	const char *at;
	const char *end;
	bool failed;
};

void
timestamp_write(uint64_t ms, char out[TIMESTAMP_SIZE])
{
	char text[64];
	struct tm tm;
	time_t seconds;

	if (ms > LAST_MS)
		ms = LAST_MS;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ",
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (unsigned)(ms % 1000));
	memcpy(out, text, TIMESTAMP_SIZE);
	out[TIMESTAMP_SIZE - 1] = '\0';
}

static int
read_number(struct reader *r, size_t digits, int low, int high)
{
	int n = 0;

	for (size_t i = 0; i < digits; i++, r->at++) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9') {
			r->failed = true;
			return low;
		}
		n = n * 10 + (*r->at - '0');
	}
	if (n < low || n > high)
		r->failed = true;
	return n;
}

static char
read_one_of(struct reader *r, const char *set)
{
	if (r->at == r->end || strchr(set, *r->at) == NULL || *r->at == '\0') {
		r->failed = true;
		return '\0';
	}
	return *r->at++;
}

static int
read_fraction(struct reader *r)
{
	int ms = 0, scale = 100;
	const char *first;

	if (r->at == r->end || *r->at != '.')
		return 0;
	first = ++r->at;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		ms += (*r->at - '0') * scale;
		scale /= 10;
	}
	if (r->at == first)
		r->failed = true;
	return ms;
}

/* Minutes east of UTC. */
static int
read_offset(struct reader *r)
{
	char sign = read_one_of(r, "Zz+-");
	int minutes;

	if (sign != '+' && sign != '-')
		return 0;
	minutes = 60 * read_number(r, 2, 0, 23);
	read_one_of(r, ":");
	minutes += read_number(r, 2, 0, 59);
	return sign == '-' ? -minutes : minutes;
}

static int
days_in_month(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30,
		31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return month == 2 && leap ? 29 : days[month - 1];
}

int
timestamp_read(const char *text, size_t len, uint64_t *ms)
{
	struct reader r = { text, text + len, false };
	struct tm tm = { 0 };
	int year, fraction;
	int64_t seconds;

	year = read_number(&r, 4, 0, 9999);
	tm.tm_year = year - 1900;
	read_one_of(&r, "-");
	tm.tm_mon = read_number(&r, 2, 1, 12) - 1;
	read_one_of(&r, "-");
	tm.tm_mday = read_number(&r, 2, 1, 31);
	read_one_of(&r, "Tt");
	tm.tm_hour = read_number(&r, 2, 0, 23);
	read_one_of(&r, ":");
	tm.tm_min = read_number(&r, 2, 0, 59);
	read_one_of(&r, ":");
	tm.tm_sec = read_number(&r, 2, 0, 60);
	fraction = read_fraction(&r);
	seconds = -60 * (int64_t)read_offset(&r);
	if (r.failed || r.at != r.end ||
	    tm.tm_mday > days_in_month(year, tm.tm_mon + 1))
		return -1;
	seconds += timegm(&tm);
	*ms = seconds < 0 ? 0 : (uint64_t)seconds * 1000 + (uint64_t)fraction;
	return 0;
}
