/*
 * Points in time as people give them: dates, times and ages.
 */
#include "token/since.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/timestamp.h"

static int
read_age(const char *text, int64_t now, uint64_t *ms)
{
	static const char units[] = "mhdw";
	static const int64_t seconds[] = { 60, 3600, 86400, 7 * 86400 };
	const char *unit;
	char *end;
	long n;

	if (text[0] < '0' || text[0] > '9')
		return -1;
	n = strtol(text, &end, 10);
	unit = *end == '\0' ? NULL : strchr(units, *end);
	if (unit == NULL || end[1] != '\0' || n > 1000000)
		return -1;
	now -= n * seconds[unit - units];
	*ms = now < 0 ? 0 : (uint64_t)now * 1000;
	return 0;
}

/* Midnight of that day in the user's own time zone. */
static int
read_date(const char *text, uint64_t *ms)
{
	struct tm tm = { .tm_isdst = -1 };
	char whole[64];
	time_t midnight;
	uint64_t utc;

	if (strlen(text) != strlen("2026-11-22"))
		return -1;
	strcpy(stpcpy(whole, text), "T00:00:00Z");
	if (timestamp_read(whole, strlen(whole), &utc) != 0 ||
	    strptime(text, "%Y-%m-%d", &tm) == NULL)
		return -1;
	midnight = mktime(&tm);
	*ms = midnight < 0 ? 0 : (uint64_t)midnight * 1000;
	return 0;
}

int
since_read(const char *text, int64_t now, uint64_t *ms)
{
	if (read_age(text, now, ms) == 0 || read_date(text, ms) == 0)
		return 0;
	return timestamp_read(text, strlen(text), ms);
}
