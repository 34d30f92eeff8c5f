/*
 * Reloading: read, compare, start the new, let the old go.
 */
#include "daemon/reload.h"

#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/messages.h"
#include "conf/conf.h"
#include "daemon/operator.h"
#include "daemon/run_dir.h"
#include "daemon/supervisor.h"

enum {
	SERVE_WITHIN_S = 30,
	AUTH_LEAVES_MS = 600000,
	FEED_LEAVES_MS = 5000,
	FEED_GRACE_MS = 10000, /* the new one waits for its lock */
	GRACE_MS = 60000
};

struct reload {
	struct generation *generation;
	struct event *timer;
	bool again; /* it was ordered once more meanwhile */
};

static void
refuse(struct supervisor *s, const char *why)
{
	log_error("reload-refused", "%s; the old configuration goes on", why);
	operator_answer(s, OPERATOR_WAITS_RELOAD, false, why);
}

static void
forget(struct supervisor *s)
{
	struct reload *r = s->reload;
	bool again = r->again;

	s->reload = NULL;
	event_free(r->timer);
	free(r);
	if (again) {
		operator_reloads_again(s);
		reload_begin(s);
	}
}

/* What children of an earlier generation were told cannot change. */
static const char *
needs_restart(const struct conf *a, const struct conf *b)
{
	const char *vault = conf_vault_differs(a, b);

	if (vault != NULL)
		return vault;
	if (strcmp(a->run_dir, b->run_dir) != 0)
		return "run_dir";
	if (strcmp(a->user_proxy, b->user_proxy) != 0)
		return "user_proxy";
	if (strcmp(a->user_auth, b->user_auth) != 0)
		return "user_auth";
	if (strcmp(a->user_keeper, b->user_keeper) != 0)
		return "user_keeper";
	if (strcmp(a->user_feed, b->user_feed) != 0)
		return "user_feed";
	if (strcmp(a->user_track, b->user_track) != 0)
		return "user_track";
	return NULL;
}

/* Mistakes are many lines: each becomes one of the log. */
static struct conf *
read_conf(struct supervisor *s)
{
	struct conf *conf;
	char *said = NULL, *rest, *line;
	size_t len;
	FILE *out = open_memstream(&said, &len);

	if (out == NULL)
		return NULL;
	conf = conf_read_to(s->file, out);
	fclose(out);
	if (conf == NULL)
		operator_answer(s, OPERATOR_WAITS_RELOAD, false, said);
	rest = said;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '\0')
			continue;
		if (conf == NULL)
			log_error("configuration", "%s", line);
		else
			log_warning("configuration", "%s", line);
	}
	free(said);
	if (conf == NULL)
		log_error("reload-refused",
		    "the new configuration has mistakes; the old one goes on");
	return conf;
}

/*
 * The keeper and its doors know users by the numbers they had at the start: a
 * user made since then would be let in nowhere.
 */
static bool
are_known_users(const struct generation *g, const struct generation *old,
    char *why, size_t size)
{
	for (int role = 0; role < ROLE_COUNT; role++) {
		if (!role_is_wanted(g->conf, (enum role)role) ||
		    g->identities[role].uid == old->identities[role].uid)
			continue;
		snprintf(why, size,
		    "the user \"%s\" was made after waybilld was started: "
		    "restart needed",
		    g->identities[role].user);
		return false;
	}
	return true;
}

static struct generation *
make_generation(struct supervisor *s)
{
	struct conf *conf = read_conf(s);
	struct generation *g;
	const char *name;
	char why[512];

	if (conf == NULL)
		return NULL;
	name = needs_restart(s->current->conf, conf);
	if (name != NULL) {
		snprintf(
		    why, sizeof(why), "%s was changed: restart needed", name);
		conf_free(conf);
		refuse(s, why);
		return NULL;
	}
	g = generation_new(
	    conf, ++s->last_number, s->current, why, sizeof(why));
	if (g != NULL && !are_known_users(g, s->current, why, sizeof(why))) {
		generation_release(g);
		g = NULL;
	}
	if (g == NULL)
		refuse(s, why);
	else
		run_dir_make_feed(g->conf, &g->identities[ROLE_FEED]);
	return g;
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	reload_abandon(arg, "the new processes do not serve within 30 s");
}

void
reload_begin(struct supervisor *s)
{
	struct timeval limit = { SERVE_WITHIN_S, 0 };
	struct generation *g;

	if (s->stop != STOP_NOT || !s->all_started) {
		refuse(s,
		    s->stop != STOP_NOT ? "waybilld is stopping"
					: "waybilld is still starting");
		return;
	}
	if (s->reload != NULL) {
		s->reload->again = true;
		return;
	}
	g = make_generation(s);
	if (g == NULL)
		return;
	s->reload = calloc(1, sizeof(*s->reload));
	if (s->reload == NULL ||
	    (s->reload->timer = evtimer_new(s->base, on_late, s)) == NULL ||
	    event_add(s->reload->timer, &limit) != 0)
		fatal("out of memory");
	s->reload->generation = g;
	log_info("reloading", "generation %u starts", g->number);
	listeners_log(&g->listeners);
	supervisor_add_generation(s, g);
}

/* Old sessions go on for as long as a session may. */
static void
drain_old(struct supervisor *s, const struct generation *old)
{
	uint64_t session = (uint64_t)old->conf->limits.session_max;
	uint64_t end = (uint64_t)old->conf->msa.end_timeout;
	uint64_t tracker = (uint64_t)old->conf->drain_timeout;
	struct process *p, *next;

	for (p = TAILQ_FIRST(&s->processes); p != NULL; p = next) {
		next = TAILQ_NEXT(p, next);
		if (p->generation != old)
			continue;
		if (p->role == ROLE_PROXY)
			supervisor_drain(p, session, session + end + GRACE_MS);
		else if (p->role == ROLE_AUTH)
			supervisor_drain(
			    p, AUTH_LEAVES_MS, AUTH_LEAVES_MS + GRACE_MS);
		else if (p->role == ROLE_TRACK)
			supervisor_drain(p, tracker, tracker + GRACE_MS);
		else if (p->role == ROLE_FEED)
			supervisor_drain(p, FEED_LEAVES_MS, FEED_GRACE_MS);
	}
}

/* The keeper outlives generations: it is sent the new snapshot. */
static void
tell_keeper(struct supervisor *s)
{
	struct process *p;

	TAILQ_FOREACH(p, &s->processes, next) {
		if (p->role != ROLE_KEEPER)
			continue;
		generation_release(p->generation);
		p->generation = generation_hold(s->current);
		process_snapshot(p);
	}
}

void
reload_proceed(struct supervisor *s)
{
	struct generation *old = s->current;
	struct log_line l;

	if (s->reload == NULL || !supervisor_serves(s, s->reload->generation))
		return;
	s->current = s->reload->generation;
	log_start("waybilld", &s->current->conf->log, s->current->log);
	generation_stop_listening(old);
	drain_old(s, old);
	tell_keeper(s);
	generation_release(old);
	log_begin(&l, LOG_IS_INFO, "reloaded");
	log_number(&l, "generation", s->current->number);
	log_end(&l);
	operator_answer(
	    s, OPERATOR_WAITS_RELOAD, true, "the new configuration is in use");
	forget(s);
}

void
reload_abandon(struct supervisor *s, const char *why)
{
	struct process *p, *next;
	struct generation *g;

	if (s->reload == NULL)
		return;
	g = s->reload->generation;
	for (p = TAILQ_FIRST(&s->processes); p != NULL; p = next) {
		next = TAILQ_NEXT(p, next);
		if (p->generation == g)
			supervisor_drain(p, 0, GRACE_MS);
	}
	refuse(s, why);
	generation_stop_listening(g);
	generation_release(g);
	forget(s);
}

bool
reload_is_of(const struct supervisor *s, const struct generation *g)
{
	return s->reload != NULL && s->reload->generation == g;
}

void
reload_lost(struct supervisor *s, const struct generation *g)
{
	if (reload_is_of(s, g))
		reload_abandon(s,
		    "a process of the new configuration ended before it "
		    "served; the log says why");
}
