/*
 * From an MSA's log to the histories of messages: follows the log, reads and
 * joins its lines, and brings the steps to the keeper (RFC 3886 3.3.3).
 */
#ifndef TRACK_FEED_H
#define TRACK_FEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track/feed_keeper.h"
#include "track/feed_queue.h"
#include "track/feed_state.h"
#include "track/follow.h"
#include "track/log_join.h"
#include "track/log_reader.h"

struct event_base;
struct feed;

struct feed_options {
	enum log_format format;
	const char *syslog_name;
	const char *path; /* NULL: standard input */
	bool journal;
	uid_t journal_uid;
	const char *const *filters; /* ended by NULL */
	const char *door;
	const char *msa;
	uint64_t wait; /* ms for an id that is not known yet */
	bool once;     /* end with what is there now */
	/* Takes steps instead of the keeper, or NULL. */
	void (*print)(const struct log_event *);
};

struct feed_counts {
	uint64_t lines;
	uint64_t octets;
	uint64_t old;	  /* of lines: shown again, to know what they say */
	uint64_t ignored; /* of lines: they say nothing of a delivery */
	uint64_t behind;  /* octets of the log that are not done with */
	uint64_t done;	  /* octets of the present file that are read */
	uint64_t size;	  /* of the present file, 0: unknown */
	uint64_t last;	  /* time of the last line that said something, ms */
	struct feed_queue_counters queue;
	enum feed_keeper_state keeper;
};

/*
 * Go on where state says; state is ours by its lock and outlives the feed.
 * NULL without memory, or with errno where standard input cannot be read.
 */
struct feed *feed_new(struct event_base *, const struct feed_options *,
    struct feed_state *state) __attribute__((warn_unused_result));
void feed_free(struct feed *);

/* Why a log cannot be read under this name (or NULL) now; 0: it can. */
int feed_log_fault(const char *path);
const char *feed_log_fault_text(int fault);

/* At the end of each turn of the event loop. */
void feed_turn(struct feed *);

/* With once, or with standard input at its end: all of it is done. */
bool feed_is_finished(const struct feed *);

/* Store how far it is, at a clean end. */
void feed_store(struct feed *);

void feed_count(const struct feed *, struct feed_counts *);

#endif
