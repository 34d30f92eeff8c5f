/*
 * More auth workers while all of them sit in a slow backend: then callers
 * wait at their door, which a poll of the listening socket shows.
 */
#include <event2/event.h>
#include <poll.h>

#include "common/log.h"
#include "conf/conf.h"
#include "daemon/supervisor.h"

enum { LOOK_MS = 100 };

static bool
somebody_waits(int door)
{
	struct pollfd p = { .fd = door, .events = POLLIN };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLIN) != 0;
}

static bool
index_is_free(const struct supervisor *s, uint32_t index)
{
	const struct process *p;

	TAILQ_FOREACH(p, &s->processes, next)
		if (p->role == ROLE_AUTH && p->generation == s->current &&
		    p->index == index)
			return false;
	return true;
}

static void
grow(struct supervisor *s, unsigned from)
{
	unsigned most = (unsigned)s->current->conf->auth.workers_max;
	unsigned to = from * 2 < most ? from * 2 : most;
	uint32_t index = (uint32_t)s->current->conf->auth.workers;
	struct log_line l;

	log_begin(&l, LOG_IS_INFO, "auth-grows");
	log_number(&l, "from", from);
	log_number(&l, "to", to);
	log_end(&l);
	for (unsigned n = from; n < to; index++) {
		if (!index_is_free(s, index))
			continue;
		supervisor_add(s, ROLE_AUTH, index, s->current);
		n++;
	}
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;
	unsigned n = supervisor_count(s, ROLE_AUTH, s->current);
	bool waited = s->auth_waited;

	(void)fd;
	(void)what;
	/* Workers that start already will take them. */
	s->auth_waited = s->ready && s->stop == STOP_NOT &&
	    n < (unsigned)s->current->conf->auth.workers_max &&
	    supervisor_serves(s, s->current) &&
	    somebody_waits(s->lasting.door_auth);
	if (waited && s->auth_waited) {
		s->auth_waited = false;
		grow(s, n);
	}
}

void
growth_start(struct supervisor *s)
{
	struct timeval look = { 0, LOOK_MS * 1000 };

	s->growth = event_new(s->base, -1, EV_PERSIST, on_look, s);
	if (s->growth == NULL || event_add(s->growth, &look) != 0)
		fatal("out of memory");
}
