/*
 * How far a log is done with: each step belongs to a mark, a stretch of the
 * log, and what may be stored moves past a mark when all its steps are done.
 */
#ifndef TRACK_FEED_MARKS_H
#define TRACK_FEED_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

#include "track/follow_record.h"

struct feed_mark {
	TAILQ_ENTRY(feed_mark) next;
	struct follow_record end; /* where the log stands behind it */
	size_t steps;		  /* that are not done */
	bool closed;		  /* nothing more of the log belongs to it */
};

struct feed_marks {
	TAILQ_HEAD(feed_mark_list, feed_mark) list; /* the oldest first */
	size_t count;
	struct follow_record done; /* all before this is done with */
};

/* Everything before at is done. */
void feed_marks_init(struct feed_marks *, const struct follow_record *at);
void feed_marks_free(struct feed_marks *);

/*
 * The mark that a step belongs to that was just read, its count raised by
 * that step; NULL without memory.
 */
struct feed_mark *feed_marks_take(struct feed_marks *);

/* A step of it is done. */
void feed_mark_done(struct feed_mark *);

/*
 * The log is read up to here, and done moves as far as it may. There are
 * never more than some thousand marks: then one is a longer stretch.
 */
void feed_marks_move(struct feed_marks *, const struct follow_record *at);

#endif
