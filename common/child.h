/*
 * A child of waybilld: how it starts, what it is given, and how it ends. The
 * control channel (a SOCK_SEQPACKET socket) is descriptor 3. waybilld's first
 * message brings named descriptors; end of file there means that waybilld is
 * gone: finish what is in flight and leave.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

struct event_base;

enum { CHILD_CONTROL_FD = 3, CHILD_NAME_MAX = 63, CHILD_FDS_MAX = 128 };

/*
 * Names of descriptors:
 *	snapshot		memfd of the configuration
 *	ticket-key		memfd of TICKET_KEY_LEN octets (auth, keeper)
 *	tls-ticket-keys		memfd of 80 octets (proxy)
 *	tls-certificate, tls-key  memfd copies of the PEM files (proxy, track)
 *	track-certificate.N	the same with chain and key, from 0 (track)
 *	listen.TITLE		listening TCP sockets, several (proxy)
 *	listen.track		the same of the section track (track)
 *	door.auth		listening Unix socket (auth)
 *	door.keeper.proxy	listening Unix socket (keeper)
 *	penalties		memfd shared by all proxies
 *	log			the log file, if any
 */
struct child_fd {
	char name[CHILD_NAME_MAX + 1];
	int fd;
};

struct child_start {
	uint32_t generation;
	uint32_t index; /* of this process among those of its role */
	unsigned count;
	struct child_fd fds[CHILD_FDS_MAX];
};

/* What the child does when waybilld says so; each may be NULL. */
struct child_orders {
	/* Take nothing new and end within ms; then exit. Again: new limit. */
	void (*drain)(uint64_t ms);
	/* Write key=value pairs, separated by spaces. */
	void (*status)(char *out, size_t size);
	/*
	 * Keeper: a new snapshot, and the log file or -1; both are its own to
	 * close. NULL, or why not.
	 */
	const char *(*snapshot)(int fd, int log);
	/* Keeper: the operator confirms the clock; writes what was done. */
	bool (*accept_clock)(char *out, size_t size);
};

/*
 * Wait for waybilld's first message (blocking). Sets SIGPIPE and SIGHUP to be
 * ignored, SIGINT too (waybilld decides); SIGTERM to child too drains. Exits
 * with a clear message when not started by waybilld (no descriptor 3).
 */
void child_begin(struct child_start *);

/*
 * For a process that the proxies ask: a question that wakes it does not take
 * the processor from the proxy, which may have more to ask (sched(7):
 * SCHED_BATCH). What gathers meanwhile is answered together.
 */
void child_give_way(void);

/* The descriptor of that name, taken out: -1 where there is none (left). */
int child_take_fd(struct child_start *, const char *name);

/*
 * Whole contents of a memfd, read from its start (pread), with a NUL behind
 * len; wipe after use. NULL with errno.
 */
void *child_read_fd(int fd, size_t *len);

/*
 * Serve the control channel on base and tell waybilld that this process
 * serves. When waybilld dies, orders->drain(drain_ms) is called once.
 */
void child_serve(
    struct event_base *, const struct child_orders *, uint64_t drain_ms);

/* Where the libexec programs meet: run_dir "/auth", "/keeper" and so on. */
#define DOOR_AUTH_PATH	       "auth"
#define DOOR_KEEPER_PROXY_PATH "keeper-proxy"
#define DOOR_KEEPER_FEED_PATH  "keeper-feed"
#define DOOR_KEEPER_TRACK_PATH "keeper-tracker"
#define DOOR_OPERATOR_PATH     "control"

#endif
