/*
 * Points in time as RFC 5322 3.3 writes them.
 */
#include "common/mail_date.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#define LAST_MS 253402300799999ULL /* 9999-12-31T23:59:59.999Z */

static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };
static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

/* RFC 5322 4.3; any other name is as good as +0000. */
static const struct {
	const char *name;
	int hours;
} zones[] = { { "EST", -5 }, { "EDT", -4 }, { "CST", -6 }, { "CDT", -5 },
	{ "MST", -7 }, { "MDT", -6 }, { "PST", -8 }, { "PDT", -7 } };

struct reader {
	const char *at;
	const char *end;
	bool failed;
};

void
mail_date_write(uint64_t ms, char out[MAIL_DATE_SIZE])
{
	char text[64];
	struct tm tm;
	time_t seconds;

	if (ms > LAST_MS)
		ms = LAST_MS;
	seconds = (time_t)(ms / 1000);
	gmtime_r(&seconds, &tm);
	snprintf(text, sizeof(text), "%s, %d %s %04d %02d:%02d:%02d +0000",
	    days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
	    tm.tm_hour, tm.tm_min, tm.tm_sec);
	memcpy(out, text, MAIL_DATE_SIZE);
	out[MAIL_DATE_SIZE - 1] = '\0';
}

static void
skip_space(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at != '\0')
		r->at++;
}

static bool
skip_octet(struct reader *r, char c)
{
	skip_space(r);
	if (r->at == r->end || *r->at != c)
		return false;
	r->at++;
	return true;
}

static bool
is_digit(const struct reader *r)
{
	return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool
is_letter(const struct reader *r)
{
	return r->at < r->end && (*r->at | 0x20) >= 'a' &&
	    (*r->at | 0x20) <= 'z';
}

/* One to max digits of at most limit; how many there were goes to *digits. */
static int
read_number(struct reader *r, int max, int limit, int *digits)
{
	int n = 0;

	skip_space(r);
	for (*digits = 0; *digits < max && is_digit(r); ++*digits)
		n = n * 10 + (*r->at++ - '0');
	if (*digits == 0 || n > limit)
		r->failed = true;
	return n;
}

static int
read_month(struct reader *r)
{
	skip_space(r);
	for (int i = 0; i < 12 && r->end - r->at >= 3; i++)
		if (strncasecmp(r->at, months[i], 3) == 0) {
			r->at += 3;
			return i;
		}
	r->failed = true;
	return 0;
}

static int
read_year(struct reader *r)
{
	int digits, year = read_number(r, 4, 9999, &digits);

	if (digits == 2)
		return year < 50 ? 2000 + year : 1900 + year;
	if (digits == 3)
		return 1900 + year;
	if (digits < 2)
		r->failed = true;
	return year;
}

static int
read_time(struct reader *r)
{
	int digits, seconds = 3600 * read_number(r, 2, 23, &digits);

	if (!skip_octet(r, ':'))
		r->failed = true;
	seconds += 60 * read_number(r, 2, 59, &digits);
	if (skip_octet(r, ':'))
		seconds += read_number(r, 2, 60, &digits);
	return seconds;
}

/* Seconds east of UTC. */
static int
read_zone(struct reader *r)
{
	int digits, n, sign = 0;
	const char *name;

	if (skip_octet(r, '+'))
		sign = 1;
	else if (skip_octet(r, '-'))
		sign = -1;
	if (sign != 0) {
		n = read_number(r, 4, 9999, &digits);
		if (digits != 4 || n % 100 > 59)
			r->failed = true;
		return sign * (n / 100 * 3600 + n % 100 * 60);
	}
	name = r->at;
	while (is_letter(r))
		r->at++;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++)
		if (r->at - name == 3 &&
		    strncasecmp(name, zones[i].name, 3) == 0)
			return zones[i].hours * 3600;
	return 0;
}

int
mail_date_read(const char *text, size_t len, uint64_t *ms)
{
	struct reader r = { text, text + len, false };
	struct tm tm = { 0 };
	int digits, seconds, offset;
	int64_t total;

	skip_space(&r);
	while (is_letter(&r))
		r.at++;
	skip_octet(&r, ',');
	tm.tm_mday = read_number(&r, 2, 31, &digits);
	tm.tm_mon = read_month(&r);
	tm.tm_year = read_year(&r) - 1900;
	seconds = read_time(&r);
	offset = read_zone(&r);
	skip_space(&r);
	if (r.failed || r.at != r.end || tm.tm_mday == 0)
		return -1;
	total = (int64_t)timegm(&tm) + seconds - offset;
	*ms = total < 0 ? 0 : (uint64_t)total * 1000;
	return 0;
}
