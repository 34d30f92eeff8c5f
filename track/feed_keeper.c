/*
 * The asking end of the keeper's feed door (EVENTS).
 */
#include "track/feed_keeper.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"

enum {
	BATCHES = 4, /* in flight */
	TIMEOUT_MS = 60000,
	PAUSE_MS = 250,
	PAUSE_MAX_MS = 4000,
	SHUT_TIMES = 3 /* that it hung up without an answer */
};

struct feed_keeper {
	struct feed_keeper_options options;
	struct feed_queue *queue;
	struct link *link;
	struct wire_out body;
	struct feed_batch batches[BATCHES];
	bool asked[BATCHES]; /* it is in flight */
	unsigned in_flight;
	unsigned pause_ms;
	uint64_t pause_until; /* ticks */
	unsigned ups;	      /* since the last answer */
	bool let_in;	      /* there ever was one */
	bool busy;
};

static struct feed_now
now_is(void)
{
	return (struct feed_now){ clock_ms() + 1, clock_wall_ms() };
}

static void
on_up(void *arg)
{
	struct feed_keeper *k = arg;

	/* A keeper that came and went while nothing was asked hung up on none.
	 */
	k->ups = feed_queue_counters(k->queue)->waiting > 0 ? k->ups + 1 : 1;
	k->pause_until = 0;
}

static bool
is_busy(const uint8_t *results, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (results[i] != FEED_UNAVAILABLE)
			return false;
	return true;
}

/* The results of a batch, or NULL where there is none that makes sense. */
static const uint8_t *
read_results(struct feed_keeper *k, const struct feed_batch *b, unsigned type,
    struct wire_in *body)
{
	uint16_t count = wire_get_u16(body);
	const uint8_t *results = body->next;

	if (type == 0)
		return NULL;
	if (type != MSG_EVENTS_ARE || count != b->count ||
	    (size_t)(body->end - body->next) != count) {
		log_error("keeper_malformed",
		    "the keeper's answer (type %u) is malformed", type);
		link_reset(k->link);
		return NULL;
	}
	return results;
}

static void
pause_asking(struct feed_keeper *k, uint64_t ticks)
{
	unsigned first =
	    k->options.pause_ms > 0 ? k->options.pause_ms : PAUSE_MS;

	k->pause_ms = k->pause_ms == 0 ? first : 2 * k->pause_ms;
	if (k->pause_ms > PAUSE_MAX_MS)
		k->pause_ms = PAUSE_MAX_MS;
	k->pause_until = ticks + k->pause_ms;
}

/* Unknown ids wait from when it could know them: when it answers again. */
static void
on_results(
    struct feed_keeper *k, const uint8_t *results, size_t count, uint64_t ticks)
{
	if (results != NULL && k->ups > 0) {
		feed_queue_up(k->queue, ticks);
		k->ups = 0;
		k->let_in = true;
	}
	k->busy = results != NULL && is_busy(results, count);
	if (results == NULL || k->busy)
		pause_asking(k, ticks);
	else
		k->pause_ms = 0;
}

static void
on_answer(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct feed_keeper *k = arg;
	struct feed_batch *b = &k->batches[who];
	const uint8_t *results = read_results(k, b, type, body);
	struct feed_now now = now_is();

	k->asked[who] = false;
	k->in_flight--;
	on_results(k, results, b->count, now.ticks);
	feed_queue_answer(k->queue, b, results, now);
}

struct feed_keeper *
feed_keeper_new(struct event_base *base,
    const struct feed_keeper_options *options, struct feed_queue *queue)
{
	struct feed_keeper *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return NULL;
	k->options = *options;
	k->queue = queue;
	k->link = link_new(base, options->door, k);
	if (k->link == NULL) {
		free(k);
		return NULL;
	}
	link_on_up(k->link, on_up);
	return k;
}

void
feed_keeper_free(struct feed_keeper *k)
{
	if (k == NULL)
		return;
	link_free(k->link);
	for (int i = 0; i < BATCHES; i++)
		feed_batch_free(&k->batches[i]);
	wire_free(&k->body);
	free(k);
}

/* Returns false where nothing is due, or could be asked. */
static bool
ask_batch(struct feed_keeper *k, unsigned which, struct feed_now now)
{
	struct feed_batch *b = &k->batches[which];
	unsigned timeout =
	    k->options.timeout_ms > 0 ? k->options.timeout_ms : TIMEOUT_MS;

	if (!feed_queue_take(k->queue, b, now))
		return false;
	wire_begin(&k->body);
	wire_put_text(&k->body, k->options.msa);
	wire_put_u16(&k->body, b->count);
	wire_put_raw(&k->body, b->items.data, b->items.len);
	if (link_ask(k->link, MSG_EVENTS, &k->body, timeout, on_answer,
		which) == 0) {
		feed_queue_answer(k->queue, b, NULL, now);
		pause_asking(k, now.ticks);
		return false;
	}
	k->asked[which] = true;
	k->in_flight++;
	return true;
}

void
feed_keeper_ask(struct feed_keeper *k, struct feed_now now)
{
	unsigned most = k->ups > 0 || k->pause_ms > 0 ? 1 : BATCHES;

	if (!link_is_up(k->link) || now.ticks < k->pause_until)
		return;
	for (unsigned i = 0; i < BATCHES && k->in_flight < most; i++)
		if (!k->asked[i] && !ask_batch(k, i, now))
			return;
}

enum feed_keeper_state
feed_keeper_state(const struct feed_keeper *k)
{
	if (!k->let_in && k->ups > SHUT_TIMES)
		return FEED_KEEPER_SHUTS;
	if (!link_is_up(k->link))
		return FEED_KEEPER_AWAY;
	if (k->ups > 0)
		return FEED_KEEPER_SILENT;
	return k->busy ? FEED_KEEPER_BUSY : FEED_KEEPER_WELL;
}
