/*
 * Which message an MSA's queue id means at a time: ids come back, so each
 * means its message in a window of time only.
 *
 * A settle claims an id for its message, and a proxy that was taken over can
 * claim any. So a claim alone ends nothing: of those that may hold at the time
 * of an event (the MSA's clock), it belongs to
 *
 *  1. one that the log has spoken of already: up to its END, or for as long
 *     as the MSA keeps a message where that was never seen;
 *  2. else one of which the log has been silent for less than a day;
 *  3. else any other;
 *
 * the earliest claim of 1 and 2, the latest of 3. The time of a claim is when
 * the keeper took it, which no proxy can set back; no event is older than the
 * mint of its message. An END ends the claim that has its time.
 *
 * A later claim therefore gets nothing of a message in its life; a message
 * whose settle comes before the END of the one before it has all that follows
 * that END, since the feed tells things in their order; and where no feed was
 * running and no END was seen, an id that comes back means the message of now.
 */
#ifndef SECRETS_QUEUE_IDS_H
#define SECRETS_QUEUE_IDS_H

#include "secrets/vault_inside.h"

/* Messages that one queue id has meant; later claims are not looked at. */
#define QUEUE_IDS_MAX 64

struct queue_window {
	struct envid_parts parts; /* all but the kind */
	uint64_t since;		  /* ms since 1970 */
	uint64_t until;		  /* 0: it still does */
	uint64_t claimed;	  /* ms, by the keeper's clock */
	bool told;		  /* the log has spoken of it */
};

/* Windows that were put and may not be written yet: say more than the store. */
struct queue_pending {
	uint8_t hash[SEAL_HASH_LEN];
	struct queue_window window;
};

struct queue_pendings {
	struct queue_pending *list;
	size_t count;
	size_t size;
};

struct queue_search {
	struct vault *vault;
	struct slow *slow; /* marked while the store is asked */
	const struct queue_pendings *pendings;
	uint8_t prefix[1 + SEAL_HASH_LEN];
	uint32_t day;	 /* the last one that was searched */
	unsigned claims; /* of that day, seen so far */
	bool finished;
	bool failed;	/* a day could not be read */
	bool contested; /* told already */
	size_t count;
	struct queue_window windows[QUEUE_IDS_MAX];
};

/*
 * The keyed hash of the name of the MSA and a queue id of its. Returns 0, or
 * -1 where they are too long, or OpenSSL fails.
 */
int
queue_id_hash(const struct vault *, struct octets msa, struct octets queue_id,
    uint8_t hash[SEAL_HASH_LEN]) __attribute__((warn_unused_result));

/* Begin; then queue_search_step() until finished, when slow is not waiting. */
void queue_search_start(struct queue_search *, struct slow *,
    const struct queue_pendings *, const uint8_t hash[SEAL_HASH_LEN]);
void queue_search_step(struct queue_search *);

/*
 * The window that the id had at time, or NULL where it meant none of ours, or
 * might mean one of two. Logs know seconds, and clocks differ a little. One
 * that another message claims as well is counted and logged.
 */
struct queue_window *queue_search_at(struct queue_search *, uint64_t time);

/*
 * The claim of a message that is settled now: the id means it since its ENVID
 * was given, or since sent (ms) where that is ahead of a clock that was set.
 */
struct queue_claim queue_claim_now(
    const struct vault *, const struct envid_parts *, uint64_t sent);
/*
 * Put the claim of a message into the present group, unless it has no queue
 * id, or one that is too long for a log's.
 */
void queue_claim_put(struct vault *, const struct envid_parts *,
    const struct mail_record *, const struct queue_claim *);

/*
 * Put a window that the log speaks of into the present group, and into the
 * list. Returns 0, or -1 without memory.
 */
int queue_window_put(struct vault *, struct queue_pendings *,
    const uint8_t hash[SEAL_HASH_LEN], const struct queue_window *)
    __attribute__((warn_unused_result));

#endif
