/*
 * The tracking server, waybill-track: what all of its sessions share, and
 * what its parts do for each other. tracker_session.c is a client's session,
 * tracker_ask.c its questions to the keeper and the time of the answers,
 * tracker_answer.c the answers, tracker_names.c the certificates.
 */
#ifndef TRACK_TRACKER_H
#define TRACK_TRACKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/addresses.h"
#include "common/buffer.h"
#include "common/wire.h"
#include "track/mtqp_session.h"
#include "track/tracker_names.h"

struct conf;
struct event;
struct event_base;
struct inner_hosts;
struct link;
struct stream;
struct tracker;

enum { TRACKER_BUCKETS = 1024 }; /* of the table of sessions */

struct tracker_session {
	struct tracker *t;
	uint64_t id; /* never reused */
	LIST_ENTRY(tracker_session) bucket;
	struct stream *client; /* NULL: it is over */
	uint64_t address_key;
	char address[ADDRESSES_TEXT_LEN];
	struct mtqp_session mtqp;
	uint64_t active; /* clock_ms() when its time began */
	size_t left;	 /* output not yet taken when its time began */
	bool blocked;	 /* that time runs */

	/* The question to the keeper, with MTQP_LOOK_UP. */
	TAILQ_ENTRY(tracker_session) waiting;
	uint64_t asked; /* clock_ms() */
	uint64_t due;	/* its refusal leaves then; 0: no answer yet */
	enum mtqp_refusal refusal;

	unsigned found;
	unsigned unavailable;
};

LIST_HEAD(tracker_bucket, tracker_session);
TAILQ_HEAD(tracker_waiting, tracker_session);

struct tracker {
	struct event_base *base;
	struct conf *conf;
	struct mtqp_rules rules;
	struct tracker_names names;
	struct inner_hosts *inner;
	struct link *keeper;
	int tick_fd;	   /* timerfd: goes off when the next refusal is due */
	uint64_t tick_due; /* clock_ms(), 0: none is */
	struct event *tick;
	struct tracker_bucket sessions[TRACKER_BUCKETS];
	struct tracker_waiting waiting; /* who asked first comes first */
	size_t session_count;
	uint64_t last_id;
	bool draining;

	uint64_t sessions_total;
	uint64_t turned_away;
	uint64_t found;
	uint64_t refused; /* noinfo */
	uint64_t unavailable;
};

/* tracker_session.c */

/* A client connected: takes fd. Fits clients_fn. */
void
tracker_session_start(void *tracker, int fd, const struct sockaddr_storage *);
struct tracker_session *tracker_session_find(struct tracker *, uint64_t id);
/* What it looked up is answered: write that and go on. */
void tracker_session_go_on(struct tracker_session *);
/*
 * While draining: end all that have been quiet for a second; with every the
 * others, too.
 */
void tracker_sessions_end(struct tracker *, bool every);

/* tracker_ask.c */

/* Open the keeper's door and the clock of refusals; fatal() without either. */
void tracker_ask_open(struct tracker *);
void tracker_ask_close(struct tracker *);
/* Look up what a session asks for; tracker_session_go_on() comes later. */
void tracker_ask(struct tracker_session *);
/* The session is over: nobody waits any more. */
void tracker_ask_cancel(struct tracker_session *);

/* tracker_answer.c */

enum tracker_result {
	TRACKER_FOUND,
	TRACKER_NOINFO,	     /* nothing that this asker may know */
	TRACKER_UNAVAILABLE, /* the keeper cannot tell now */
	TRACKER_MALFORMED    /* what it told is no answer */
};

/*
 * Read the keeper's answer to STATUS, and append the answer to a client to
 * report where there is one (RFC 3886 3, RFC 3887 4.1).
 */
enum tracker_result tracker_answer(
    const struct tracker *, struct wire_in *status_is, struct buffer *report);

#endif
