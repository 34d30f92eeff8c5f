/*
 * The reader of one log: its format, and what it has to remember from line
 * to line.
 */
#ifndef TRACK_LOG_READER_H
#define TRACK_LOG_READER_H

#include "track/json_log.h"
#include "track/log_clock.h"
#include "track/log_event.h"
#include "track/syslog_line.h"

enum log_format { LOG_FORMAT_POSTFIX, LOG_FORMAT_EXIM, LOG_FORMAT_JSON };

/* Zero but for the format and, if it is not "postfix", the name. */
struct log_reader {
	enum log_format format;
	const char *syslog_name;
	struct log_clock clock; /* now is the caller's to keep */
	struct json_log json;
	uint64_t lines;
	uint64_t ignored; /* lines that say nothing */
};

/* One line without its end. */
enum log_kind
log_reader_line(struct log_reader *, struct octets line, struct log_event *);

/* One entry of the journal. */
enum log_kind log_reader_entry(
    struct log_reader *, const struct syslog_line *, struct log_event *);

void log_reader_free(struct log_reader *);

#endif
