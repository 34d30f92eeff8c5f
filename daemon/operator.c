/*
 * What waybillctl asks: status, reload, stop, accept-clock.
 */
#include "daemon/operator.h"

#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/door.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/wire.h"
#include "conf/conf.h"
#include "daemon/reload.h"
#include "daemon/supervisor.h"

enum { WAITING_MAX = 32, STATUS_WAIT_MS = 500, CLOCK_WAIT_MS = 5000 };

struct waiting {
	uint64_t asker;
	uint64_t id;
};

struct operator_door {
	struct supervisor *supervisor;
	struct door *door;
	int fd;
	uint64_t last_question;
	struct {
		size_t count;
		struct waiting list[WAITING_MAX];
		struct event *late;
	} waits[OPERATOR_WAITS_COUNT];
};

static void
answer_one(struct operator_door *o, const struct waiting *w, bool done,
    const char *text)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u8(&body, done);
	wire_put_text(&body, text);
	door_answer(o->door, w->asker, w->id, MSG_OPERATOR_IS, &body);
	wire_free(&body);
}

void
operator_answer(
    struct supervisor *s, enum operator_waits what, bool done, const char *text)
{
	struct operator_door *o = s->operators;

	if (o == NULL)
		return;
	if (o->waits[what].late != NULL)
		event_del(o->waits[what].late);
	for (size_t i = 0; i < o->waits[what].count; i++)
		answer_one(o, &o->waits[what].list[i], done, text);
	o->waits[what].count = 0;
}

void
operator_reloads_again(struct supervisor *s)
{
	struct operator_door *o = s->operators;

	if (o == NULL)
		return;
	o->waits[OPERATOR_WAITS_RELOAD] = o->waits[OPERATOR_WAITS_RELOAD_AGAIN];
	o->waits[OPERATOR_WAITS_RELOAD_AGAIN].count = 0;
}

/* Returns false where too many wait already. */
static bool
wait_for(struct operator_door *o, enum operator_waits what,
    const struct waiting *w, unsigned ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	if (o->waits[what].count == WAITING_MAX) {
		answer_one(o, w, false, "too many operators ask the same");
		return false;
	}
	o->waits[what].list[o->waits[what].count++] = *w;
	if (o->waits[what].late != NULL && o->waits[what].count == 1)
		event_add(o->waits[what].late, &tv);
	return true;
}

static void
write_status(const struct supervisor *s, FILE *out)
{
	static const char *const steps[] = { "running", "draining", "draining",
		"draining", "stopped" };
	const struct process *p;
	uint64_t now = clock_ms();

	fprintf(out,
	    "role=waybilld pid=%ld generation=%" PRIu32 " uptime=%" PRIu64
	    " state=%s version=%s\n",
	    (long)getpid(), s->current->number, (now - s->started) / 1000,
	    s->stop == STOP_NOT && !s->ready ? "starting" : steps[s->stop],
	    WAYBILL_VERSION);
	TAILQ_FOREACH(p, &s->processes, next)
		fprintf(out,
		    "role=%s index=%" PRIu32 " generation=%" PRIu32
		    " pid=%ld uptime=%" PRIu64 " restarts=%u state=%s%s%s\n",
		    role_name(p->role), p->index, p->generation->number,
		    (long)p->pid, p->pid > 0 ? (now - p->started) / 1000 : 0,
		    p->restarts, process_state_name(p->state),
		    p->status != NULL && *p->status != '\0' ? " " : "",
		    p->status != NULL ? p->status : "");
}

static void
answer_status(struct supervisor *s)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return;
	write_status(s, out);
	fclose(out);
	operator_answer(s, OPERATOR_WAITS_STATUS, true, text);
	free(text);
}

void
operator_heard_status(struct supervisor *s)
{
	const struct process *p;

	if (s->operators == NULL ||
	    s->operators->waits[OPERATOR_WAITS_STATUS].count == 0)
		return;
	TAILQ_FOREACH(p, &s->processes, next)
		if (p->asked != 0)
			return;
	answer_status(s);
}

void
operator_heard_clock(struct supervisor *s, uint8_t done, struct octets text)
{
	char copy[1024];

	snprintf(copy, sizeof(copy), "%.*s", (int)text.len, text.data);
	log_info("accept-clock", "%s", copy);
	operator_answer(s, OPERATOR_WAITS_CLOCK, done != 0, copy);
}

static void
on_late(evutil_socket_t fd, short what, void *arg)
{
	struct operator_door *o = arg;

	(void)fd;
	(void)what;
	if (o->waits[OPERATOR_WAITS_STATUS].count > 0)
		answer_status(o->supervisor);
}

static void
on_clock_late(evutil_socket_t fd, short what, void *arg)
{
	struct operator_door *o = arg;

	(void)fd;
	(void)what;
	operator_answer(o->supervisor, OPERATOR_WAITS_CLOCK, false,
	    "the keeper does not answer");
}

static int
answer_ask_status(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct operator_door *o = door_arg(asker);
	struct waiting w = { asker->number, id };
	struct process *p;

	if (wire_end(body) < 0)
		return -1;
	if (!wait_for(o, OPERATOR_WAITS_STATUS, &w, STATUS_WAIT_MS))
		return 0;
	TAILQ_FOREACH(p, &o->supervisor->processes, next) {
		if (p->state != PROCESS_READY && p->state != PROCESS_DRAINING)
			continue;
		p->asked = ++o->last_question;
		process_say(p, MSG_CHILD_STATUS, p->asked, NULL);
	}
	operator_heard_status(o->supervisor);
	return 0;
}

static int
answer_reload(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct operator_door *o = door_arg(asker);
	struct waiting w = { asker->number, id };

	if (wire_end(body) < 0)
		return -1;
	if (wait_for(o,
		o->supervisor->reload != NULL ? OPERATOR_WAITS_RELOAD_AGAIN
					      : OPERATOR_WAITS_RELOAD,
		&w, 0))
		reload_begin(o->supervisor);
	return 0;
}

static int
answer_stop(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct operator_door *o = door_arg(asker);
	struct waiting w = { asker->number, id };

	if (wire_end(body) < 0)
		return -1;
	answer_one(o, &w, true, "waybilld stops when its sessions end");
	stop_order(o->supervisor);
	return 0;
}

static int
answer_accept_clock(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct operator_door *o = door_arg(asker);
	struct waiting w = { asker->number, id };
	struct process *p;

	if (wire_end(body) < 0)
		return -1;
	TAILQ_FOREACH(p, &o->supervisor->processes, next)
		if (p->role == ROLE_KEEPER && p->state == PROCESS_READY)
			break;
	if (p == NULL)
		answer_one(o, &w, false, "the keeper does not run");
	else if (wait_for(o, OPERATOR_WAITS_CLOCK, &w, CLOCK_WAIT_MS))
		process_say(p, MSG_CHILD_ACCEPT_CLOCK, 0, NULL);
	return 0;
}

static const struct door_rule from_operator[] = {
	{ MSG_OPERATOR_STATUS, answer_ask_status },
	{ MSG_OPERATOR_RELOAD, answer_reload },
	{ MSG_OPERATOR_STOP, answer_stop },
	{ MSG_OPERATOR_ACCEPT_CLOCK, answer_accept_clock },
	{ 0, NULL },
};

struct operator_door *
operator_open(struct supervisor *s, int fd)
{
	struct operator_door *o = calloc(1, sizeof(*o));
	struct door_owner owner = {
		.name = "operator", .rules = from_operator, .arg = o
	};

	if (o == NULL)
		return NULL;
	o->supervisor = s;
	o->fd = fd;
	o->waits[OPERATOR_WAITS_STATUS].late = evtimer_new(s->base, on_late, o);
	o->waits[OPERATOR_WAITS_CLOCK].late =
	    evtimer_new(s->base, on_clock_late, o);
	o->door = door_open(s->base, fd, geteuid(), &owner);
	if (o->door == NULL || o->waits[OPERATOR_WAITS_STATUS].late == NULL ||
	    o->waits[OPERATOR_WAITS_CLOCK].late == NULL) {
		operator_free(o);
		return NULL;
	}
	return o;
}

void
operator_free(struct operator_door *o)
{
	if (o->door != NULL)
		door_free(o->door);
	for (int i = 0; i < OPERATOR_WAITS_COUNT; i++)
		if (o->waits[i].late != NULL)
			event_free(o->waits[i].late);
	close(o->fd);
	free(o);
}
