/*
 * What became of a message, event by event, and where that leaves each of its
 * recipients (RFC 3886 3.3.3, RFC 3464 2.3).
 */
#ifndef COMMON_HISTORY_H
#define COMMON_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* RFC 3886 3.3.3; the numbers are stored, so they never change. */
enum history_action {
	ACTION_OPAQUE = 0,
	ACTION_DELAYED = 1,
	ACTION_RELAYED = 2,
	ACTION_TRANSFERRED = 3,
	ACTION_DELIVERED = 4,
	ACTION_EXPANDED = 5,
	ACTION_FAILED = 6
};

enum history_source {
	SOURCE_PROXY = 0, /* what the MSA told us at submission */
	SOURCE_LOG = 1,	  /* the MSA's log */
	SOURCE_CHAIN = 2  /* the next hop's tracking server */
};

enum {
	EVENT_ADDRESS_MAX = 1024,
	EVENT_STATUS_MAX = 11, /* "5.123.123" and a NUL */
	EVENT_HOST_MAX = 255,
	EVENT_TEXT_MAX = 512,
	EVENT_TLS_MAX = 128
};

/*
 * One thing that happened to one recipient. Text comes from logs and peers:
 * octets, never trusted to be printable. What is not known is empty or 0.
 */
struct history_event {
	uint64_t time;		       /* ms since 1970 */
	uint8_t source;		       /* enum history_source */
	uint8_t action;		       /* enum history_action */
	char status[EVENT_STATUS_MAX]; /* RFC 3463, "" if unknown */
	struct octets original;	       /* recipient as submitted, or empty */
	struct octets recipient;       /* final recipient, after aliases */
	struct octets remote_mta;      /* host name */
	struct octets remote_address;
	struct octets reply;  /* the remote's words */
	struct octets tls;    /* version and cipher of the delivery */
	uint64_t retry_until; /* ms since 1970, 0: not queued */
};

void history_event_put(struct wire_out *, const struct history_event *);
void history_event_get(struct wire_in *, struct history_event *);

#endif
