/*
 * A generation: one reading of the configuration, with everything that the
 * processes started from it are given. All of them read the same octets.
 */
#ifndef DAEMON_GENERATION_H
#define DAEMON_GENERATION_H

#include <stddef.h>
#include <stdint.h>

#include "common/child.h"
#include "daemon/listener.h"
#include "daemon/role.h"

struct conf;

struct generation {
	uint32_t number;
	unsigned users; /* processes, and the daemon itself */
	struct conf *conf;
	struct identity identities[ROLE_COUNT];
	struct listeners listeners;
	int snapshot;
	int certificate;
	int key;
	int ticket_keys;	 /* of TLS */
	int log;		 /* -1: no log file */
	int *track_certificates; /* in the order of the configuration */
	size_t track_certificate_count;
};

/* What outlives generations. */
struct lasting {
	int ticket_key;
	int penalties;
	int door_auth;
	int door_keeper;
	int door_feed;
	int door_tracker;
	int children_lock;
};

/*
 * Make a generation of conf, which becomes its own also where this fails;
 * listeners of old (or NULL) are taken over. Returns NULL with what is wrong
 * and its cure in why.
 */
struct generation *generation_new(struct conf *, uint32_t number,
    const struct generation *old, char *why, size_t size);

struct generation *generation_hold(struct generation *);
/* The last to release it closes everything. */
void generation_release(struct generation *);

/*
 * Close the listening sockets early: processes that drain must not be the
 * reason that a port stays open.
 */
void generation_stop_listening(struct generation *);

/*
 * The descriptors that a process of role gets, with their names. Returns
 * their number; they stay ours.
 */
size_t generation_fds(const struct generation *, const struct lasting *,
    enum role, struct child_fd[CHILD_FDS_MAX]);

#endif
