/*
 * The stored events of a message: sealed under the account's seal key, bound
 * to the message and to what they say, so that none comes twice (RFC 3886).
 */
#ifndef SECRETS_EVENTS_H
#define SECRETS_EVENTS_H

#include "common/tracking_messages.h"
#include "secrets/vault_inside.h"

enum {
	EVENTS_MAX = 2000,	/* of one message; then room is made */
	EVENTS_KEPT = 1500,	/* by leaving out repeats down to this */
	EVENTS_MAX_HARD = 10000 /* where nothing may be left out */
};

/* One event, in memory of its own. */
struct event {
	uint8_t key[RECORD_EVENT_LEN];
	struct history_event event; /* its texts point to the octets */
	bool repeated;		    /* "delayed", as it was before and after */
	size_t len;
	uint8_t octets[];
};

/* Whose events. */
struct events_of {
	struct vault *vault;
	const struct account *account; /* held by whoever asks */
	struct envid_parts parts;
};

/* Being read, then read: by time. Starts as {0}. */
struct events {
	struct events_of of;
	struct event **list;
	size_t count;
	size_t size;
	bool failed; /* no memory */
	void (*done)(void *arg, struct events *, enum store_status);
	void *arg;
};

/*
 * Read all, calling done once, perhaps before this returns. An event that
 * cannot be opened is logged and left out. events_free() is due.
 */
void events_read(struct events *, const struct events_of *);
void events_free(struct events *);

/* Count up to EVENTS_MAX of what is stored, the present group apart. */
typedef void events_counted(void *arg, enum store_status, size_t count);
void events_count(const struct events_of *, events_counted *, void *arg);

/*
 * Put an event into the present group: the same one any number of times
 * leaves one. Returns 0, or -1 where OpenSSL fails.
 */
int events_put(const struct events_of *, const struct history_event *)
    __attribute__((warn_unused_result));

/*
 * Put the deletion of what "delayed" repeats into the present group, oldest
 * first, the first and the last of each recipient apart, until EVENTS_KEPT
 * are left. Returns how many are left.
 */
size_t events_make_room(struct events *);

/* The events one after the other, to be freed; NULL: none, or no memory. */
struct history_event *events_plain(const struct events *);

/*
 * Write them as a struct history, within room octets: if need be without
 * replies, and then without the oldest.
 */
void events_answer(const struct events *, struct wire_out *, size_t room);

#endif
