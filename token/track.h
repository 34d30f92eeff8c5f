/*
 * What became of a message, put together from the answers of the servers that
 * it went through (RFC 3886 3.3.3, RFC 3887 2.4).
 */
#ifndef TOKEN_TRACK_H
#define TOKEN_TRACK_H

#include "common/mtqp_uri.h"
#include "common/report.h"
#include "token/mtqp_client.h"

enum {
	TRACK_SERVERS_MAX = 16,		/* asked in one look */
	TRACK_STEPS_MAX = 8,		/* hops of one recipient */
	TRACK_OCTETS_MAX = 64 * 1048576 /* of all answers of a look */
};

/* One that was asked. */
struct track_server {
	char name[RESOLVER_NAME_MAX + 1];
	enum mtqp_outcome outcome;
	struct problem problem; /* where it did not answer */
	struct report report;
};

/* What one server said of a recipient. */
struct track_step {
	const struct track_server *server;
	const struct report_part *part;
	const struct report_recipient *said;
};

/* Their numbers are the exit statuses of waybill track. */
enum track_state {
	TRACK_ARRIVED = 0, /* delivered, relayed or expanded */
	TRACK_FAILED = 1,
	TRACK_UNDER_WAY = 2,
	TRACK_UNKNOWN = 3
};

/* A recipient; its last step tells where it stands. */
struct track_row {
	struct track_step steps[TRACK_STEPS_MAX];
	size_t count;	      /* at least 1 */
	size_t shared;	      /* of them, with the row that it came from */
	uint32_t hash;	      /* of the address, whatever its letter case */
	uint32_t part;	      /* the one that was last to speak of it */
	const char *dead_end; /* why the next hop tells nothing, or NULL */
	bool later;	      /* it may tell later */
	const struct track_server *due; /* being applied to it */
};

/* Starts as {0}. */
struct track {
	struct track_server *servers[TRACK_SERVERS_MAX];
	size_t server_count;
	struct track_row *rows;
	size_t count;
	size_t size;
	size_t octets;
	uint32_t parts; /* taken so far */
	bool stepped;	/* a row has more than one step */
};

/*
 * Take what server said, to its first recipients if it is the first that was
 * asked; else only to rows that are due. A part that names another envelope
 * id counts for nothing. Returns how many parts counted, or -1 without memory.
 */
int track_take(struct track *, const struct track_server *, const char *envid);

/* Where a recipient stands; and all of them: failed before under way. */
enum track_state track_row_state(const struct track_row *);
enum track_state track_state(const struct track *);

/* Will asking again tell more of it? */
bool track_row_is_open(const struct track_row *);
bool track_is_open(const struct track *);

const struct track_step *track_row_now(const struct track_row *);

void track_free(struct track *);

#endif
