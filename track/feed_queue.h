/*
 * The steps of a log on their way to the keeper: in order for each queue id,
 * asked again while the keeper may still come to know the id, and never
 * dropped before. It keeps no clock and does no I/O.
 */
#ifndef TRACK_FEED_QUEUE_H
#define TRACK_FEED_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/tracking_messages.h"
#include "common/wire.h"
#include "track/feed_marks.h"
#include "track/log_event.h"

struct feed_queue;
struct feed_id;

struct feed_queue_options {
	uint64_t wait;	   /* ms that an unknown id may become known */
	unsigned retry_ms; /* first pause before it is asked again; 0: 250 */
	size_t steps_max;  /* 0: 200,000 */
	size_t octets_max; /* 0: 64 MiB */
};

/* The times of one moment, in ms. */
struct feed_now {
	uint64_t ticks; /* runs evenly; never 0 */
	uint64_t wall;	/* since 1970 */
};

struct feed_queue_counters {
	uint64_t steps;	  /* taken in */
	uint64_t stored;  /* in a history, now or before */
	uint64_t full;	  /* of messages that have too many events */
	uint64_t foreign; /* given up: nobody's but the MSA's */
	uint64_t refused; /* no item for the keeper: too long, or no id */
	size_t waiting;	  /* not done with, those just read included */
	size_t octets;	  /* of them */
};

/* One question: items, in their order, and whose they are. */
struct feed_batch {
	struct wire_out items; /* without the MSA's name */
	uint16_t count;
	uint64_t asked; /* ticks */
	struct feed_id *ids[FEED_ITEMS_MAX];
};

/* NULL without memory. */
struct feed_queue *feed_queue_new(const struct feed_queue_options *)
    __attribute__((warn_unused_result));
void feed_queue_free(struct feed_queue *);

/*
 * Take in a step (LOGGED_STATUS, JOIN or END) that mark counts. A join that
 * has a recipient and its original tells what waiting steps of next_id lack.
 * Returns 0, or -1 without memory: whoever drops it instead would lose it.
 */
int feed_queue_add(struct feed_queue *, const struct log_event *,
    struct feed_mark *mark, struct feed_now)
    __attribute__((warn_unused_result));

/* Too many steps wait: read no more until it is roomy again. */
bool feed_queue_is_full(const struct feed_queue *);
bool feed_queue_is_roomy(const struct feed_queue *);

/*
 * Fill a batch (starting as {0}, or used before) with what is due; false where
 * nothing is. Of an id that may not be ours only one step is asked at a time.
 */
bool feed_queue_take(struct feed_queue *, struct feed_batch *, struct feed_now);

/* Its answer: a result an item; or NULL where there was none. */
void feed_queue_answer(struct feed_queue *, struct feed_batch *,
    const uint8_t *results, struct feed_now);

/*
 * The keeper answers since these ticks; what it does not know it may come to
 * know within wait of that, too.
 */
void feed_queue_up(struct feed_queue *, uint64_t ticks);

/*
 * Time has passed, and the log is read up to log_time (ms since 1970;
 * UINT64_MAX: to its end). Unknown ids are given up whose last question left
 * after their wait, once the log too is past that: a later line might have
 * joined them to one of ours.
 */
void feed_queue_tick(struct feed_queue *, uint64_t log_time, struct feed_now);

const struct feed_queue_counters *
feed_queue_counters(const struct feed_queue *);

void feed_batch_free(struct feed_batch *);

#endif
