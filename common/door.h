/*
 * The answering end: a listening Unix socket for one kind of asker, with the
 * table of what that asker may ask. Anything else, and any body over its
 * bound, ends the asker's channel.
 */
#ifndef COMMON_DOOR_H
#define COMMON_DOOR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire.h"

struct event_base;
struct door;

/* One asker: a connection to a door, by a number that is never reused. */
struct asker {
	struct door *door;
	uint64_t number;
	void *state; /* the owner's, NULL at first */
};

/*
 * What a door lets its askers ask. answer must read body to its end; it
 * returns 0, or -1 where the message was wrong: that ends the channel.
 */
struct door_rule {
	unsigned type;
	int (*answer)(struct asker *, uint64_t id, struct wire_in *body);
};

struct door_owner {
	const char *name;		/* for the log */
	const struct door_rule *rules;	/* ends with type 0 */
	void *arg;			/* door_arg() gives it back */
	void (*opened)(struct asker *); /* may be NULL */
	void (*closed)(struct asker *); /* may be NULL */
	unsigned accept_max; /* let in a turn; 0: the door's choice */
	size_t askers_max;   /* inside at a time, others wait; 0: no bound */
};

/*
 * Serve fd, a listening socket. Only peers with uid (and root) are let in.
 * Returns NULL without memory.
 */
struct door *
door_open(struct event_base *, int fd, uid_t uid, const struct door_owner *);
void *door_arg(const struct asker *);

/*
 * Answer a question, now or later; finds nobody where the asker is gone.
 * What one turn answers leaves in one write.
 */
void door_answer(struct door *, uint64_t asker, uint64_t id, unsigned type,
    const struct wire_out *body);

/* End an asker's channel after what is already answered has left. */
void door_close_asker(struct door *, uint64_t asker);

/* Pause and resume accepting; askers that are in stay. */
void door_pause(struct door *, int paused);
size_t door_asker_count(const struct door *);

/* Write what this turn has gathered, on every door; at the end of a turn. */
void door_flush_all(void);

/* Close the door and its askers, each with closed(); fd stays open. */
void door_free(struct door *);

#endif
