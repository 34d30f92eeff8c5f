/*
 * The end of waybilld: proxies and tracker finish their sessions, the feed
 * leaves, then auth, and the keeper last, since what is in flight still has to
 * be settled.
 */
#include <event2/event.h>
#include <signal.h>

#include "common/log.h"
#include "conf/conf.h"
#include "daemon/notify.h"
#include "daemon/reload.h"
#include "daemon/supervisor.h"

enum {
	GRACE_MS = 5000,
	AUTH_MS = 1000,
	KEEPER_MS = 10000,
	KEEPER_KILL_MS = 30000
};

/*
 * An MSA may take end_timeout to say what became of a message, and its answer
 * is waited for in a drain, too: a lost one may mean mail sent twice.
 */
static void
drain_role(struct supervisor *s, enum role role, uint64_t ms)
{
	uint64_t kill_ms = ms + GRACE_MS;
	struct process *p, *next;

	if (role == ROLE_PROXY)
		kill_ms += (uint64_t)s->current->conf->msa.end_timeout;
	else if (role == ROLE_KEEPER)
		kill_ms = KEEPER_KILL_MS;
	for (p = TAILQ_FIRST(&s->processes); p != NULL; p = next) {
		next = TAILQ_NEXT(p, next);
		if (p->role == role)
			supervisor_drain(p, ms, kill_ms);
	}
}

/* Everybody who talks to somebody outside. */
static void
drain_outer(struct supervisor *s, uint64_t ms)
{
	drain_role(s, ROLE_PROXY, ms);
	drain_role(s, ROLE_TRACK, ms);
	drain_role(s, ROLE_FEED, ms);
}

static bool
outer_are_gone(const struct supervisor *s)
{
	return supervisor_count(s, ROLE_PROXY, NULL) == 0 &&
	    supervisor_count(s, ROLE_TRACK, NULL) == 0 &&
	    supervisor_count(s, ROLE_FEED, NULL) == 0;
}

static void
kill_all(struct supervisor *s)
{
	struct process *p;

	TAILQ_FOREACH(p, &s->processes, next)
		if (p->pid > 0)
			kill(p->pid, SIGKILL);
}

void
stop_order(struct supervisor *s)
{
	uint64_t ms = (uint64_t)s->current->conf->drain_timeout;

	switch (++s->stop_orders) {
	case 1:
		log_info("stopping", "sessions have %llu ms",
		    (unsigned long long)ms);
		notify_service_manager("STOPPING=1");
		s->stop = STOP_PROXIES;
		reload_abandon(s, "waybilld is stopping");
		generation_stop_listening(s->current);
		drain_outer(s, ms);
		break;
	case 2:
		log_info("stopping",
		    "at once, but for messages whose end was "
		    "sent; a third signal kills");
		drain_outer(s, 0);
		break;
	default:
		log_warning("stopping", "killing all processes");
		kill_all(s);
	}
	stop_proceed(s);
}

void
stop_proceed(struct supervisor *s)
{
	if (s->stop == STOP_PROXIES && outer_are_gone(s)) {
		s->stop = STOP_AUTH;
		drain_role(s, ROLE_AUTH, AUTH_MS);
	}
	if (s->stop == STOP_AUTH && supervisor_count(s, ROLE_AUTH, NULL) == 0) {
		s->stop = STOP_KEEPER;
		drain_role(s, ROLE_KEEPER, KEEPER_MS);
	}
	if (s->stop == STOP_KEEPER &&
	    supervisor_count(s, ROLE_KEEPER, NULL) == 0) {
		s->stop = STOP_DONE;
		log_info("stopped", "all processes have ended");
		event_base_loopexit(s->base, NULL);
	}
}
