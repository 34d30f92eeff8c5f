/*
 * The exchanges of one auth process and the queue of their steps.
 */
#include "auth/worker.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "auth/sasl_setup.h"
#include "common/clock.h"
#include "common/door.h"
#include "common/log.h"
#include "common/messages.h"

/* A newcomer who has said nothing holds the door for this long. */
enum { WORKER_SILENCE_MS = 50 };

struct slot {
	struct worker *worker;
	uint64_t asker;
	struct exchange *exchange;
	struct event timer;
	bool silent; /* let in, and has not spoken yet */
	bool queued;
	bool done;   /* the verdict is given */
	bool begins; /* the step that waits is the first */
	uint64_t question;
	struct wire_out body; /* of the question that waits */
	TAILQ_ENTRY(slot) queue;
};

struct worker {
	const struct exchange_site *site;
	struct worker_limits limits;
	struct event_base *base;
	struct door *door;
	TAILQ_HEAD(slot_list, slot) queue;
	size_t silent;
	bool stopped;
	bool paused;
	uint64_t busy_at; /* clock_ms() */
	struct worker_counts counts;
};

static void
arm(struct slot *slot, uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	event_add(&slot->timer, &tv);
}

static void
has_spoken(struct slot *slot)
{
	if (slot->silent)
		slot->worker->silent--;
	slot->silent = false;
}

static void
on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct slot *slot = arg;

	(void)fd;
	(void)what;
	if (slot->silent) {
		has_spoken(slot);
		arm(slot, slot->worker->limits.idle_ms);
	} else if (!slot->queued) {
		door_close_asker(slot->worker->door, slot->asker);
	}
}

static void
on_opened(struct asker *asker)
{
	struct worker *worker = door_arg(asker);
	struct slot *slot = calloc(1, sizeof(*slot));

	worker->busy_at = clock_ms();
	if (slot == NULL) {
		door_close_asker(asker->door, asker->number);
		return;
	}
	asker->state = slot;
	slot->worker = worker;
	slot->asker = asker->number;
	slot->silent = true;
	worker->silent++;
	evtimer_assign(&slot->timer, worker->base, on_timer, slot);
	arm(slot, WORKER_SILENCE_MS);
}

static void
unqueue(struct slot *slot)
{
	if (!slot->queued)
		return;
	TAILQ_REMOVE(&slot->worker->queue, slot, queue);
	slot->worker->counts.waiting--;
	slot->queued = false;
}

static void
on_closed(struct asker *asker)
{
	struct slot *slot = asker->state;

	if (slot == NULL)
		return;
	slot->worker->busy_at = clock_ms();
	has_spoken(slot);
	unqueue(slot);
	event_del(&slot->timer);
	exchange_free(slot->exchange);
	wire_free(&slot->body);
	free(slot);
	asker->state = NULL;
}

/* The step runs at the end of a turn. Returns -1 for one too many. */
static int
queue_step(struct slot *slot, uint64_t id, const struct octets *body)
{
	if (slot == NULL || slot->queued || slot->done || id == 0)
		return -1;
	wire_begin(&slot->body);
	wire_put_raw(&slot->body, body->data, body->len);
	if (slot->body.failed)
		return -1;
	has_spoken(slot);
	event_del(&slot->timer);
	slot->question = id;
	slot->queued = true;
	TAILQ_INSERT_TAIL(&slot->worker->queue, slot, queue);
	slot->worker->counts.waiting++;
	return 0;
}

static int
answer_mechanisms(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct worker *worker = door_arg(asker);
	struct slot *slot = asker->state;
	uint8_t tls = wire_get_u8(body);
	struct wire_out out = { 0 };

	if (wire_end(body) == -1 || tls > 1 || slot == NULL)
		return -1;
	has_spoken(slot);
	if (!slot->queued)
		arm(slot, worker->limits.idle_ms);
	wire_put_u32(&out, worker->site->generation);
	wire_put_text(&out, sasl_setup_mechanisms(worker->site->setup, tls));
	door_answer(
	    asker->door, asker->number, id, MSG_AUTH_MECHANISMS_ARE, &out);
	wire_free(&out);
	return 0;
}

static int
answer_begin(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct slot *slot = asker->state;
	struct octets whole = { body->next, (size_t)(body->end - body->next) };
	struct auth_begin begin;

	auth_begin_get(body, &begin);
	if (wire_end(body) == -1 || slot == NULL || slot->exchange != NULL)
		return -1;
	slot->begins = true;
	return queue_step(slot, id, &whole);
}

static int
answer_step(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct slot *slot = asker->state;
	struct octets response = wire_get_octets(body, AUTH_RESPONSE_MAX);

	if (wire_end(body) == -1 || slot == NULL || slot->exchange == NULL)
		return -1;
	slot->begins = false;
	return queue_step(slot, id, &response);
}

/* What a proxy may ask of an auth process. */
static const struct door_rule from_proxy[] = {
	{ MSG_AUTH_MECHANISMS, answer_mechanisms },
	{ MSG_AUTH_BEGIN, answer_begin },
	{ MSG_AUTH_STEP, answer_step },
	{ 0, NULL },
};

static void
count_verdict(struct worker *worker, const struct slot *slot,
    const struct auth_verdict *verdict)
{
	struct log_line line;

	switch (verdict->result) {
	case AUTH_OK:
		worker->counts.accepted++;
		return;
	case AUTH_TEMPORARY:
		worker->counts.temporary++;
		break;
	default:
		worker->counts.refused++;
		return;
	}
	/* Who runs the password store must learn that it fails. */
	log_begin(&line, LOG_IS_WARNING, "auth-backend");
	log_text(&line, "user", verdict->login);
	log_text(&line, "msg", verdict->reason);
	log_number(&line, "exchange", (int64_t)slot->asker);
	log_end(&line);
}

static void
answer_outcome(struct slot *slot, struct exchange_outcome *outcome)
{
	struct worker *worker = slot->worker;
	struct wire_out out = { 0 };

	if (!outcome->done) {
		wire_put_octets(
		    &out, outcome->challenge.data, outcome->challenge.len);
		door_answer(worker->door, slot->asker, slot->question,
		    MSG_AUTH_CHALLENGE, &out);
		arm(slot, worker->limits.idle_ms);
	} else {
		count_verdict(worker, slot, &outcome->verdict);
		auth_verdict_put(&out, &outcome->verdict);
		door_answer(worker->door, slot->asker, slot->question,
		    MSG_AUTH_VERDICT, &out);
		door_close_asker(worker->door, slot->asker);
		slot->done = true;
	}
	wire_free(&out);
}

static void
run_step(struct slot *slot)
{
	struct worker *worker = slot->worker;
	struct exchange_outcome outcome;
	struct auth_begin begin;
	struct wire_in body;

	unqueue(slot);
	/*
	 * libsasl2 waits for saslauthd without end. A process that dies of
	 * the alarm is started again; its clients get 454.
	 */
	alarm(worker->limits.step_s);
	if (slot->begins) {
		wire_read(&body, slot->body.data, slot->body.len);
		auth_begin_get(&body, &begin);
		slot->exchange = exchange_begin(worker->site, &begin, &outcome);
	} else {
		exchange_step(slot->exchange,
		    (struct octets){ slot->body.data, slot->body.len },
		    &outcome);
	}
	alarm(0);
	worker->busy_at = clock_ms();
	answer_outcome(slot, &outcome);
	explicit_bzero(&outcome, sizeof(outcome));
	wire_free(&slot->body);
}

static void
decide_door(struct worker *worker)
{
	bool pause =
	    worker->stopped || worker->silent > 0 || worker_is_busy(worker);

	if (pause != worker->paused)
		door_pause(worker->door, pause);
	worker->paused = pause;
}

struct worker *
worker_new(struct event_base *base, int listener, uid_t uid,
    const struct exchange_site *site, const struct worker_limits *limits)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	struct door_owner owner = { .name = "auth",
		.rules = from_proxy,
		.arg = worker,
		.opened = on_opened,
		.closed = on_closed,
		.accept_max = 1 };

	if (worker == NULL)
		return NULL;
	worker->site = site;
	worker->limits = *limits;
	worker->base = base;
	worker->busy_at = clock_ms();
	TAILQ_INIT(&worker->queue);
	worker->door = door_open(base, listener, uid, &owner);
	if (worker->door == NULL) {
		free(worker);
		return NULL;
	}
	return worker;
}

void
worker_end_turn(struct worker *worker)
{
	struct slot *slot = TAILQ_FIRST(&worker->queue);

	if (slot != NULL)
		run_step(slot);
	decide_door(worker);
	door_flush_all();
}

bool
worker_is_busy(const struct worker *worker)
{
	return !TAILQ_EMPTY(&worker->queue);
}

void
worker_stop_accepting(struct worker *worker)
{
	worker->stopped = true;
	decide_door(worker);
}

uint64_t
worker_idle_s(const struct worker *worker)
{
	if (door_asker_count(worker->door) > 0)
		return 0;
	return (clock_ms() - worker->busy_at) / 1000;
}

void
worker_count(const struct worker *worker, struct worker_counts *counts)
{
	*counts = worker->counts;
	counts->exchanges = door_asker_count(worker->door);
}

void
worker_free(struct worker *worker)
{
	door_free(worker->door);
	door_flush_all();
	free(worker);
}
