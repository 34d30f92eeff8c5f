/*
 * The TCP sockets that clients connect to. waybilld binds them once and gives
 * them to every proxy, or to the tracker, so that none is closed while those
 * change.
 */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct conf;

struct listener {
	char *title; /* of the section listen, or "track" */
	bool of_tracker;
	struct sockaddr_storage wanted; /* port 0: any free one */
	int fd;
};

struct listeners {
	size_t count;
	struct listener *list;
};

/*
 * Bind all addresses of conf; sockets that old (which may be NULL) has for
 * the same address are taken over as duplicates, and so are those for one
 * address where conf now has "*" at its port. Returns 0, or -1 with what
 * is wrong and its cure in why; then nothing is left open.
 */
int listeners_open(struct listeners *, const struct conf *,
    const struct listeners *old, char *why, size_t size)
    __attribute__((warn_unused_result));

/* A log line for each: event=listening address= port= title=. */
void listeners_log(const struct listeners *);

void listeners_close(struct listeners *);

#endif
