/*
 * The asking end of the keeper's feed door: takes what is due from a queue,
 * asks in few and large questions, and asks again where nobody answered.
 */
#ifndef TRACK_FEED_KEEPER_H
#define TRACK_FEED_KEEPER_H

#include <stdbool.h>
#include <stdint.h>

#include "track/feed_queue.h"

struct event_base;
struct feed_keeper;

struct feed_keeper_options {
	const char *door;    /* path of the socket */
	const char *msa;     /* its name in the configuration */
	unsigned timeout_ms; /* of a question; 0: a minute */
	unsigned pause_ms;   /* first pause after no answer; 0: 250 */
};

enum feed_keeper_state {
	FEED_KEEPER_AWAY,   /* nobody is there */
	FEED_KEEPER_SILENT, /* there, but it has not answered yet */
	FEED_KEEPER_SHUTS,  /* it never answered: it hangs up, each time */
	FEED_KEEPER_BUSY,   /* it answers that it cannot take events now */
	FEED_KEEPER_WELL
};

/* NULL without memory. The queue must outlive it. */
struct feed_keeper *
feed_keeper_new(struct event_base *, const struct feed_keeper_options *,
    struct feed_queue *) __attribute__((warn_unused_result));
void feed_keeper_free(struct feed_keeper *);

/*
 * Ask what is due, if the keeper is there; at the end of a turn, before
 * link_flush_all().
 */
void feed_keeper_ask(struct feed_keeper *, struct feed_now);

enum feed_keeper_state feed_keeper_state(const struct feed_keeper *);

#endif
