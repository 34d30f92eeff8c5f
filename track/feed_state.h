/*
 * The state file of a feed: how far its log is done with, and the lock by
 * which only one feed at a time goes on from there.
 */
#ifndef TRACK_FEED_STATE_H
#define TRACK_FEED_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track/follow_record.h"

struct feed_state {
	const char *path; /* NULL: nothing is kept */
	int lock;
	bool failing;  /* it could not be written the last time */
	uint64_t next; /* ticks: not to be written before */
	struct follow_record stored;
};

enum feed_lock {
	FEED_LOCK_OURS,
	FEED_LOCK_BUSY,	 /* another feed has it */
	FEED_LOCK_OTHER, /* it belongs to another log: see why */
	FEED_LOCK_FAILED /* see why */
};

/*
 * Take PATH.lock without waiting, and note there which log it is for (an
 * absolute path, "-" for standard input). Why not goes to why.
 */
enum feed_lock feed_state_lock(struct feed_state *, const char *log, char *why,
    size_t size) __attribute__((warn_unused_result));

/*
 * Read where to go on: 0 with a zero record where there is no file, 1 the
 * same where the file is damaged (what is read again counts once), or -1 with
 * errno.
 */
int feed_state_read(struct feed_state *) __attribute__((warn_unused_result));

/*
 * Store at, if it is another place: at most once a second unless now is 0,
 * the first time at once. A failure is logged once and tried again.
 */
void feed_state_store(
    struct feed_state *, const struct follow_record *at, uint64_t now);

void feed_state_close(struct feed_state *);

#endif
