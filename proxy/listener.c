/*
 * Accepting clients; see listener.h.
 */
#include "proxy/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/log.h"
#include "proxy/session.h"
#include "proxy/worker.h"

enum {
	LISTENERS_MAX = 64,
	LISTENER_TURN_MAX = 32, /* clients let in before others are served */
	LISTENER_REST_MS = 100	/* while no descriptor is left */
};

struct listener {
	struct worker *w;
	struct event *event;
	struct event *rest;
	int fd;
	bool implicit_tls;
};

static struct listener listeners[LISTENERS_MAX];
static size_t listener_count;

/* No descriptor, no memory: leave the clients in the queue for a while. */
static void
listener_rest(struct listener *l)
{
	static const struct timeval tv = { 0, LISTENER_REST_MS * 1000 };

	log_error("accept", "%s", strerror(errno));
	event_del(l->event);
	evtimer_add(l->rest, &tv);
}

static void
listener_on_rest(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	event_add(l->event, NULL);
}

static void
listener_on_client(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;
	struct sockaddr_storage peer;
	socklen_t len;
	int i, client;

	(void)what;
	for (i = 0; i < LISTENER_TURN_MAX; i++) {
		len = sizeof(peer);
		client = accept4(fd, (struct sockaddr *)&peer, &len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (client != -1) {
			session_start(l->w, client, &peer, l->implicit_tls);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			listener_rest(l);
		/* Anything else is that client's misfortune, or no client. */
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

static void
listener_add(struct worker *w, int fd, bool implicit_tls)
{
	struct listener *l = &listeners[listener_count];

	if (listener_count == LISTENERS_MAX)
		fatal("more than %d listening sockets", LISTENERS_MAX);
	listener_count++;
	evutil_make_socket_nonblocking(fd);
	l->w = w;
	l->fd = fd;
	l->implicit_tls = implicit_tls;
	l->event =
	    event_new(w->base, fd, EV_READ | EV_PERSIST, listener_on_client, l);
	l->rest = evtimer_new(w->base, listener_on_rest, l);
	if (l->event == NULL || l->rest == NULL)
		fatal("out of memory");
}

void
listener_take(struct worker *w, struct child_start *start)
{
	char name[CHILD_NAME_MAX + 1];
	size_t i;
	int fd;

	for (i = 0; i < w->conf->listen_count; i++) {
		const struct conf_listen *conf = &w->conf->listen[i];

		snprintf(name, sizeof(name), "listen.%s", conf->title);
		while ((fd = child_take_fd(start, name)) != -1)
			listener_add(w, fd, conf->tls == CONF_LISTEN_IMPLICIT);
	}
}

void
listener_begin(struct worker *w)
{
	size_t i;

	if (w->draining)
		return;
	for (i = 0; i < listener_count; i++)
		event_add(listeners[i].event, NULL);
}

void
listener_stop(void)
{
	size_t i;

	for (i = 0; i < listener_count; i++) {
		event_free(listeners[i].event);
		event_free(listeners[i].rest);
		close(listeners[i].fd);
	}
	listener_count = 0;
}
