/*
 * What one line of an MSA's log means for the messages that we follow: a step
 * of the one whose queue id it names (RFC 3886 3.3.3).
 */
#ifndef TRACK_LOG_EVENT_H
#define TRACK_LOG_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/history.h"

enum {
	LOG_ID_MAX = 128, /* of a queue id */
	LOG_MESSAGE_ID_MAX = 998
};

enum log_kind {
	LOGGED_NOTHING = 0,
	LOGGED_BORN,   /* queue_id is in use: peer, message_id, recipients */
	LOGGED_STATUS, /* status; with next_id if the reply names one */
	LOGGED_TLS,    /* status.tls of what pid does next with relay */
	LOGGED_JOIN,   /* queue_id goes on as next_id */
	LOGGED_END     /* queue_id stops meaning this message */
};

/*
 * Texts point into the line, or into the reader's own memory until it reads
 * the next one. A status without recipient is one of every recipient that is
 * still waiting; an end may bring such a status (action other than opaque).
 */
struct log_event {
	enum log_kind kind;
	bool forwarded;	     /* next_id is the MSA's own, by its alias */
	bool requeued;	     /* by its operator: queue_id ends with it */
	bool unnamed;	     /* it ends, and not all were named perhaps */
	uint32_t pid;	     /* 0: unknown */
	uint32_t recipients; /* of a queue id; 0: unknown */
	struct octets host;  /* where it was logged, or empty */
	struct octets queue_id;
	struct octets next_id;
	struct octets message_id; /* with its "<>" */
	struct octets relay;	  /* the next hop, as the log writes it */
	struct octets peer;	  /* its or the client's address or socket */
	struct history_event status;
};

#endif
