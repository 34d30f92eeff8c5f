/*
 * Follows a log as it is written. A file is looked at in turns: a slice of
 * it while there is more, then every poll_ms.
 */
#include "track/follow.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "track/journal.h"
#include "track/log_file.h"

enum {
	POLL_MS = 250,
	CHUNK = 256 * 1024,
	BUFFER = FOLLOW_LINE_MAX + CHUNK,
	CHUNKS_A_TURN = 4
};

/*
 * The file before this one: for a while its writers may not have noticed yet.
 */
struct late_file {
	struct log_file file;
	uint64_t done;
	uint64_t until; /* clock_ms() */
};

struct follow {
	struct follow_options options;
	struct follow_handler handler;
	struct follow_counters counters;
	struct event *event;
	struct timeval poll;
	struct log_file file;
	struct late_file late;
	struct journal *journal;
	uint64_t read_at;   /* of the file: what is read next */
	uint64_t done;	    /* after the last whole line */
	uint64_t old_until; /* lines up to here are old */
	bool timed;	    /* looked at by timer, not by readiness */
	bool discarding;    /* up to the end of the line */
	bool moving;	    /* the file was replaced; one more look at it */
	bool paused;
	bool ended;
	char cursor[FOLLOW_CURSOR_MAX + 1];
	size_t start; /* of what is not given yet */
	size_t len;
	uint8_t buffer[BUFFER];
	uint8_t late_buffer[FOLLOW_LINE_MAX + 1];
};

static void on_turn(evutil_socket_t, short, void *);

static void
schedule(struct follow *f, bool now)
{
	static const struct timeval at_once = { 0, 0 };

	if (f->paused || f->ended)
		return;
	if (f->timed)
		evtimer_add(f->event, now ? &at_once : &f->poll);
	else
		event_add(f->event, NULL);
}

static void
on_entry(void *arg, const struct syslog_line *line, const char *cursor)
{
	struct follow *f = arg;

	f->counters.lines++;
	strcpy(f->cursor, cursor);
	f->handler.entry(f->handler.arg, line);
}

static void
give_line(struct follow *f, struct octets line, bool old)
{
	if (line.len > FOLLOW_LINE_MAX) {
		f->counters.too_long++;
		return;
	}
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	f->counters.lines++;
	f->handler.line(f->handler.arg, line, old);
}

/*
 * A line that never ends is thrown away piece by piece; where we stand moves
 * only at its end, so that no later start takes its middle for a line.
 */
static size_t
take_line(struct follow *f, struct octets at, uint64_t place)
{
	const uint8_t *end = memchr(at.data, '\n', at.len);
	size_t len;

	if (end == NULL) {
		if (!f->discarding && at.len <= FOLLOW_LINE_MAX)
			return 0;
		if (!f->discarding)
			f->counters.too_long++;
		f->discarding = true;
		return at.len;
	}
	len = (size_t)(end - at.data);
	f->done = place + len + 1;
	if (!f->discarding)
		give_line(f, (struct octets){ at.data, len },
		    f->done <= f->old_until);
	f->discarding = false;
	return len + 1;
}

static size_t
take_one(struct follow *f)
{
	struct octets at = { f->buffer + f->start, f->len - f->start };
	size_t used;

	if (at.len == 0)
		return 0;
	if (f->journal == NULL)
		return take_line(f, at, f->read_at - at.len);
	used = journal_take(f->journal, at);
	f->done += used;
	return used;
}

/* Give what is whole; the rest moves to the front. */
static void
give_buffer(struct follow *f)
{
	size_t used;

	while (!f->paused && (used = take_one(f)) > 0)
		f->start += used;
	memmove(f->buffer, f->buffer + f->start, f->len - f->start);
	f->len -= f->start;
	f->start = 0;
}

static void
forget_buffer(struct follow *f)
{
	if (f->len > 0)
		f->counters.cut++;
	f->len = f->start = 0;
	f->discarding = f->moving = false;
}

static void
record_of(const struct follow *f, struct follow_record *record)
{
	*record = f->file.at;
	record->offset = f->done > f->old_until ? f->done : f->old_until;
	memcpy(record->cursor, f->cursor, sizeof(record->cursor));
}

/* Begin a file at offset, with what is shown again before it. */
static void
begin_file(struct follow *f, uint64_t offset)
{
	size_t back = f->options.lookback;

	f->old_until = offset;
	f->read_at = offset > back ? offset - back : 0;
	f->done = f->read_at;
	f->discarding = f->read_at > 0 && f->read_at < offset;
}

/* Returns whether it is the file that the record speaks of. */
static bool
open_recorded(struct follow *f, const struct follow_record *record)
{
	bool found;

	log_file_open(f->options.path, record, &f->file, &found);
	if (!found && record->inode != 0)
		f->counters.gaps++;
	begin_file(f, found ? record->offset : 0);
	return found;
}

/*
 * The file was cut to nothing and is written anew: what we did not read of
 * it stands in a copy, if rotation made one.
 */
static void
reopen_truncated(struct follow *f)
{
	struct follow_record record, none = { 0 };

	record_of(f, &record);
	/* A half line is not lost with it: it is read again. */
	f->len = 0;
	forget_buffer(f);
	log_file_close(&f->file);
	/* Without a copy: older files were read before it was cut. */
	if (!open_recorded(f, &record)) {
		log_file_close(&f->file);
		open_recorded(f, &none);
	}
	f->counters.files++;
	/* Nothing is shown again: we remember it. */
	f->read_at = f->done = f->old_until;
	f->discarding = false;
}

/* Octets read, 0 at the end of what there is. */
static size_t
read_chunk(struct follow *f)
{
	size_t room = BUFFER - f->len;
	ssize_t n;

	if (f->options.path != NULL)
		n = pread(
		    f->file.fd, f->buffer + f->len, room, (off_t)f->read_at);
	else
		n = read(f->options.fd, f->buffer + f->len, room);
	if (n <= 0) {
		f->ended = f->options.path == NULL &&
		    (n == 0 || (errno != EAGAIN && errno != EINTR));
		return 0;
	}
	f->len += (size_t)n;
	f->read_at += (uint64_t)n;
	f->counters.octets += (uint64_t)n;
	return (size_t)n;
}

static void
watch_late(struct follow *f)
{
	log_file_close(&f->late.file);
	if (f->options.late_ms == 0) {
		log_file_close(&f->file);
		return;
	}
	f->late.file = f->file;
	f->late.done = f->done > f->old_until ? f->done : f->old_until;
	f->late.until = clock_ms() + f->options.late_ms;
}

/* Whole lines that came to the file before this one. */
static void
read_late(struct follow *f)
{
	struct late_file *late = &f->late;
	const uint8_t *at = f->late_buffer, *end;
	ssize_t n;

	if (late->file.fd < 0)
		return;
	n = pread(late->file.fd, f->late_buffer, sizeof(f->late_buffer),
	    (off_t)late->done);
	if (n <= 0 && clock_ms() >= late->until)
		log_file_close(&late->file);
	for (; n > 0 && !f->paused; n -= end + 1 - at, at = end + 1) {
		end = memchr(at, '\n', (size_t)n);
		if (end == NULL)
			break;
		late->done += (uint64_t)(end + 1 - at);
		f->counters.octets += (uint64_t)(end + 1 - at);
		give_line(f, (struct octets){ at, (size_t)(end - at) }, false);
	}
	/* What is left is half a line, or longer than a line may be. */
	if (n > 0 && !f->paused && clock_ms() >= late->until)
		log_file_close(&late->file);
}

/*
 * At the end of a file that is no longer the log: the next, once it has
 * something (until then the writer may still hold the old one), and after
 * one more look at the old.
 */
static bool
move_on(struct follow *f)
{
	struct log_file next;
	struct stat st;

	if (f->file.current && !log_file_is_replaced(f->options.path, &f->file))
		return false;
	log_file_next(f->options.path, &f->file, &next);
	if (next.fd < 0)
		return false;
	if (!f->moving || fstat(next.fd, &st) != 0 ||
	    (next.current && st.st_size == 0)) {
		f->moving = true;
		log_file_close(&next);
		return false;
	}
	watch_late(f);
	forget_buffer(f);
	f->file = next;
	f->read_at = f->done = f->old_until = 0;
	f->counters.files++;
	return true;
}

/* Returns whether there is more to read at once. */
static bool
read_file(struct follow *f)
{
	struct follow_record none = { 0 };

	if (f->file.fd < 0) {
		open_recorded(f, &none);
		if (f->file.fd < 0)
			return false;
	}
	if (!log_file_is_same(&f->file, f->read_at))
		reopen_truncated(f);
	if (f->file.fd < 0)
		return true;
	for (int i = 0; i < CHUNKS_A_TURN && !f->paused; i++) {
		if (read_chunk(f) == 0)
			return move_on(f);
		f->moving = false;
		/* A record of a line always knows the file's first. */
		if (!f->file.at.has_first)
			(void)log_file_is_same(&f->file, 0);
		give_buffer(f);
	}
	return true;
}

static void
read_stream(struct follow *f)
{
	if (read_chunk(f) > 0)
		give_buffer(f);
	if (!f->ended)
		return;
	forget_buffer(f);
	if (f->handler.end != NULL)
		f->handler.end(f->handler.arg);
}

static void
on_turn(evutil_socket_t fd, short what, void *arg)
{
	struct follow *f = arg;
	bool more = true;

	(void)fd;
	(void)what;
	if (f->paused)
		return;
	/* What was left when it was paused comes first. */
	give_buffer(f);
	read_late(f);
	if (f->options.path != NULL)
		more = f->paused || read_file(f);
	else if (!f->paused)
		read_stream(f);
	schedule(f, more);
}

/* What is always ready, as a regular file or /dev/null, epoll refuses. */
static bool
is_timed(const struct follow_options *options)
{
	struct stat st;

	if (options->path != NULL)
		return true;
	if (fstat(options->fd, &st) != 0)
		return false;
	return S_ISREG(st.st_mode) ||
	    (S_ISCHR(st.st_mode) && !isatty(options->fd));
}

static bool
start(struct follow *f, struct event_base *base)
{
	unsigned ms = f->options.poll_ms > 0 ? f->options.poll_ms : POLL_MS;

	f->poll.tv_sec = ms / 1000;
	f->poll.tv_usec = (suseconds_t)(ms % 1000) * 1000;
	f->timed = is_timed(&f->options);
	f->event = event_new(base, f->timed ? -1 : f->options.fd,
	    f->timed ? 0 : EV_READ, on_turn, f);
	if (f->options.journal &&
	    (f->journal = journal_new(f->options.uid, on_entry, f)) == NULL)
		return false;
	if (f->event == NULL)
		return false;
	if (!f->timed)
		return event_add(f->event, NULL) == 0;
	schedule(f, true);
	return true;
}

struct follow *
follow_new(struct event_base *base, const struct follow_options *options,
    const struct follow_record *record, const struct follow_handler *handler)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return NULL;
	f->options = *options;
	f->handler = *handler;
	f->file.fd = f->late.file.fd = -1;
	memcpy(f->cursor, record->cursor, sizeof(f->cursor));
	if (options->path != NULL) {
		f->options.path = strdup(options->path);
		f->options.journal = false;
		if (f->options.path != NULL)
			open_recorded(f, record);
	}
	if ((options->path != NULL && f->options.path == NULL) ||
	    !start(f, base)) {
		follow_free(f);
		return NULL;
	}
	return f;
}

void
follow_free(struct follow *f)
{
	if (f == NULL)
		return;
	if (f->event != NULL)
		event_free(f->event);
	journal_free(f->journal);
	log_file_close(&f->file);
	log_file_close(&f->late.file);
	free((char *)f->options.path);
	free(f);
}

void
follow_pause(struct follow *f)
{
	f->paused = true;
	event_del(f->event);
}

void
follow_resume(struct follow *f)
{
	if (!f->paused)
		return;
	f->paused = false;
	/* Through the loop, whatever fd says: there may be lines left. */
	event_active(f->event, EV_TIMEOUT, 0);
}

void
follow_position(const struct follow *f, struct follow_record *record)
{
	/* Both files are read again after a restart. */
	if (f->late.file.fd < 0) {
		record_of(f, record);
		return;
	}
	*record = f->late.file.at;
	record->offset = f->late.done;
}

const struct follow_counters *
follow_counters(const struct follow *f)
{
	return &f->counters;
}

void
follow_progress(const struct follow *f, uint64_t *done, uint64_t *size)
{
	struct stat st;

	*done = f->done;
	*size = f->file.fd >= 0 && fstat(f->file.fd, &st) == 0
	    ? (uint64_t)st.st_size
	    : 0;
}
