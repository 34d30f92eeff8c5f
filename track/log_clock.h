/*
 * The times of a log: local ones, and ones that do not say their year
 * (RFC 3164 4.1.2).
 */
#ifndef TRACK_LOG_CLOCK_H
#define TRACK_LOG_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Zero is a clock that has read nothing; now is 0 or ms since 1970. */
struct log_clock {
	uint64_t now;  /* the newest that a time may be, but for a day */
	uint64_t last; /* the time read before, 0: none */
	int year;      /* what base is for: one hour */
	int month;
	int day;
	int hour;
	uint64_t base; /* ms since 1970 */
};

/* A time as it stands in a log; a year of 0 is not known. */
struct log_time {
	int year;
	int month; /* 1 to 12 */
	int day;
	int hour;
	int minute;
	int second;
	int ms;
	bool has_offset;
	int offset; /* minutes east of UTC, if it has one */
};

/*
 * The time in ms since 1970: of the machine's own time zone where it has no
 * offset, and of the year that brings it next to the time read before (to
 * now, if there was none, or where it leaps to now from months away), but not
 * past now and a day. Times may go back.
 * Returns 0, or -1 where there is no such date.
 */
int log_clock_read(struct log_clock *, const struct log_time *, uint64_t *ms)
    __attribute__((warn_unused_result));

#endif
