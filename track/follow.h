/*
 * Follows a log as it is written: a file across its rotation, standard input,
 * or the journal through a pipe. Gives whole lines, and says where it stands,
 * so that whoever is killed goes on from the last place that was stored.
 */
#ifndef TRACK_FOLLOW_H
#define TRACK_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/wire.h"
#include "track/follow_record.h"
#include "track/syslog_line.h"

enum { FOLLOW_LINE_MAX = 65536 };

struct event_base;
struct follow;

struct follow_options {
	const char *path; /* NULL: read fd, which the caller keeps */
	int fd;
	bool journal;	  /* it is journalctl -o export */
	uid_t uid;	  /* with it: whose entries count, beside root's */
	unsigned poll_ms; /* how often a file is looked at; 0: 250 */
	size_t lookback;  /* octets before the record to show again as old */
	/*
	 * For how long the file before is looked at, too, after a rotation:
	 * some writers notice late. 0: not at all.
	 */
	unsigned late_ms;
};

/*
 * Who is called with whole lines (or entries), one at a time; a line is
 * without its end, and old if it was done with before the record was made.
 * end: what was read from fd has ended. None of them may free the follower.
 */
struct follow_handler {
	void (*line)(void *, struct octets line, bool old);
	void (*entry)(void *, const struct syslog_line *);
	void (*end)(void *);
	void *arg;
};

struct follow_counters {
	uint64_t octets;
	uint64_t lines;	   /* or entries */
	uint64_t too_long; /* lines of more than FOLLOW_LINE_MAX: not given */
	uint64_t cut;	   /* files, or fd, that end within a line */
	uint64_t files;	   /* gone over to after a rotation */
	uint64_t gaps;	   /* files that were gone before they were read */
};

/*
 * Go on where record says, or from the start of the log for a zero record.
 * The file need not be there yet. NULL without memory, or with errno where
 * fd cannot be waited for.
 */
struct follow *follow_new(struct event_base *, const struct follow_options *,
    const struct follow_record *, const struct follow_handler *)
    __attribute__((warn_unused_result));
void follow_free(struct follow *);

/* No more lines until follow_resume(); may be called from a handler. */
void follow_pause(struct follow *);
void follow_resume(struct follow *);

/*
 * Where it stands: after the line that was given last, the one of a handler
 * that is running included. To be stored when its events are accepted. With
 * late_ms it stays in the file before that long after a rotation: what is read
 * from here then comes again.
 */
void follow_position(const struct follow *, struct follow_record *);

const struct follow_counters *follow_counters(const struct follow *);

/* How far the file is read, for a progress line; sizes are 0 if unknown. */
void follow_progress(const struct follow *, uint64_t *done, uint64_t *size);

#endif
