/*
 * Where a message stands: one row per recipient, derived from the events of
 * its history (RFC 3886 3.3.3 to 3.3.7), as far as a viewer may see it.
 */
#ifndef COMMON_STATUS_H
#define COMMON_STATUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/history.h"
#include "common/wire.h"

/* What the operator lets senders and delegates see (RFC 3885 4.2). */
struct status_view {
	bool reveal_aliases; /* final addresses behind the submitted one */
	bool reveal_hosts;   /* names of inner hosts */
	/* Is this next hop one of ours? NULL: none is. Either may be empty. */
	bool (*is_inner)(void *arg, struct octets host, struct octets address);
	void *arg;
	/* How long the MSA keeps trying, in ms; 0: unknown. */
	uint64_t queue_lifetime;
};

/*
 * One recipient. Texts point into the events. remote_mta and last_attempt
 * are set exactly when an attempt was made, retry_until only while the
 * message is in the local queue (RFC 3886 3.3.5 to 3.3.7): what an event says
 * of it, or the end of the MSA's queue_lifetime.
 */
struct status_row {
	struct octets original;	 /* as submitted */
	struct octets recipient; /* final, or original where that is hidden */
	uint8_t action;		 /* enum history_action */
	char status[EVENT_STATUS_MAX]; /* never empty; fits the action */
	uint64_t time;		       /* ms since 1970, of what decided */
	uint64_t last_attempt;	       /* ms since 1970, 0: none was made */
	uint64_t retry_until;	       /* ms since 1970, 0: not queued */
	struct octets remote_mta;
	struct octets remote_address;
	struct octets reply;
	struct octets tls;
	uint32_t attempts;
	uint32_t branches; /* final addresses behind original, at least 1 */
	uint32_t failed;   /* of them */
	uint32_t waiting;  /* of them */
	/* The submission, then by time; what is hidden is cut. */
	const struct history_event *events;
	size_t event_count;
};

struct status_list {
	struct status_row *rows; /* in the order the recipients came up */
	size_t count;
	struct history_event *events;
};

/*
 * Derive the rows. The events may be in any order and may repeat; those that
 * SOURCE_PROXY gave say which addresses were submitted. One that names nobody
 * is of each address that still waits for all that its own say. An alias to one
 * address is one row. An alias to several is one row, expanded unless every
 * branch failed or none arrived yet; with reveal_aliases the rows of its
 * branches follow. What a reply says is left out where it would name what is
 * hidden; a hop that is hidden and could be asked counts as ours.
 * Returns 0, or -1 without memory: then the list is empty.
 */
int status_derive(const struct history_event *, size_t count,
    const struct status_view *, struct status_list *)
    __attribute__((warn_unused_result));

void status_list_free(struct status_list *);

/* What it means to people: "delivered to the mailbox". */
const char *status_words(uint8_t action, bool attempted);

/* The action's word of RFC 3886 3.3.3. */
const char *status_action_name(uint8_t action);

/* Its number, whatever the letter case; -1 for any other word. */
int status_action_read(const char *word, size_t len);

/* Is it n.n.n with one to three digits each (RFC 3463 2, RFC 3464 2.3.4)? */
bool status_code_is_valid(const char *);

#endif
