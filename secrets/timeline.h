/*
 * Time that never runs back, for ENVIDs that never repeat (RFC 3885 3.2): each
 * (time, counter) is given once, across clock steps and restarts, as long as
 * the time given is covered by a reservation that is durable.
 */
#ifndef SECRETS_TIMELINE_H
#define SECRETS_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#define TIMELINE_COUNTERS (1u << 20) /* messages of one millisecond */
#define TIMELINE_AHEAD_MS 20000u     /* how far a reservation reaches */
#define TIMELINE_DAY_MS	  86400000ull

struct timeline {
	uint64_t time;	   /* ms since 1970: the highest given */
	uint32_t counter;  /* the highest given within it */
	uint64_t reserved; /* ms: no time above it may leave */
	uint64_t seen;	   /* ms: the highest the clock has shown */
	bool doubted;	   /* it leapt; the operator has not agreed */
};

/*
 * Begin after everything an earlier run may have given: reserved is its last
 * durable reservation (0: there was none), now the clock in ms. A clock more
 * than a day ahead of it is doubted, as is one that was doubted before.
 */
void timeline_start(
    struct timeline *, uint64_t reserved, bool doubted, uint64_t now);

/* The next (time, counter), as near to now as may be. */
void timeline_next(struct timeline *, uint64_t now);

/* May a time that was given leave, or must a reservation become durable? */
bool timeline_covers(const struct timeline *, uint64_t time);

/*
 * The reservation to write with the next batch, or 0 where half of the
 * present one is left. timeline_reserve() takes it once it is durable.
 */
uint64_t timeline_wants(const struct timeline *, uint64_t now);
void timeline_reserve(struct timeline *, uint64_t reserved);

/* Look at the clock. Returns whether it is doubted since this look. */
bool timeline_watch(struct timeline *, uint64_t now);

#endif
