/*
 * Group commit: what one turn of the keeper wants written goes to the
 * store as one batch with one sync, and all who wait are told together.
 */
#ifndef SECRETS_GROUP_H
#define SECRETS_GROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/wire.h"
#include "secrets/store.h"

/* One who waits; part of an object that lives until done is called. */
struct group_waiter {
	void (*done)(struct group_waiter *, enum store_status);
	STAILQ_ENTRY(group_waiter) next;
};

STAILQ_HEAD(group_waiters, group_waiter);

struct group {
	struct store *store;
	struct store_batch *batch; /* being gathered; NULL: none yet */
	struct group_waiters waiters;
	unsigned waiting;
	bool failed;	  /* no memory for the batch */
	uint64_t batches; /* committed */
	uint64_t lost;	  /* not committed, with all that lay in them */
	uint64_t largest; /* who waited for one of them */
};

void group_start(struct group *, struct store *);

void group_put(
    struct group *, uint32_t family, struct octets key, struct octets value);
void group_delete(struct group *, uint32_t family, struct octets key);

/*
 * Be told when what was put since the last commit is durable (or is not). An
 * engine commits batches in their order; who puts over several commits sees by
 * `lost` whether all of them were.
 */
void group_wait(struct group *, struct group_waiter *);

/* Does anybody wait? */
bool group_is_wanted(const struct group *);
/*
 * Commit. What nobody waits for stays until somebody does, or until flush
 * says that it must go.
 */
void group_commit(struct group *, bool flush);

#endif
