/*
 * The head of a line of syslog: RFC 3164 with or without a priority, the
 * same with a time of RFC 3339, and RFC 5424.
 */
#ifndef TRACK_SYSLOG_LINE_H
#define TRACK_SYSLOG_LINE_H

#include <stdint.h>

#include "common/wire.h"
#include "track/log_clock.h"

struct syslog_line {
	uint64_t time; /* ms since 1970 */
	struct octets host;
	struct octets program; /* the tag, without its pid */
	uint32_t pid;	       /* 0: none given */
	struct octets text;
};

/*
 * Read a line without its end. Returns 0, or -1 for what is no such line or
 * holds NUL. Whoever may write to the log may write any program's name.
 */
int syslog_line_read(struct log_clock *, struct octets at,
    struct syslog_line *line) __attribute__((warn_unused_result));

/* "YYYY-MM-DD", then sep, "HH:MM:SS" and any fraction: stepped over. */
bool syslog_line_date(struct octets *at, char sep, struct log_time *);

#endif
