/*
 * waybill-feed as a child of waybilld: what it follows stands in the
 * configuration.
 */
#include "track/feed_child.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/child.h"
#include "common/link.h"
#include "common/log.h"
#include "common/timestamp.h"
#include "common/turn.h"
#include "conf/conf.h"
#include "track/feed.h"

enum { LOCK_AGAIN_MS = 200, FILTERS_MAX = 64 };

static struct {
	struct event_base *base;
	struct conf *conf;
	struct feed *feed;
	struct feed_state state;
	struct event *retry; /* of the lock */
	char door[PATH_MAX];
	const char *filters[FILTERS_MAX + 1];
	bool waited;
	bool ended;
} child;

/* What is accepted is stored; there is nothing else to finish. */
static void
drain(uint64_t ms)
{
	(void)ms;
	child.ended = true;
	event_base_loopbreak(child.base);
}

static void
status(char *out, size_t size)
{
	static const char *const words[] = {
		[FEED_KEEPER_AWAY] = "away",
		[FEED_KEEPER_SILENT] = "silent",
		[FEED_KEEPER_SHUTS] = "shuts",
		[FEED_KEEPER_BUSY] = "busy",
		[FEED_KEEPER_WELL] = "well",
	};
	char last[TIMESTAMP_SIZE] = "-";
	struct feed_counts c;

	if (child.feed == NULL) {
		snprintf(out, size, "keeper=- lines=0 locked=1");
		return;
	}
	feed_count(child.feed, &c);
	if (c.last != 0)
		timestamp_write(c.last, last);
	snprintf(out, size,
	    "keeper=%s lines=%" PRIu64 " ignored=%" PRIu64 " events=%" PRIu64
	    " foreign=%" PRIu64 " full=%" PRIu64 " waiting=%zu behind=%" PRIu64
	    " last=%s",
	    words[c.keeper], c.lines, c.ignored, c.queue.stored,
	    c.queue.foreign, c.queue.full, c.queue.waiting, c.behind, last);
}

static enum log_format
format_of(const struct conf_msa_log *log)
{
	static const enum log_format formats[] = {
		[CONF_MSA_LOG_POSTFIX] = LOG_FORMAT_POSTFIX,
		[CONF_MSA_LOG_EXIM] = LOG_FORMAT_EXIM,
		[CONF_MSA_LOG_JSON] = LOG_FORMAT_JSON,
	};

	return formats[log->format];
}

static void
start_feed(void)
{
	const struct conf_msa_log *log = &child.conf->msa_log;
	const struct feed_options options = { .format = format_of(log),
		.syslog_name = log->syslog_name,
		.path = log->file,
		.filters = child.filters,
		.door = child.door,
		.msa = child.conf->msa_name,
		.wait = (uint64_t)log->wait };
	int got = feed_state_read(&child.state), fault;

	if (got == -1)
		fatal("%s: %s", log->state, strerror(errno));
	if (got == 1)
		log_error("state-damaged",
		    "%s is read from its start; what is read again counts once",
		    log->file);
	/* It may come yet, but a mistake should be seen. */
	fault = feed_log_fault(log->file);
	if (fault != 0)
		log_warning("log-unreadable", "%s: %s", log->file,
		    feed_log_fault_text(fault));
	child.feed = feed_new(child.base, &options, &child.state);
	if (child.feed == NULL)
		fatal("no memory");
	log_info("feed", "follows %s for %s from octet %" PRIu64, log->file,
	    child.conf->msa_name, child.state.stored.offset);
}

/* The feed of the generation before may still have it. */
static void
try_lock(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval again = { 0, LOCK_AGAIN_MS * 1000 };
	char why[3 * PATH_MAX];

	(void)fd;
	(void)what;
	(void)arg;
	switch (feed_state_lock(
	    &child.state, child.conf->msa_log.file, why, sizeof(why))) {
	case FEED_LOCK_OURS:
		start_feed();
		return;
	case FEED_LOCK_BUSY:
		if (!child.waited)
			log_info("feed", "another feed has %s: waiting for it",
			    child.state.path);
		child.waited = true;
		evtimer_add(child.retry, &again);
		return;
	case FEED_LOCK_OTHER:
	case FEED_LOCK_FAILED:
		break;
	}
	fatal("%s", why);
}

/* The last directory of the state's path, where it is missing. */
static void
make_directory(const char *path)
{
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX];

	if (slash == NULL || slash == path)
		return;
	snprintf(
	    directory, sizeof(directory), "%.*s", (int)(slash - path), path);
	if (mkdir(directory, 0700) == -1 && errno != EEXIST)
		log_warning("state", "%s: %s", directory, strerror(errno));
}

static void
configure(struct child_start *start)
{
	int fd = child_take_fd(start, "snapshot");
	const struct conf_msa_log *log;

	child.conf = fd == -1 ? NULL : conf_snapshot_read(fd, CONF_FOR_FEED);
	if (child.conf == NULL)
		fatal("no configuration came from waybilld");
	close(fd);
	log_start(
	    "waybill-feed", &child.conf->log, child_take_fd(start, "log"));
	log = &child.conf->msa_log;
	if (!child.conf->msa_log_on)
		fatal("msa has no section log");
	for (size_t i = 0; i < log->filters.count && i < FILTERS_MAX; i++)
		child.filters[i] = log->filters.item[i];
	snprintf(child.door, sizeof(child.door), "%s/%s", child.conf->run_dir,
	    DOOR_KEEPER_FEED_PATH);
	child.state = (struct feed_state){ .path = log->state, .lock = -1 };
}

static void
serve(void)
{
	while (!child.ended) {
		if (event_base_loop(child.base, EVLOOP_ONCE) == -1)
			fatal("event loop");
		if (child.feed != NULL)
			feed_turn(child.feed);
		link_flush_all();
		turn_end();
	}
}

int
feed_child_main(void)
{
	static const struct child_orders orders = { .drain = drain,
		.status = status };
	static struct child_start start;

	child_begin(&start);
	configure(&start);
	umask(077);
	make_directory(child.state.path);
	child.base = event_base_new();
	if (child.base == NULL)
		fatal("no event loop");
	child.retry = evtimer_new(child.base, try_lock, NULL);
	if (child.retry == NULL)
		fatal("no memory");
	child_serve(child.base, &orders, (uint64_t)child.conf->drain_timeout);
	event_active(child.retry, EV_TIMEOUT, 0);
	serve();
	if (child.feed != NULL)
		feed_store(child.feed);
	feed_free(child.feed);
	feed_state_close(&child.state);
	link_flush_all();
	conf_free(child.conf);
	return 0;
}
