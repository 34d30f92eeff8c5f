/*
 * What the log feed and the tracking server say to the keeper: events of
 * messages by the MSA's queue ids, and where one message stands (RFC 3886).
 */
#ifndef COMMON_TRACKING_MESSAGES_H
#define COMMON_TRACKING_MESSAGES_H

#include "common/history.h"
#include "common/keeper_messages.h"
#include "common/wire.h"

enum {
	FEED_ITEMS_MAX = 1024, /* of one EVENTS */
	HISTORY_MAX = 20000    /* events of one message, in an answer */
};

enum feed_kind {
	FEED_STATUS = 0, /* something happened to a recipient */
	FEED_JOIN = 1,	 /* the message goes on as other_id, too */
	FEED_END = 2	 /* the queue id stops meaning this message */
};

struct feed_item {
	uint8_t kind; /* enum feed_kind */
	struct octets queue_id;
	uint64_t time;		    /* ms since 1970: of JOIN and END */
	struct octets other_id;	    /* JOIN */
	struct history_event event; /* STATUS; its own time counts */
};

/*
 * What became of an item: UNKNOWN ids may be settled soon, UNAVAILABLE is to
 * be sent again, and FULL is not: the message has as many events as it may.
 */
enum feed_result {
	FEED_STORED = 0, /* durable, now or from before */
	FEED_UNKNOWN = 1,
	FEED_UNAVAILABLE = 2,
	FEED_FULL = 3
};

/* The proof of A: only both together find a message (RFC 3887 4). */
struct status_query {
	struct octets envid; /* as it stands on the wire, xtext */
	uint8_t certifier[CERTIFIER_LEN];
};

/* What happened to a message, by time; the texts point into the body. */
struct history {
	struct history_event *events;
	size_t count;
};

/* Each pair as in common/keeper_messages.h. */
void feed_item_put(struct wire_out *, const struct feed_item *);
void feed_item_get(struct wire_in *, struct feed_item *);
void status_query_put(struct wire_out *, const struct status_query *);
void status_query_get(struct wire_in *, struct status_query *);
/* history_get() allocates; history_free() is due after a failure, too. */
void history_put(struct wire_out *, const struct history *);
void history_get(struct wire_in *, struct history *);
void history_free(struct history *);

/*
 * All that is known of a message: what the MSA said at its submission, an
 * event a recipient (a refusal, an acceptance, or opaque where its answer was
 * lost), and then what was stored. Where MTRK went to the MSA and its name is
 * known, an acceptance is a transfer (RFC 3886 3.3.3); msa_host is a name to
 * take where the record holds none, or empty.
 * Returns 0 with `all` to be freed, its texts being those of the arguments,
 * or -1 without memory.
 */
int history_of_record(const struct mail_record *, const struct history *stored,
    struct octets msa_host, struct history *all)
    __attribute__((warn_unused_result));

#endif
