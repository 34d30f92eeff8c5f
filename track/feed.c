/*
 * From an MSA's log to the histories of messages.
 */
#include "track/feed.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "track/feed_marks.h"

enum {
	/*
	 * Shown again to reader and joiner, so that steps that are read twice
	 * are the same twice.
	 */
	LOOKBACK = 16 << 20,
	/* Longer than most lines wait, so that a restart sees what led there.
	 */
	LATE_MS = 120000,
	IDLE_MS = 1000, /* without a new line: the log is read to its end */
	TICK_MS = 100,
	TICK_IDLE_MS = 1000,
	AWAY_MS = 3000, /* without a keeper, before it is said */
	LOOK_MS = 5000	/* at the log's name: may we read it? */
};

struct feed {
	struct feed_options options;
	struct feed_state *state;
	struct event *tick;
	struct follow *follow;
	struct log_reader reader;
	struct log_join *join;
	struct feed_queue *queue;
	struct feed_keeper *keeper;
	struct feed_marks marks;
	struct feed_now now; /* of this turn */
	uint64_t last;	     /* time of the line read last, ms */
	uint64_t old;
	uint64_t moved; /* ticks when the log was longer than before */
	bool is_old;	/* the line that is being read */
	bool paused;
	bool ended;
	bool finished;
	struct follow_counters seen; /* what was logged of them */
	enum feed_keeper_state said; /* the keeper's, in the log */
	uint64_t away;		     /* ticks since it is not well, 0: it is */
	uint64_t looked;	     /* ticks, at the log's name */
	int barred;		     /* what feed_log_fault() says of it */
	int barred_said;	     /* what was logged of it */
};

static void
on_step(void *arg, const struct log_event *step)
{
	struct feed *f = arg;
	struct feed_mark *mark;

	if (f->is_old)
		return;
	if (f->options.print != NULL) {
		f->options.print(step);
		return;
	}
	mark = feed_marks_take(&f->marks);
	if (mark == NULL || feed_queue_add(f->queue, step, mark, f->now) == -1)
		fatal("no memory for what waits");
	if (feed_queue_is_full(f->queue) && !f->paused) {
		f->paused = true;
		follow_pause(f->follow);
	}
}

static void
add_event(struct feed *f, enum log_kind kind, struct log_event *event, bool old)
{
	f->old += old;
	if (kind == LOGGED_NOTHING)
		return;
	f->is_old = old;
	f->last = event->status.time;
	event->kind = kind;
	log_join_add(f->join, event);
}

static void
on_line(void *arg, struct octets line, bool old)
{
	struct feed *f = arg;
	struct log_event event;
	enum log_kind kind = log_reader_line(&f->reader, line, &event);

	add_event(f, kind, &event, old);
}

static void
on_entry(void *arg, const struct syslog_line *line)
{
	struct feed *f = arg;
	struct log_event event;
	enum log_kind kind = log_reader_entry(&f->reader, line, &event);

	add_event(f, kind, &event, false);
}

static void
on_end(void *arg)
{
	struct feed *f = arg;

	f->ended = true;
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

static void
read_now(struct feed *f)
{
	f->now.ticks = clock_ms() + 1;
	f->now.wall = clock_wall_ms();
	f->reader.clock.now = f->now.wall;
}

static bool
start_follow(struct feed *f, struct event_base *base)
{
	const struct follow_options options = { .path = f->options.path,
		.fd = STDIN_FILENO,
		.journal = f->options.journal,
		.uid = f->options.journal_uid,
		.lookback = LOOKBACK,
		.late_ms = LATE_MS };
	const struct follow_handler handler = { on_line, on_entry, on_end, f };
	struct follow_record at;

	f->follow = follow_new(base, &options, &f->state->stored, &handler);
	if (f->follow == NULL)
		return false;
	follow_position(f->follow, &at);
	feed_marks_init(&f->marks, &at);
	/* So that this file is found again, whatever becomes of its name. */
	feed_state_store(f->state, &at, f->now.ticks);
	return true;
}

static bool
start_queue(struct feed *f, struct event_base *base)
{
	const struct feed_queue_options options = { .wait = f->options.wait };
	const struct feed_keeper_options keeper = { .door = f->options.door,
		.msa = f->options.msa };

	f->queue = feed_queue_new(&options);
	if (f->queue == NULL || f->options.print != NULL)
		return f->queue != NULL;
	f->keeper = feed_keeper_new(base, &keeper, f->queue);
	return f->keeper != NULL;
}

int
feed_log_fault(const char *path)
{
	struct stat st;

	if (path == NULL)
		return 0;
	if (stat(path, &st) == -1 || access(path, R_OK) == -1)
		return errno;
	return S_ISREG(st.st_mode) ? 0 : ESPIPE;
}

const char *
feed_log_fault_text(int fault)
{
	return fault == ESPIPE ? "it is no file" : strerror(fault);
}

struct feed *
feed_new(struct event_base *base, const struct feed_options *options,
    struct feed_state *state)
{
	const struct log_join_options join = { .filters = options->filters };
	struct feed *f = calloc(1, sizeof(*f));
	int saved;

	if (f == NULL)
		return NULL;
	f->options = *options;
	f->state = state;
	f->said = FEED_KEEPER_WELL;
	f->reader.format = options->format;
	f->reader.syslog_name = options->syslog_name;
	TAILQ_INIT(&f->marks.list);
	read_now(f);
	f->moved = f->looked = f->now.ticks;
	f->barred = f->barred_said = feed_log_fault(f->options.path);
	f->join = log_join_new(&join, on_step, f);
	f->tick = evtimer_new(base, on_tick, f);
	if (f->join != NULL && f->tick != NULL && start_queue(f, base) &&
	    start_follow(f, base))
		return f;
	saved = errno;
	feed_free(f);
	errno = saved;
	return NULL;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	if (f->tick != NULL)
		event_free(f->tick);
	follow_free(f->follow);
	log_join_free(f->join);
	log_reader_free(&f->reader);
	feed_keeper_free(f->keeper);
	feed_queue_free(f->queue);
	feed_marks_free(&f->marks);
	free(f);
}

static bool
is_idle(const struct feed *f)
{
	return !f->paused && f->now.ticks - f->moved >= IDLE_MS;
}

static void
say_change(const char *event, const char *text, uint64_t *seen, uint64_t count)
{
	if (count != *seen)
		log_warning(event, "%s", text);
	*seen = count;
}

/* What cannot be seen in the log that is read belongs in ours. */
static void
say_counters(struct feed *f)
{
	const struct follow_counters *c = follow_counters(f->follow);

	if (c->octets != f->seen.octets)
		f->moved = f->now.ticks;
	f->seen.octets = c->octets;
	if (c->files != f->seen.files)
		log_info("log-rotated", "a new file is followed");
	f->seen.files = c->files;
	say_change("log-gap", "a file was gone before it was read to its end",
	    &f->seen.gaps, c->gaps);
	say_change("log-too-long", "a line of more than 64 KiB is left out",
	    &f->seen.too_long, c->too_long);
	say_change(
	    "log-cut", "a file ended within a line", &f->seen.cut, c->cut);
}

/*
 * A rotation may leave a file that only root can read, as postlogd does. In
 * the middle of one there is none, so it counts at the second look.
 */
static void
say_barred(struct feed *f)
{
	int is;

	if (f->now.ticks - f->looked < LOOK_MS)
		return;
	f->looked = f->now.ticks;
	is = feed_log_fault(f->options.path);
	if (is == f->barred && is != f->barred_said) {
		f->barred_said = is;
		if (is != 0)
			log_warning("log-unreadable", "%s: %s", f->options.path,
			    feed_log_fault_text(is));
		else
			log_info("log-readable", "%s", f->options.path);
	}
	f->barred = is;
}

static void
say_keeper(struct feed *f)
{
	static const char *const texts[] = {
		[FEED_KEEPER_AWAY] = "the keeper is not there: waiting for it",
		[FEED_KEEPER_SILENT] = "the keeper does not answer: waiting",
		[FEED_KEEPER_SHUTS] = "the keeper's door hangs up: it lets in "
				      "only root and user_feed, and 64 feeds",
		[FEED_KEEPER_BUSY] = "the keeper cannot store events now: they "
				     "are sent again",
	};
	enum feed_keeper_state is = feed_keeper_state(f->keeper);

	if (is == FEED_KEEPER_WELL ||
	    feed_queue_counters(f->queue)->waiting == 0) {
		f->away = 0;
	} else if (f->away == 0) {
		f->away = f->now.ticks;
	}
	if (is == FEED_KEEPER_WELL && f->said != is) {
		log_info("keeper-back", "it answers again");
		f->said = is;
	}
	if (f->away == 0 || f->now.ticks - f->away < AWAY_MS || f->said == is)
		return;
	log_warning("keeper-away", "%s", texts[is]);
	f->said = is;
}

static void
turn_queue(struct feed *f)
{
	feed_queue_tick(
	    f->queue, f->ended || is_idle(f) ? UINT64_MAX : f->last, f->now);
	feed_keeper_ask(f->keeper, f->now);
	say_keeper(f);
	if (f->paused && feed_queue_is_roomy(f->queue)) {
		f->paused = false;
		f->moved = f->now.ticks;
		follow_resume(f->follow);
	}
}

static void
turn_marks(struct feed *f)
{
	struct follow_record at;

	follow_position(f->follow, &at);
	feed_marks_move(&f->marks, &at);
	feed_state_store(f->state, &f->marks.done, f->now.ticks);
}

void
feed_turn(struct feed *f)
{
	struct timeval tick = { 0, TICK_MS * 1000 };
	bool waiting;

	read_now(f);
	say_counters(f);
	say_barred(f);
	if (f->keeper != NULL)
		turn_queue(f);
	turn_marks(f);
	waiting = feed_queue_counters(f->queue)->waiting > 0;
	f->finished = (f->ended || (f->options.once && is_idle(f))) && !waiting;
	if (evtimer_pending(f->tick, NULL))
		return;
	if (!waiting && !f->options.once)
		tick = (struct timeval){ TICK_IDLE_MS / 1000, 0 };
	evtimer_add(f->tick, &tick);
}

bool
feed_is_finished(const struct feed *f)
{
	return f->finished;
}

void
feed_store(struct feed *f)
{
	turn_marks(f);
	feed_state_store(f->state, &f->marks.done, 0);
}

void
feed_count(const struct feed *f, struct feed_counts *c)
{
	const struct follow_counters *follow = follow_counters(f->follow);
	struct follow_record at;

	*c = (struct feed_counts){ .lines = follow->lines,
		.ignored = f->reader.ignored,
		.octets = follow->octets,
		.old = f->old,
		.last = f->last,
		.queue = *feed_queue_counters(f->queue) };
	if (f->keeper != NULL)
		c->keeper = feed_keeper_state(f->keeper);
	follow_progress(f->follow, &c->done, &c->size);
	follow_position(f->follow, &at);
	if (c->size > c->done)
		c->behind = c->size - c->done;
	if (at.inode == f->marks.done.inode && at.offset > f->marks.done.offset)
		c->behind += at.offset - f->marks.done.offset;
}
