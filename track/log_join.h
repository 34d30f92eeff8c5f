/*
 * From the lines of a log to steps of messages: puts TLS to the delivery it
 * belongs to, follows a message through a content filter and through aliases,
 * and forgets a queue id when it has ended.
 */
#ifndef TRACK_LOG_JOIN_H
#define TRACK_LOG_JOIN_H

#include <stddef.h>

#include "track/log_event.h"

struct log_join;

struct log_join_options {
	size_t ids; /* queue ids that are remembered at most; 0: 65536 */
	/*
	 * Addresses of content filters (ended by NULL, or NULL), beside this
	 * machine's own: they take a message and give it back. A transport
	 * that is a filter by a program may be named, too: what it took is
	 * opaque then, not delivered.
	 */
	const char *const *filters;
};

/*
 * Takes steps: LOGGED_STATUS, LOGGED_JOIN and LOGGED_END, whose texts live as
 * long as the call. Steps of next_id may come before the join that names it,
 * its end among them: what follows the log keeps steps of unknown ids awhile.
 */
typedef void log_join_step(void *, const struct log_event *);

/* NULL without memory. */
struct log_join *log_join_new(const struct log_join_options *, log_join_step *,
    void *) __attribute__((warn_unused_result));
void log_join_free(struct log_join *);

/* One event of the log, in its order. */
void log_join_add(struct log_join *, const struct log_event *);

#endif
