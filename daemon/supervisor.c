/*
 * The children of waybilld: started in order, started again when they die.
 */
#include "daemon/supervisor.h"

#include <errno.h>
#include <event2/event.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/turn.h"
#include "conf/conf.h"
#include "daemon/notify.h"
#include "daemon/operator.h"
#include "daemon/reload.h"

enum {
	PAUSE_FIRST_MS = 100,
	PAUSE_LONGEST_MS = 10000,
	PAUSE_FORGOTTEN_MS = 60000, /* who lived longer starts anew */
	KEEPER_HEAD_START_MS = 3000,
	START_SLOW_MS = 30000,
	DEAF_MS = 2000,	 /* from the end of a channel to that of its process */
	STATUS_MAX = 700 /* octets of one; so that all of them fit */
};

static void
arm(struct event *timer, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	if (event_add(timer, &tv) != 0)
		fatal("out of memory");
}

static void
log_end_of(const struct process *p, int status)
{
	bool wanted = p->state == PROCESS_DRAINING ||
	    (p->role == ROLE_AUTH && status == 0);
	struct log_line l;

	log_begin(
	    &l, wanted && status == 0 ? LOG_IS_INFO : LOG_IS_ERROR, "exited");
	log_text(&l, "role", role_name(p->role));
	log_number(&l, "index", p->index);
	log_number(&l, "generation", p->generation->number);
	log_number(&l, "child", p->pid);
	if (WIFSIGNALED(status))
		log_number(&l, "signal", WTERMSIG(status));
	else
		log_number(&l, "status", WEXITSTATUS(status));
	log_end(&l);
}

static void
rest(struct process *p, uint64_t lived)
{
	struct log_line l;

	if (p->pause_ms == 0 || lived > PAUSE_FORGOTTEN_MS)
		p->pause_ms = PAUSE_FIRST_MS;
	else if (p->pause_ms * 2 < PAUSE_LONGEST_MS)
		p->pause_ms *= 2;
	else
		p->pause_ms = PAUSE_LONGEST_MS;
	p->restarts++;
	log_begin(&l, LOG_IS_WARNING, "restart");
	log_text(&l, "role", role_name(p->role));
	log_number(&l, "index", p->index);
	log_number(&l, "restarts", p->restarts);
	log_number(&l, "in_ms", p->pause_ms);
	log_end(&l);
	arm(p->timer, p->pause_ms);
}

static void
start(struct process *p)
{
	struct supervisor *s = p->supervisor;

	if (process_start(p, s->base, &s->lasting) < 0)
		rest(p, 0);
	else
		arm(p->timer, START_SLOW_MS);
}

/* Nobody hears it any more, and it would be taken for ready for ever. */
static void
kill_deaf(struct process *p)
{
	log_error("control",
	    "%s %u closed its channel and lives on; killing it",
	    role_name(p->role), p->index);
	kill(p->pid, SIGKILL);
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;

	(void)fd;
	(void)what;
	switch (p->state) {
	case PROCESS_RESTING:
		start(p);
		break;
	case PROCESS_STARTING:
		if (p->control < 0) {
			kill_deaf(p);
			break;
		}
		log_warning("slow-start", "%s %u does not serve after %d s",
		    role_name(p->role), p->index, START_SLOW_MS / 1000);
		break;
	case PROCESS_READY:
		if (p->control < 0)
			kill_deaf(p);
		break;
	case PROCESS_DRAINING:
		log_error("drain-over", "%s %u stays, killing it",
		    role_name(p->role), p->index);
		kill(p->pid, SIGKILL);
		break;
	}
}

struct process *
supervisor_add(struct supervisor *s, enum role role, uint32_t index,
    struct generation *generation)
{
	struct process *p = calloc(1, sizeof(*p));

	if (p == NULL || (p->timer = evtimer_new(s->base, on_timer, p)) == NULL)
		fatal("out of memory");
	p->supervisor = s;
	p->generation = generation_hold(generation);
	p->role = role;
	p->index = index;
	p->control = -1;
	TAILQ_INSERT_TAIL(&s->processes, p, next);
	start(p);
	return p;
}

static unsigned
proxy_count(const struct conf *conf)
{
	cpu_set_t set;

	if (conf->workers > 0)
		return (unsigned)conf->workers;
	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return 1;
	return CPU_COUNT(&set) < 256 ? (unsigned)CPU_COUNT(&set) : 256;
}

void
supervisor_add_generation(struct supervisor *s, struct generation *g)
{
	unsigned proxies = proxy_count(g->conf);

	for (uint32_t i = 0; i < (uint32_t)g->conf->auth.workers; i++)
		supervisor_add(s, ROLE_AUTH, i, g);
	for (uint32_t i = 0; i < proxies; i++)
		supervisor_add(s, ROLE_PROXY, i, g);
	for (enum role role = ROLE_TRACK; role <= ROLE_FEED; role++)
		if (role_is_wanted(g->conf, role))
			supervisor_add(s, role, 0, g);
}

static void
destroy_process(void *process)
{
	process_free(process);
}

/* Forget a process that does not run. */
static void
remove_process(struct process *p)
{
	TAILQ_REMOVE(&p->supervisor->processes, p, next);
	event_del(p->timer);
	turn_free_later(destroy_process, p);
}

void
supervisor_drain(struct process *p, uint64_t ms, uint64_t kill_ms)
{
	if (p->state == PROCESS_RESTING) {
		remove_process(p);
		return;
	}
	process_drain(p, ms);
	arm(p->timer, kill_ms);
}

unsigned
supervisor_count(
    const struct supervisor *s, enum role role, const struct generation *g)
{
	const struct process *p;
	unsigned n = 0;

	TAILQ_FOREACH(p, &s->processes, next)
		n += p->role == role && (g == NULL || p->generation == g);
	return n;
}

static bool
is_for_mail(enum role role)
{
	return role == ROLE_AUTH || role == ROLE_PROXY;
}

bool
supervisor_serves(const struct supervisor *s, const struct generation *g)
{
	const struct process *p;

	TAILQ_FOREACH(p, &s->processes, next)
		if (p->generation == g && is_for_mail(p->role) &&
		    p->state != PROCESS_READY)
			return false;
	return true;
}

static bool
keeper_serves(const struct supervisor *s)
{
	const struct process *p;

	TAILQ_FOREACH(p, &s->processes, next)
		if (p->role == ROLE_KEEPER && p->state == PROCESS_READY)
			return true;
	return false;
}

/* Log that everything serves, the first time that it does. */
static void
check_ready(struct supervisor *s)
{
	bool keeper = keeper_serves(s);
	struct log_line l;

	if (s->ready || !s->all_started || s->stop != STOP_NOT ||
	    !supervisor_serves(s, s->current) ||
	    (!keeper && clock_ms() - s->started < KEEPER_HEAD_START_MS))
		return;
	s->ready = true;
	log_begin(&l, keeper ? LOG_IS_INFO : LOG_IS_WARNING, "ready");
	log_text(&l, "keeper", keeper ? "up" : "down");
	log_number(&l, "generation", s->current->number);
	log_end(&l);
	notify_service_manager("READY=1");
}

static void
start_all(struct supervisor *s)
{
	if (!s->all_started && s->stop == STOP_NOT) {
		s->all_started = true;
		supervisor_add_generation(s, s->current);
	}
	check_ready(s);
}

static void
on_first(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	start_all(arg);
}

void
supervisor_start(struct supervisor *s)
{
	s->started = clock_ms();
	s->first = evtimer_new(s->base, on_first, s);
	if (s->first == NULL)
		fatal("out of memory");
	arm(s->first, KEEPER_HEAD_START_MS);
	supervisor_add(s, ROLE_KEEPER, 0, s->current);
	growth_start(s);
}

static void
heard_ready(struct process *p, struct frame_packet *packet)
{
	struct supervisor *s = p->supervisor;

	(void)packet;
	if (p->state != PROCESS_STARTING)
		return;
	process_set_state(p, PROCESS_READY);
	event_del(p->timer);
	if (p->role == ROLE_KEEPER)
		start_all(s);
	check_ready(s);
	reload_proceed(s);
}

static void
heard_status(struct process *p, struct frame_packet *packet)
{
	struct octets text = wire_get_octets(&packet->body, WIRE_BODY_MAX);

	if (text.len > STATUS_MAX)
		text.len = STATUS_MAX;
	free(p->status);
	p->status = text.data != NULL
	    ? strndup((const char *)text.data, text.len)
	    : NULL;
	/* One process, one line, whatever it says about itself. */
	for (char *c = p->status; c != NULL && *c != '\0'; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	if (packet->head.id == p->asked)
		p->asked = 0;
	operator_heard_status(p->supervisor);
}

static void
heard_outcome(struct process *p, struct frame_packet *packet)
{
	uint8_t done = wire_get_u8(&packet->body);
	struct octets text = wire_get_octets(&packet->body, WIRE_BODY_MAX);

	if (packet->head.type == MSG_CHILD_ACCEPT_CLOCK_IS)
		operator_heard_clock(p->supervisor, done, text);
	else if (done)
		log_info("snapshot", "the keeper has the new configuration");
	else
		log_error("snapshot",
		    "the keeper refuses the new configuration: %.*s",
		    (int)text.len, text.data);
}

/* What a child may say to us, and which. */
static const struct {
	unsigned type;
	bool keeper_only;
	void (*hear)(struct process *, struct frame_packet *);
} from_child[] = {
	{ MSG_CHILD_READY, false, heard_ready },
	{ MSG_CHILD_STATUS_IS, false, heard_status },
	{ MSG_CHILD_SNAPSHOT_IS, true, heard_outcome },
	{ MSG_CHILD_ACCEPT_CLOCK_IS, true, heard_outcome },
};

void
supervisor_heard(struct process *p, struct frame_packet *packet)
{
	for (size_t i = 0; i < sizeof(from_child) / sizeof(from_child[0]);
	     i++) {
		if (from_child[i].type != packet->head.type ||
		    (from_child[i].keeper_only && p->role != ROLE_KEEPER))
			continue;
		from_child[i].hear(p, packet);
		return;
	}
	log_error("control", "%s %u says %s; killing it", role_name(p->role),
	    p->index, message_name(packet->head.type));
	kill(p->pid, SIGKILL);
}

/* May it stay away? Extra auth workers leave when they have nothing to do. */
static bool
is_needed(const struct process *p, enum process_state was, int status)
{
	const struct supervisor *s = p->supervisor;

	if (was == PROCESS_DRAINING)
		return false;
	/* Sessions that drain still have their messages settled. */
	if (p->role == ROLE_KEEPER)
		return s->stop < STOP_KEEPER;
	if (s->stop != STOP_NOT)
		return false;
	if (p->generation != s->current)
		return !is_for_mail(p->role) && reload_is_of(s, p->generation);
	return !(p->role == ROLE_AUTH && status == 0 &&
	    p->index >= (uint32_t)s->current->conf->auth.workers);
}

static void
ended(struct process *p, int status)
{
	struct supervisor *s = p->supervisor;
	uint64_t lived = clock_ms() - p->started;
	enum process_state was = p->state;
	struct generation *of = p->generation;

	log_end_of(p, status);
	process_ended(p);
	event_del(p->timer);
	if (is_needed(p, was, status)) {
		rest(p, lived);
		if (p->role == ROLE_KEEPER)
			start_all(s);
	} else {
		remove_process(p);
		reload_lost(s, of);
	}
	operator_heard_status(s);
	stop_proceed(s);
}

void
supervisor_deaf(struct process *p)
{
	/* One that is drained has its limit already. */
	if (p->pid > 0 && p->state != PROCESS_DRAINING)
		arm(p->timer, DEAF_MS);
}

void
supervisor_reap(struct supervisor *s)
{
	struct process *p;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		TAILQ_FOREACH(p, &s->processes, next)
			if (p->pid == pid)
				break;
		if (p != NULL)
			ended(p, status);
	}
}

void
supervisor_free(struct supervisor *s)
{
	struct process *p;

	while ((p = TAILQ_FIRST(&s->processes)) != NULL)
		remove_process(p);
	turn_end();
	if (s->first != NULL)
		event_free(s->first);
	growth_stop(s);
	generation_release(s->current);
	free(s->run_dir);
}
