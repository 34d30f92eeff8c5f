/*
 * Log lines: fields gathered in a buffer, then one write; where a process
 * wants it, one for all lines of a turn. What a peer sent is escaped here and
 * nowhere else. A line that cannot be written is dropped and counted: logging
 * never stops a process.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "common/word.h"
#include "conf/conf.h"

enum {
	LOG_VALUE_MAX = 256, /* octets of a value; the rest is cut */
	LOG_HEAD = 128,	     /* time, program and pid */
	LOG_TAIL = 64,	     /* level, lines lost, and what ends a line */
	LOG_WAIT_MS = 20     /* for a reader that is behind, but not stuck */
};

/* A line within PIPE_BUF is never mixed with another process's. */
_Static_assert(sizeof(((struct log_line *)0)->text) + LOG_HEAD <= PIPE_BUF,
    "a log line is one atomic write");

static const char *const level_names[] = { "error", "warning", "info",
	"debug" };
static const int syslog_levels[] = { LOG_ERR, LOG_WARNING, LOG_INFO,
	LOG_DEBUG };
static const char hex[] = "0123456789abcdef";

static struct {
	char program[33];
	int fd;
	int reopened; /* fd where it is our own, else -1 */
	bool socket;
	bool blocks; /* a pipe that could not be opened again */
	bool syslog;
	bool json;
	enum log_level level;
	pid_t pid;     /* whoever forks calls log_start() again, or execs */
	uint64_t lost; /* lines, since the last that was written */
} logger = { "waybill", STDERR_FILENO, -1, false, false, false, false,
	LOG_IS_INFO, 0, 0 };

/* The head of all lines of a second, but for its milliseconds. */
static struct {
	time_t second; /* -1: not made yet */
	size_t ms;     /* where they stand */
	size_t len;
	char text[LOG_HEAD];
} head = { .second = -1 };

/* Lines that wait for the end of the turn; no more than one atomic write. */
static struct {
	bool on;
	size_t len;
	uint64_t lines;
	char text[PIPE_BUF];
} gathered;

/*
 * A pipe may be shared with processes that want it to block, so ours is
 * opened again rather than made non-blocking for all of them. Whoever has
 * given up root may not open root's.
 */
static int
open_again(int fd)
{
	char path[40];
	struct stat st;
	int again;

	if (fstat(fd, &st) == -1)
		return fd;
	logger.socket = S_ISSOCK(st.st_mode);
	if (!S_ISFIFO(st.st_mode))
		return fd;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	logger.blocks = again == -1;
	return again == -1 ? fd : again;
}

void
log_start(const char *program, const struct conf_log *conf, int fd)
{
	log_flush();
	/* A reader of the log that leaves must not take us along. */
	signal(SIGPIPE, SIG_IGN);
	head.second = -1;
	snprintf(logger.program, sizeof(logger.program), "%s", program);
	logger.pid = getpid();
	if (logger.fd > STDERR_FILENO && logger.fd == logger.reopened)
		close(logger.fd);
	logger.syslog = logger.socket = logger.blocks = false;
	if (conf != NULL) {
		logger.json = conf->format == CONF_LOG_JSON;
		logger.level = (enum log_level)conf->level;
		logger.syslog = conf->target == CONF_LOG_SYSLOG;
	}
	if (logger.syslog)
		openlog(logger.program, LOG_PID | LOG_NDELAY, LOG_MAIL);
	if (conf == NULL || conf->target != CONF_LOG_FILE || fd < 0)
		fd = STDERR_FILENO;
	logger.fd = open_again(fd);
	logger.reopened = logger.fd != fd ? logger.fd : -1;
}

/* Room is kept for the quote, brace and newline that end the line. */
static size_t
room_of(const struct log_line *line)
{
	size_t limit = sizeof(line->text) - LOG_TAIL;

	/* The quote behind a value that was cut stands in the tail. */
	return line->len < limit ? limit - line->len : 0;
}

static void
add(struct log_line *line, const char *text, size_t len)
{
	if (len > room_of(line))
		len = room_of(line);
	memcpy(line->text + line->len, text, len);
	line->len += len;
}

/* What ends a line; the tail has room for all of it. */
static void
add_tail(struct log_line *line, const char *text)
{
	size_t len = strlen(text);

	if (len <= sizeof(line->text) - line->len) {
		memcpy(line->text + line->len, text, len);
		line->len += len;
	}
}

/* Printable, and neither space nor '"', '=' or '\\'. */
static const bool is_plain[256] = { ['!'] = true,
	['#' ... '<'] = true,
	['>' ... '['] = true,
	[']' ... '~'] = true };

/* Stands within quotes as it is. */
static const bool is_shown[256] = {
	[' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... '~'] = true
};

static bool
has_room(const struct log_line *line, size_t len)
{
	return len <= room_of(line);
}

/* JSON has no \xHH; octets that are not ASCII stand there as Latin-1. */
static void
add_escaped(struct log_line *line, uint8_t c)
{
	char escape[8];
	size_t len = 0;

	if (c == '"' || c == '\\') {
		escape[len++] = '\\';
		escape[len++] = (char)c;
	} else {
		memcpy(
		    escape, logger.json ? "\\u00" : "\\x", logger.json ? 4 : 2);
		len = logger.json ? 4 : 2;
		escape[len++] = hex[c >> 4];
		escape[len++] = hex[c & 15];
	}
	/* Half an escape would make the line unreadable. */
	if (has_room(line, len))
		add(line, escape, len);
}

/* Left out where name, quotes and `least` octets of the value do not fit. */
static bool
add_key(struct log_line *line, const char *key, size_t least)
{
	size_t len = strlen(key);
	char *to = line->text + line->len;

	if (line->level > logger.level || !has_room(line, len + 8 + least))
		return false;
	if (line->len > 0)
		*to++ = logger.json ? ',' : ' ';
	if (logger.json)
		*to++ = '"';
	memcpy(to, key, len);
	to += len;
	if (logger.json)
		*to++ = '"';
	*to++ = logger.json ? ':' : '=';
	line->len = (size_t)(to - line->text);
	return true;
}

static bool
word_is_plain(uint64_t w)
{
	return word_is_ascii(w) && !word_below(w, '!') && !word_has(w, 0x7f) &&
	    !word_has(w, '"') && !word_has(w, '=') && !word_has(w, '\\');
}

static size_t
run_of(const bool table[256], const uint8_t *at, size_t len)
{
	size_t n = 0;

	while (n < len && table[at[n]])
		n++;
	return n;
}

/* Most values are: eight octets are looked at together, the last ones again. */
static bool
are_plain(const uint8_t *at, size_t len)
{
	if (len < WORD_LEN)
		return run_of(is_plain, at, len) == len;
	for (size_t n = 0; n < len - WORD_LEN; n += WORD_LEN)
		if (!word_is_plain(word_at(at + n)))
			return false;
	return word_is_plain(word_at(at + len - WORD_LEN));
}

static void
add_value(struct log_line *line, struct octets value)
{
	size_t len = value.len < LOG_VALUE_MAX ? value.len : LOG_VALUE_MAX;
	size_t at = 0, n;

	if (!logger.json && len > 0 && are_plain(value.data, len)) {
		add(line, (const char *)value.data, len);
		return;
	}
	add(line, "\"", 1);
	while (at < len) {
		n = run_of(is_shown, value.data + at, len - at);
		add(line, (const char *)value.data + at, n);
		at += n;
		if (at < len)
			add_escaped(line, value.data[at++]);
	}
	/* Unconditional: the tail has room for it. */
	line->text[line->len++] = '"';
}

static void
add_text(struct log_line *line, const char *key, const char *value)
{
	if (add_key(line, key, 0))
		add_value(line,
		    (struct octets){ (const uint8_t *)value, strlen(value) });
}

/* The event stands behind the session, which comes after log_begin(). */
static void
add_event(struct log_line *line)
{
	const char *event = line->event;

	line->event = NULL;
	if (event != NULL)
		add_text(line, "event", event);
}

void
log_begin(struct log_line *line, enum log_level level, const char *event)
{
	line->level = level;
	line->event = event;
	line->len = 0;
}

void
log_session(struct log_line *line, uint64_t session)
{
	char text[16];

	for (size_t i = sizeof(text); i-- > 0; session >>= 4)
		text[i] = hex[session & 15];
	if (add_key(line, "session", 0))
		add_value(line,
		    (struct octets){ (const uint8_t *)text, sizeof(text) });
}

void
log_octets(struct log_line *line, const char *key, struct octets value)
{
	add_event(line);
	if (add_key(line, key, 0))
		add_value(line, value);
}

void
log_text(struct log_line *line, const char *key, const char *value)
{
	add_event(line);
	add_text(line, key, value != NULL ? value : "");
}

void
log_number(struct log_line *line, const char *key, int64_t value)
{
	char text[24];
	size_t at = sizeof(text);
	uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

	add_event(line);
	do
		text[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	if (value < 0)
		text[--at] = '-';
	/* Half a number would be another one. */
	if (add_key(line, key, sizeof(text) - at))
		add(line, text + at, sizeof(text) - at);
}

static void
make_second(time_t second)
{
	struct tm tm;
	int n;

	gmtime_r(&second, &tm);
	if (logger.pid == 0)
		logger.pid = getpid();
	head.second = second;
	head.ms = strftime(head.text, sizeof(head.text),
	    logger.json ? "{\"time\":\"%Y-%m-%dT%H:%M:%S."
			: "%Y-%m-%dT%H:%M:%S.",
	    &tm);
	n = snprintf(head.text + head.ms, sizeof(head.text) - head.ms,
	    logger.json ? "000Z\",\"program\":\"%s\",\"pid\":%ld,\"level\":\""
			: "000Z %s[%ld]: ",
	    logger.program, (long)logger.pid);
	head.len = head.ms + (size_t)n;
}

/* Time, program and pid, in the form of the target; how much of out. */
static size_t
make_head(char out[LOG_HEAD], enum log_level level)
{
	struct timespec now;
	char *end = out;

	clock_gettime(CLOCK_REALTIME, &now);
	if (now.tv_sec != head.second)
		make_second(now.tv_sec);
	memcpy(out, head.text, head.len);
	for (long i = 2, ms = now.tv_nsec / 1000000; i >= 0; i--, ms /= 10)
		out[head.ms + (size_t)i] = (char)('0' + ms % 10);
	end += head.len;
	if (logger.json)
		end = stpcpy(stpcpy(end, level_names[level]), "\",");
	return (size_t)(end - out);
}

static ssize_t
write_once(void)
{
	struct pollfd room = { logger.fd, POLLOUT, 0 };

	/* It is within PIPE_BUF: it fits whole where there is room. */
	if (logger.blocks && poll(&room, 1, 0) == 0) {
		errno = EAGAIN;
		return -1;
	}
	if (logger.socket)
		return send(logger.fd, gathered.text, gathered.len,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	return write(logger.fd, gathered.text, gathered.len);
}

void
log_gather(void)
{
	gathered.on = true;
}

/* Lines of those gathered that end behind the first len octets. */
static uint64_t
lines_behind(size_t len)
{
	uint64_t lines = 0;

	if (len == 0)
		return gathered.lines;
	for (; len < gathered.len; len++)
		lines += gathered.text[len] == '\n';
	return lines;
}

/* Where lines were lost already, nobody is waited for a second time. */
void
log_flush(void)
{
	struct pollfd ready = { logger.fd, POLLOUT, 0 };
	ssize_t n;

	if (gathered.len == 0)
		return;
	n = write_once();
	if (n == -1 && errno == EAGAIN && logger.lost == 0 &&
	    poll(&ready, 1, LOG_WAIT_MS) == 1)
		n = write_once();
	/* The first of them told what had been lost. */
	if (n > 0)
		logger.lost = 0;
	/* A file may take a part only, where the disk is full. */
	logger.lost += lines_behind(n > 0 ? (size_t)n : 0);
	gathered.len = gathered.lines = 0;
}

static void
write_line(const struct log_line *line)
{
	gathered.len += make_head(gathered.text + gathered.len, line->level);
	memcpy(gathered.text + gathered.len, line->text, line->len);
	gathered.len += line->len;
	gathered.lines++;
	/* Who reports an error may not live to see the turn's end. */
	if (!gathered.on || line->level == LOG_IS_ERROR)
		log_flush();
}

void
log_end(struct log_line *line)
{
	char tail[LOG_TAIL] = "";
	int saved = errno;

	add_event(line);
	if (line->level > logger.level)
		return;
	if (gathered.len + LOG_HEAD + line->len + LOG_TAIL >
	    sizeof(gathered.text))
		log_flush();
	/* The first of a write tells it for all. */
	if (logger.lost > 0 && gathered.lines == 0)
		snprintf(tail, sizeof(tail),
		    logger.json ? ",\"lost\":%" PRIu64 : " lost=%" PRIu64,
		    logger.lost);
	if (!logger.json && !logger.syslog && line->level <= LOG_IS_WARNING) {
		add_tail(line, " level=");
		add_tail(line, level_names[line->level]);
	}
	add_tail(line, tail);
	add_tail(line, logger.json ? "}" : "");
	if (logger.syslog) {
		syslog(syslog_levels[line->level], "%s%.*s",
		    logger.json ? "{" : "", (int)line->len, line->text);
		logger.lost = 0;
	} else {
		add_tail(line, "\n");
		write_line(line);
	}
	errno = saved;
}

static void
log_message(
    enum log_level level, const char *event, const char *format, va_list args)
{
	struct log_line line;
	char text[LOG_VALUE_MAX + 1];

	if (level > logger.level)
		return;
	log_begin(&line, level, event);
	vsnprintf(text, sizeof(text), format, args);
	log_text(&line, "msg", text);
	log_end(&line);
}

void
log_error(const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(LOG_IS_ERROR, event, format, args);
	va_end(args);
}

void
log_warning(const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(LOG_IS_WARNING, event, format, args);
	va_end(args);
}

void
log_info(const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(LOG_IS_INFO, event, format, args);
	va_end(args);
}

void
log_debug(const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(LOG_IS_DEBUG, event, format, args);
	va_end(args);
}

void
fatal(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_message(LOG_IS_ERROR, "fatal", format, args);
	va_end(args);
	exit(1);
}
