/*
 * The steps of a log on their way to the keeper: in order for each queue id,
 * asked again while the keeper may still come to know the id.
 */
#include "track/feed_queue.h"

#include <stdlib.h>
#include <string.h>

#include "track/feed_ids.h"

enum {
	STEPS_MAX = 200000,
	OCTETS_MAX = 64 << 20,
	RETRY_MS = 250,
	LEVELS = 4, /* pauses: each four times the one before */
	JOIN_GRACE_MS = 10000,
	BATCH_OCTETS = 768 * 1024
};

struct feed_queue {
	struct feed_queue_options options;
	struct feed_queue_counters counters;
	struct feed_ids ids;
	struct feed_id_list ready;
	struct feed_id_list waiting[LEVELS]; /* by due, each */
	struct feed_id_list parked;
	struct wire_out item; /* being made */
	uint64_t up;
	uint64_t log_time;
	bool crowded; /* it was full, and is not roomy yet: nobody reads */
};

struct feed_queue *
feed_queue_new(const struct feed_queue_options *options)
{
	struct feed_queue *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->options = *options;
	if (q->options.retry_ms == 0)
		q->options.retry_ms = RETRY_MS;
	if (q->options.steps_max == 0)
		q->options.steps_max = STEPS_MAX;
	if (q->options.octets_max == 0)
		q->options.octets_max = OCTETS_MAX;
	TAILQ_INIT(&q->ready);
	TAILQ_INIT(&q->parked);
	for (int i = 0; i < LEVELS; i++)
		TAILQ_INIT(&q->waiting[i]);
	if (feed_ids_init(&q->ids) == -1) {
		feed_queue_free(q);
		return NULL;
	}
	return q;
}

void
feed_queue_free(struct feed_queue *q)
{
	if (q == NULL)
		return;
	feed_ids_free(&q->ids);
	wire_free(&q->item);
	free(q);
}

void
feed_batch_free(struct feed_batch *batch)
{
	wire_free(&batch->items);
}

/* What the keeper would refuse ends the whole channel there: it stays here. */
static bool
make_item(struct feed_queue *q, const struct log_event *event)
{
	struct feed_item item = { .queue_id = event->queue_id,
		.time = event->status.time,
		.other_id = event->next_id,
		.event = event->status };
	struct wire_in in;

	item.kind = event->kind == LOGGED_STATUS ? FEED_STATUS
	    : event->kind == LOGGED_JOIN	 ? FEED_JOIN
						 : FEED_END;
	wire_begin(&q->item);
	feed_item_put(&q->item, &item);
	if (q->item.failed)
		return false;
	wire_read(&in, q->item.data, q->item.len);
	feed_item_get(&in, &item);
	return wire_end(&in) == 0;
}

static size_t
size_of(const struct feed_step *step)
{
	return sizeof(*step) + step->len;
}

/* A time of the log in ticks; what is not past is now. */
static uint64_t
base_of(uint64_t time, struct feed_now now)
{
	uint64_t age = now.wall > time ? now.wall - time : 0;

	return now.ticks > age ? now.ticks - age : 0;
}

static void
add_join(struct feed_step *step, struct feed_id *joined)
{
	step->joined = joined;
	joined->joins++;
	if (step->base > joined->join_base)
		joined->join_base = step->base;
}

static struct feed_step *
make_step(const struct wire_out *item, uint64_t time, struct feed_now now)
{
	struct feed_step *step = malloc(sizeof(*step) + item->len);

	if (step == NULL)
		return NULL;
	*step = (struct feed_step){
		.time = time, .base = base_of(time, now), .len = item->len
	};
	memcpy(step->item, item->data, item->len);
	return step;
}

static void
drop_if_unused(struct feed_queue *q, struct feed_id *id)
{
	if (id->state == FEED_ID_IDLE && id->joins == 0)
		feed_ids_drop(&q->ids, id);
}

static bool
is_same(struct octets a, struct octets b)
{
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

/* Is it a status of whom the join brings in under another address? */
static bool
read_aliased(const struct feed_step *step, const struct log_event *join,
    struct feed_item *item)
{
	struct wire_in in;

	wire_read(&in, step->item, step->len);
	feed_item_get(&in, item);
	return item->kind == FEED_STATUS &&
	    is_same(item->event.original.len > 0 ? item->event.original
						 : item->event.recipient,
		join->status.recipient);
}

/*
 * Lines of an id may stand before the one that joins it: only now it is known
 * what their recipient was submitted as. Without memory they stay as they are.
 */
static void
add_original(
    struct feed_queue *q, struct feed_id *joined, const struct log_event *join)
{
	struct feed_step *step, *next, *better;
	struct feed_item item;

	for (step = TAILQ_FIRST(&joined->steps); step != NULL; step = next) {
		next = TAILQ_NEXT(step, next);
		if (!read_aliased(step, join, &item))
			continue;
		item.event.original = join->status.original;
		wire_begin(&q->item);
		feed_item_put(&q->item, &item);
		better = q->item.failed ? NULL
					: malloc(sizeof(*better) + q->item.len);
		if (better == NULL)
			continue;
		*better = *step;
		better->len = q->item.len;
		memcpy(better->item, q->item.data, q->item.len);
		q->counters.octets += better->len - step->len;
		TAILQ_INSERT_AFTER(&joined->steps, step, better, next);
		TAILQ_REMOVE(&joined->steps, step, next);
		free(step);
	}
}

int
feed_queue_add(struct feed_queue *q, const struct log_event *event,
    struct feed_mark *mark, struct feed_now now)
{
	struct feed_id *id, *joined = NULL;
	struct feed_step *step;

	if (!make_item(q, event)) {
		q->counters.refused++;
		feed_mark_done(mark);
		return 0;
	}
	id = feed_ids_get(&q->ids, event->queue_id);
	if (id != NULL && event->kind == LOGGED_JOIN)
		joined = feed_ids_get(&q->ids, event->next_id);
	step = make_step(&q->item, event->status.time, now);
	if (id == NULL || step == NULL ||
	    (event->kind == LOGGED_JOIN && joined == NULL)) {
		free(step);
		return -1;
	}
	step->mark = mark;
	if (joined != NULL) {
		add_join(step, joined);
		if (event->status.original.len > 0)
			add_original(q, joined, event);
	}
	TAILQ_INSERT_TAIL(&id->steps, step, next);
	if (id->state == FEED_ID_IDLE)
		feed_id_move(id, FEED_ID_READY, &q->ready);
	q->counters.steps++;
	q->counters.waiting++;
	q->counters.octets += size_of(step);
	q->crowded = q->crowded || feed_queue_is_full(q);
	return 0;
}

bool
feed_queue_is_full(const struct feed_queue *q)
{
	return q->counters.waiting >= q->options.steps_max ||
	    q->counters.octets >= q->options.octets_max;
}

bool
feed_queue_is_roomy(const struct feed_queue *q)
{
	return q->counters.waiting <= q->options.steps_max / 4 * 3 &&
	    q->counters.octets <= q->options.octets_max / 4 * 3;
}

/* Returns how many steps of id it took. */
static size_t
take_of(struct feed_batch *b, struct feed_id *id)
{
	struct feed_step *step;
	size_t taken = 0;

	TAILQ_FOREACH(step, &id->steps, next) {
		if (b->count == FEED_ITEMS_MAX ||
		    b->items.len + step->len > BATCH_OCTETS ||
		    (taken > 0 && !id->ours))
			break;
		wire_put_raw(&b->items, step->item, step->len);
		if (b->items.failed)
			break;
		b->ids[b->count++] = id;
		taken++;
	}
	return taken;
}

bool
feed_queue_take(struct feed_queue *q, struct feed_batch *b, struct feed_now now)
{
	struct feed_id *id;

	wire_begin(&b->items);
	b->count = 0;
	b->asked = now.ticks;
	while ((id = TAILQ_FIRST(&q->ready)) != NULL && take_of(b, id) > 0)
		feed_id_move(id, FEED_ID_ASKED, NULL);
	return b->count > 0;
}

static void
wake(struct feed_queue *q, struct feed_id *id)
{
	id->ours = true;
	id->tries = 0;
	if (id->state == FEED_ID_ASKED)
		id->again = true;
	else if (id->state == FEED_ID_WAITING || id->state == FEED_ID_PARKED)
		feed_id_move(id, FEED_ID_READY, &q->ready);
}

static void
end_step(struct feed_queue *q, struct feed_id *id, struct feed_step *step,
    bool stored)
{
	struct feed_id *joined = step->joined;

	TAILQ_REMOVE(&id->steps, step, next);
	q->counters.waiting--;
	q->counters.octets -= size_of(step);
	q->crowded = q->crowded && !feed_queue_is_roomy(q);
	feed_mark_done(step->mark);
	free(step);
	if (joined == NULL)
		return;
	joined->joins--;
	if (stored)
		wake(q, joined);
	if (joined != id)
		drop_if_unused(q, joined);
}

static void
wait_for(struct feed_queue *q, struct feed_id *id, struct feed_now now)
{
	unsigned level = id->tries < LEVELS ? id->tries : LEVELS - 1;

	id->tries++;
	id->due = now.ticks + ((uint64_t)q->options.retry_ms << 2 * level);
	feed_id_move(id, FEED_ID_WAITING, &q->waiting[level]);
}

/* Was it asked since the time when it should have been known? */
static bool
is_asked_late(const struct feed_queue *q, const struct feed_id *id,
    const struct feed_step *step)
{
	uint64_t base = step->base > q->up ? step->base : q->up;

	/* What is to bring it in may come to be known as late as it may. */
	if (id->joins > 0) {
		if (base < id->join_base)
			base = id->join_base;
		base += q->options.wait + JOIN_GRACE_MS;
	}
	return id->asked >= base + q->options.wait;
}

static bool
is_log_past(const struct feed_queue *q, const struct feed_step *step)
{
	return q->crowded || q->log_time >= step->time + q->options.wait;
}

/* It is unknown: give up what may be, and let the others wait. */
static void
settle(struct feed_queue *q, struct feed_id *id, struct feed_now now)
{
	struct feed_step *step = TAILQ_FIRST(&id->steps), *after;

	for (; step != NULL; step = after) {
		if (!is_asked_late(q, id, step)) {
			wait_for(q, id, now);
			return;
		}
		if (!is_log_past(q, step)) {
			feed_id_move(id, FEED_ID_PARKED, &q->parked);
			return;
		}
		after = TAILQ_NEXT(step, next);
		q->counters.foreign++;
		end_step(q, id, step, false);
	}
	feed_id_move(id, FEED_ID_IDLE, NULL);
	drop_if_unused(q, id);
}

/* What the results say of the steps of one id. */
struct verdict {
	bool unknown;
	bool unavailable;
};

static struct verdict
take_results(struct feed_queue *q, struct feed_id *id, const uint8_t *results,
    size_t count)
{
	struct verdict v = { false, false };
	struct feed_step *step = TAILQ_FIRST(&id->steps), *after;

	for (size_t i = 0; i < count; i++, step = after) {
		uint8_t result =
		    results != NULL ? results[i] : FEED_UNAVAILABLE;

		after = TAILQ_NEXT(step, next);
		if (result == FEED_STORED || result == FEED_FULL) {
			if (result == FEED_STORED)
				q->counters.stored++;
			else
				q->counters.full++;
			end_step(q, id, step, result == FEED_STORED);
		} else if (result == FEED_UNKNOWN) {
			v.unknown = true;
		} else {
			v.unavailable = true;
		}
	}
	return v;
}

/* Some of the batch had an answer, so this id waits and others go on. */
static bool
is_answered(const uint8_t *results, size_t count)
{
	for (size_t i = 0; results != NULL && i < count; i++)
		if (results[i] <= FEED_FULL && results[i] != FEED_UNAVAILABLE)
			return true;
	return false;
}

static void
go_on(struct feed_queue *q, struct feed_id *id, struct verdict v,
    struct feed_now now)
{
	bool again = id->again;

	id->again = false;
	if (v.unknown && !again) {
		id->ours = false;
		settle(q, id, now);
	} else if (v.unavailable && !again) {
		wait_for(q, id, now);
	} else if (TAILQ_EMPTY(&id->steps)) {
		feed_id_move(id, FEED_ID_IDLE, NULL);
		drop_if_unused(q, id);
	} else {
		id->ours = true;
		id->tries = 0;
		feed_id_move(id, FEED_ID_READY, &q->ready);
	}
}

/* All of it is asked again before anything else, in the same order. */
static void
put_back(struct feed_queue *q, struct feed_batch *b)
{
	for (size_t i = b->count; i-- > 0;) {
		struct feed_id *id = b->ids[i];

		if (id->state != FEED_ID_ASKED)
			continue;
		id->again = false;
		id->state = FEED_ID_READY;
		id->list = &q->ready;
		TAILQ_INSERT_HEAD(&q->ready, id, next);
	}
}

void
feed_queue_answer(struct feed_queue *q, struct feed_batch *b,
    const uint8_t *results, struct feed_now now)
{
	size_t count;

	if (!is_answered(results, b->count)) {
		put_back(q, b);
		return;
	}
	for (size_t i = 0; i < b->count; i += count) {
		struct feed_id *id = b->ids[i];
		struct verdict v;

		for (count = 1; i + count < b->count && b->ids[i + count] == id;
		     count++)
			continue;
		id->asked = b->asked;
		v = take_results(q, id, results + i, count);
		go_on(q, id, v, now);
	}
}

void
feed_queue_up(struct feed_queue *q, uint64_t ticks)
{
	q->up = ticks;
}

/* They were parked in the order of the log, so the first is looked at only. */
static void
tick_parked(struct feed_queue *q, struct feed_now now)
{
	struct feed_id *id;

	while ((id = TAILQ_FIRST(&q->parked)) != NULL &&
	    is_log_past(q, TAILQ_FIRST(&id->steps)))
		settle(q, id, now);
}

void
feed_queue_tick(struct feed_queue *q, uint64_t log_time, struct feed_now now)
{
	struct feed_id *id;

	q->log_time = log_time;
	for (int i = 0; i < LEVELS; i++)
		while ((id = TAILQ_FIRST(&q->waiting[i])) != NULL &&
		    id->due <= now.ticks)
			feed_id_move(id, FEED_ID_READY, &q->ready);
	tick_parked(q, now);
}

const struct feed_queue_counters *
feed_queue_counters(const struct feed_queue *q)
{
	return &q->counters;
}
