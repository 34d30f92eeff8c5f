/*
 * The queue ids that have steps under way, each with its steps in order.
 */
#ifndef TRACK_FEED_IDS_H
#define TRACK_FEED_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/tracking_messages.h"
#include "common/wire.h"
#include "track/feed_marks.h"

struct feed_id;

struct feed_step {
	TAILQ_ENTRY(feed_step) next;
	struct feed_mark *mark;
	struct feed_id *joined; /* JOIN: the id it brings in, else NULL */
	uint64_t time;		/* of its line, ms since 1970 */
	uint64_t base;		/* the same in ticks, if it is past */
	size_t len;
	uint8_t item[]; /* as it goes to the keeper */
};

TAILQ_HEAD(feed_steps, feed_step);
TAILQ_HEAD(feed_id_list, feed_id);

enum feed_id_state {
	FEED_ID_IDLE,	 /* in no list: it has no steps */
	FEED_ID_READY,	 /* to be asked */
	FEED_ID_ASKED,	 /* in no list */
	FEED_ID_WAITING, /* to be asked at a time */
	FEED_ID_PARKED	 /* to be given up, unless a join comes */
};

struct feed_id {
	TAILQ_ENTRY(feed_id) next; /* of its list */
	struct feed_id_list *list; /* NULL: none */
	struct feed_id *bucket;
	struct feed_steps steps;
	enum feed_id_state state;
	bool ours;	    /* the keeper knows it */
	bool again;	    /* a join was stored while it was asked */
	unsigned tries;	    /* without success */
	unsigned joins;	    /* steps under way that bring it in */
	uint64_t join_base; /* the latest of them, in ticks */
	uint64_t due;	    /* while waiting, ticks */
	uint64_t asked;	    /* when the last question left that was answered */
	uint64_t hash;
	size_t len;
	uint8_t text[];
};

struct feed_ids {
	struct feed_id **buckets;
	uint64_t secret;
};

/* Returns 0, or -1 without memory. */
int feed_ids_init(struct feed_ids *) __attribute__((warn_unused_result));
/* Frees the ids and their steps, too. */
void feed_ids_free(struct feed_ids *);

/* The id of that text, new and idle if it is not there; NULL without memory. */
struct feed_id *feed_ids_get(struct feed_ids *, struct octets text);
/* It is in no list and has no steps. */
void feed_ids_drop(struct feed_ids *, struct feed_id *);

/* Go to the end of a list (NULL: of none), in that state. */
void
feed_id_move(struct feed_id *, enum feed_id_state, struct feed_id_list *list);

#endif
