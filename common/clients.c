/*
 * Accepting clients; see clients.h.
 */
#include "common/clients.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/seldom.h"

enum {
	CLIENTS_TURN_MAX = 32, /* let in before others are served */
	CLIENTS_REST_MS = 100, /* while no descriptor is left */
	/* Descriptors left for what clients are served with. */
	CLIENTS_SPARE = 64,
	CLIENTS_SPARE_PART = 8 /* of few descriptors, one in as many */
};

struct clients_socket {
	struct event *event;
	struct event *rest;
	int fd;
	clients_fn *fn;
	void *arg;
};

static struct clients_socket sockets[CLIENTS_SOCKETS_MAX];
static size_t socket_count;

/* No descriptor, no memory: leave the clients in the queue for a while. */
static void
clients_rest(struct clients_socket *l)
{
	static const struct timeval tv = { 0, CLIENTS_REST_MS * 1000 };
	static struct seldom seldom;
	const char *why = strerror(errno);
	uint64_t withheld;

	if (seldom_may(&seldom, clock_ms(), &withheld))
		log_error("accept",
		    "%s; lines withheld before this one: %" PRIu64, why,
		    withheld);
	event_del(l->event);
	evtimer_add(l->rest, &tv);
}

static void
clients_on_rest(evutil_socket_t fd, short what, void *arg)
{
	struct clients_socket *l = arg;

	(void)fd;
	(void)what;
	event_add(l->event, NULL);
}

/*
 * Is there a descriptor for one more client? Were the last ones theirs, a
 * keeper that starts again could not be reached while they stay.
 */
static bool
clients_have_room(int fd)
{
	struct rlimit limit;
	rlim_t spare = CLIENTS_SPARE;
	int lowest = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* that is free */

	if (lowest == -1)
		return false;
	close(lowest);
	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return true;
	if (spare > limit.rlim_cur / CLIENTS_SPARE_PART)
		spare = limit.rlim_cur / CLIENTS_SPARE_PART;
	errno = EMFILE;
	return (rlim_t)lowest < limit.rlim_cur - spare;
}

static void
clients_on_client(evutil_socket_t fd, short what, void *arg)
{
	struct clients_socket *l = arg;
	struct sockaddr_storage peer;
	socklen_t len;
	int i, client;

	(void)what;
	for (i = 0; i < CLIENTS_TURN_MAX; i++) {
		if (!clients_have_room((int)fd)) {
			clients_rest(l);
			return;
		}
		len = sizeof(peer);
		client = accept4(fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client != -1) {
			l->fn(l->arg, client, &peer);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			clients_rest(l);
		/* Anything else is that client's misfortune, or no client. */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

void
clients_listen(struct event_base *base, int fd, clients_fn *fn, void *arg)
{
	struct clients_socket *l = &sockets[socket_count];

	if (socket_count == CLIENTS_SOCKETS_MAX)
		fatal("more than %d listening sockets", CLIENTS_SOCKETS_MAX);
	socket_count++;
	evutil_make_socket_nonblocking(fd);
	l->fd = fd;
	l->fn = fn;
	l->arg = arg;
	l->event =
	    event_new(base, fd, EV_READ | EV_PERSIST, clients_on_client, l);
	l->rest = evtimer_new(base, clients_on_rest, l);
	if (l->event == NULL || l->rest == NULL)
		fatal("out of memory");
}

void
clients_open_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void
clients_begin(void)
{
	size_t i;

	for (i = 0; i < socket_count; i++)
		event_add(sockets[i].event, NULL);
}

void
clients_stop(void)
{
	size_t i;

	for (i = 0; i < socket_count; i++) {
		event_free(sockets[i].event);
		event_free(sockets[i].rest);
		close(sockets[i].fd);
	}
	socket_count = 0;
}
