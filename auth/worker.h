/*
 * The auth door: many exchanges at once, one step at a time. Only a step of
 * libsasl2 blocks, so nobody new is let in while steps wait to run: another
 * worker, at the same listening socket, takes them (RFC 4954).
 */
#ifndef AUTH_WORKER_H
#define AUTH_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "auth/exchange.h"

struct event_base;
struct worker;

struct worker_counts {
	size_t exchanges;  /* open now */
	size_t waiting;	   /* steps that wait to run */
	uint64_t accepted; /* logins, since the start */
	uint64_t refused;
	uint64_t temporary;
};

struct worker_limits {
	uint64_t idle_ms; /* how long a client may think */
	unsigned step_s;  /* a step that takes longer ends the process */
};

/* Serve listener, where a proxy of uid asks. Returns NULL without memory. */
struct worker *worker_new(struct event_base *, int listener, uid_t uid,
    const struct exchange_site *, const struct worker_limits *);

/*
 * At the end of each turn of the event loop: run one step, if any waits, and
 * decide whether the next turn lets somebody in.
 */
void worker_end_turn(struct worker *);

/* Does a step wait? Then the event loop must not block. */
bool worker_is_busy(const struct worker *);

/* Let nobody in any more. */
void worker_stop_accepting(struct worker *);

/* Seconds since something was done, 0 while there are exchanges. */
uint64_t worker_idle_s(const struct worker *);

void worker_count(const struct worker *, struct worker_counts *);
void worker_free(struct worker *);

#endif
