/*
 * More auth workers while all of them sit in a slow backend: then callers
 * wait at their door, which a poll of the listening socket shows. A burst of
 * logins fills the door for a moment and is not worth a worker: so we ask
 * there, too, and grow only where nobody answers until the next look.
 */
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>

#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "conf/conf.h"
#include "daemon/supervisor.h"

enum { LOOK_MS = 100, PROBE_MS = 10 * LOOK_MS /* longer than a look */ };

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

/* Somebody took the probe, or it broke: no reason to grow. */
static void
on_answer(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct supervisor *s = arg;

	(void)who;
	(void)type;
	(void)body;
	link_free(s->auth_probe);
	s->auth_probe = NULL;
}

/* Wait at the door, too. */
static void
send_probe(struct supervisor *s)
{
	char path[512];
	struct wire_out body = { 0 };

	snprintf(path, sizeof(path), "%s/%s", s->run_dir, DOOR_AUTH_PATH);
	s->auth_probe = link_new_once(s->base, path, s);
	wire_put_u8(&body, 1);
	if (s->auth_probe != NULL &&
	    link_ask(s->auth_probe, MSG_AUTH_MECHANISMS, &body, PROBE_MS,
		on_answer, 0) == 0) {
		link_free(s->auth_probe);
		s->auth_probe = NULL;
	}
	wire_free(&body);
}

static bool
may_grow(const struct supervisor *s, unsigned n)
{
	/* Workers that start already will take them. */
	return s->ready && s->stop == STOP_NOT &&
	    n < (unsigned)s->current->conf->auth.workers_max &&
	    supervisor_serves(s, s->current);
}

static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	struct supervisor *s = arg;
	unsigned n = supervisor_count(s, ROLE_AUTH, s->current);
	bool waited = s->auth_probe != NULL;

	(void)fd;
	(void)what;
	link_free(s->auth_probe);
	s->auth_probe = NULL;
	if (waited && may_grow(s, n))
		grow(s, n);
	else if (may_grow(s, n) && somebody_waits(s->lasting.door_auth))
		send_probe(s);
	link_flush_all();
}

void
growth_start(struct supervisor *s)
{
	struct timeval look = { 0, LOOK_MS * 1000 };

	s->growth = event_new(s->base, -1, EV_PERSIST, on_look, s);
	if (s->growth == NULL || event_add(s->growth, &look) != 0)
		fatal("out of memory");
}

void
growth_stop(struct supervisor *s)
{
	link_free(s->auth_probe);
	link_flush_all();
	if (s->growth != NULL)
		event_free(s->growth);
}
