/*
 * waybill-feed: follows an MSA's log, and tells the keeper what became of the
 * messages in it (RFC 3886). Without an argument, a child of waybilld; with
 * arguments, for people and for an MSA on another machine.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/turn.h"
#include "track/feed_child.h"
#include "track/feed_options.h"
#include "track/feed_progress.h"

enum { LOCK_AGAIN_US = 200000 };

static struct {
	struct feed_command command;
	struct event_base *base;
	struct feed *feed;
	struct feed_state state;
	struct feed_progress progress;
	bool shows; /* progress */
	volatile sig_atomic_t ended;
} hand;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "waybill-feed: %s: %s\n", what, why);
	exit(1);
}

static void
on_signal(int number)
{
	(void)number;
	hand.ended = 1;
}

static void
on_end_signal(evutil_socket_t number, short what, void *arg)
{
	(void)number;
	(void)what;
	(void)arg;
	hand.ended = 1;
}

/*
 * What will not change by waiting is said at once; a keeper that is not there
 * may come.
 */
static void
try_door(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int failed;

	memcpy(address.sun_path, path, strlen(path) + 1);
	failed = fd == -1 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == -1;
	if (failed && errno == EACCES)
		fail(path,
		    "permission denied: the keeper's feed door is for root "
		    "and user_feed of waybill.conf, and its directory too");
	if (failed && errno != EAGAIN)
		log_warning("keeper-away",
		    "%s: %s; waiting for the keeper (does waybilld run?)", path,
		    strerror(errno));
	if (fd != -1)
		close(fd);
}

/* In the directory of today, since the lock is for people, too. */
static const char *
whole_path(const char *path, char out[PATH_MAX])
{
	char directory[PATH_MAX];

	if (path == NULL)
		return "-";
	if (path[0] == '/' || getcwd(directory, sizeof(directory)) == NULL)
		return path;
	if ((size_t)snprintf(out, PATH_MAX, "%s/%s", directory, path) >=
	    PATH_MAX)
		return path;
	return out;
}

static void
lock_state(void)
{
	char why[3 * PATH_MAX], log[PATH_MAX];
	const char *name = whole_path(hand.command.feed.path, log);
	bool waited = false;

	for (;;) {
		switch (feed_state_lock(&hand.state, name, why, sizeof(why))) {
		case FEED_LOCK_OURS:
			return;
		case FEED_LOCK_BUSY:
			break;
		case FEED_LOCK_OTHER:
		case FEED_LOCK_FAILED:
			fail("--state", why);
		}
		if (!waited)
			log_warning("feed",
			    "another waybill-feed has %s: waiting for it",
			    hand.state.path);
		waited = true;
		usleep(LOCK_AGAIN_US);
		if (hand.ended)
			exit(0);
	}
}

static void
read_state(void)
{
	int got = feed_state_read(&hand.state);

	if (got == -1)
		fail(hand.state.path, strerror(errno));
	if (got == 1)
		log_error("state-damaged",
		    "%s: the log is read from its start; what is read again "
		    "counts once",
		    hand.state.path);
}

static void
check_file(const char *path)
{
	struct stat st;

	if (path == NULL)
		return;
	if (stat(path, &st) == -1 || access(path, R_OK) == -1) {
		if (errno != ENOENT || hand.command.feed.once)
			fail(path, strerror(errno));
		log_warning("log-missing", "%s: waiting for it", path);
		return;
	}
	if (!S_ISREG(st.st_mode))
		fail(path, "it is no file: give pipes to --stdin");
}

static void
show_progress(void)
{
	char line[FEED_PROGRESS_MAX];
	struct feed_counts counts;

	if (!hand.shows)
		return;
	feed_count(hand.feed, &counts);
	/* What is logged next is written over it. */
	if (feed_progress_line(&hand.progress, &counts, clock_ms() + 1, line) >
	    0)
		fprintf(stderr, "%s\033[K\r", line);
}

static void
start(void)
{
	static struct event *term, *interrupt;

	hand.base = event_base_new();
	if (hand.base == NULL)
		fail("event loop", strerror(errno));
	term = evsignal_new(hand.base, SIGTERM, on_end_signal, NULL);
	interrupt = evsignal_new(hand.base, SIGINT, on_end_signal, NULL);
	if (term == NULL || interrupt == NULL || event_add(term, NULL) == -1 ||
	    event_add(interrupt, NULL) == -1)
		fail("signals", strerror(errno));
	hand.feed = feed_new(hand.base, &hand.command.feed, &hand.state);
	if (hand.feed == NULL)
		fail("the log cannot be read", strerror(errno));
}

/* Whoever is not let in will not be, however long it tries. */
static void
check_door(void)
{
	struct feed_counts counts;

	if (hand.command.print)
		return;
	feed_count(hand.feed, &counts);
	if (counts.keeper == FEED_KEEPER_SHUTS)
		fail(hand.command.feed.door,
		    "the keeper hangs up: its feed door lets in root and "
		    "user_feed of waybill.conf");
}

static void
serve(void)
{
	while (!hand.ended && !feed_is_finished(hand.feed)) {
		if (event_base_loop(hand.base, EVLOOP_ONCE) == -1)
			fail("event loop", strerror(errno));
		feed_turn(hand.feed);
		link_flush_all();
		turn_end();
		show_progress();
		check_door();
		if (hand.command.print && fflush(stdout) == EOF)
			fail("standard output", strerror(errno));
	}
}

static void
finish(void)
{
	struct feed_counts counts;

	feed_store(hand.feed);
	feed_count(hand.feed, &counts);
	if (hand.shows)
		fprintf(stderr, "\033[K");
	if (!hand.command.print && !hand.command.quiet)
		log_info("feed-ends",
		    "%llu lines: %llu events of our messages, %llu of others, "
		    "%zu not done",
		    (unsigned long long)counts.lines,
		    (unsigned long long)counts.queue.stored,
		    (unsigned long long)counts.queue.foreign,
		    counts.queue.waiting);
	feed_free(hand.feed);
	feed_state_close(&hand.state);
	link_flush_all();
}

int
main(int argc, char **argv)
{
	/* People who give no argument have no control channel either. */
	if (argc == 1 && fcntl(CHILD_CONTROL_FD, F_GETFD) != -1)
		return feed_child_main();
	feed_options_read(&hand.command, argc, argv);
	log_start("waybill-feed", NULL, -1);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	umask(077);
	hand.shows = !hand.command.quiet && isatty(STDERR_FILENO);
	hand.state =
	    (struct feed_state){ .path = hand.command.state, .lock = -1 };
	check_file(hand.command.feed.path);
	lock_state();
	read_state();
	if (!hand.command.print)
		try_door(hand.command.feed.door);
	start();
	serve();
	finish();
	return 0;
}
