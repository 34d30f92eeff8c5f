/*
 * Log lines: who and what first, then key=value (or one JSON object a line).
 * Text that came from a peer is escaped and cut. A line leaves whole.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

enum log_level { LOG_IS_ERROR, LOG_IS_WARNING, LOG_IS_INFO, LOG_IS_DEBUG };

struct conf_log;

/*
 * Until called: text to standard error from level info on. program is the
 * process's name, which stands in each line. fd is an open log file or -1.
 */
void log_start(const char *program, const struct conf_log *, int fd);

/*
 * One line, built field by field:
 *
 *	struct log_line l;
 *	log_begin(&l, LOG_IS_INFO, "login");
 *	log_session(&l, session);
 *	log_text(&l, "user", user);
 *	log_end(&l);
 *
 * gives: time program[pid]: session=00c0ffee00c0ffee event=login user=a
 * A value with anything but printable ASCII, a space, '"', '\\' or '=' in it is
 * quoted, with \xHH for what is not printable; long ones are cut at 256. A line
 * that nobody takes within 20 ms is lost; the next one says how many (lost=).
 */
struct log_line {
	enum log_level level;
	const char *event; /* until it is written */
	size_t len;
	char text[3968]; /* with what stands before it: PIPE_BUF */
};

void log_begin(struct log_line *, enum log_level, const char *event);
void log_session(struct log_line *, uint64_t session);
void log_text(struct log_line *, const char *key, const char *value);
void log_octets(struct log_line *, const char *key, struct octets value);
void log_number(struct log_line *, const char *key, int64_t value);
void log_end(struct log_line *);

/*
 * From now on lines wait for log_flush(), at the end of a turn, and are
 * written together; but for errors, which take along what waits.
 */
void log_gather(void);
void log_flush(void);

/* A line of one message text: event, and what printf makes as msg=. */
void log_error(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_warning(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_info(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_debug(const char *event, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Our own bug or exhaustion: log and exit 1; waybilld starts us again. */
void
fatal(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
