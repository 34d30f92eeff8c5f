/*
 * TCP to a server, over IPv6 or IPv4, and waiting for it.
 */
#ifndef TOKEN_DIAL_H
#define TOKEN_DIAL_H

#include <stdint.h>

#include <sys/socket.h>

#include "token/peer.h"
#include "token/problem.h"

/* Time limits, in milliseconds. */
enum {
	DIAL_TIMEOUT = 10000, /* of one address */
	DIAL_SILENCE = 60000  /* a server that sends or takes nothing */
};

/*
 * Connect to the server, each of its addresses in turn. Returns a
 * non-blocking socket, or -1 with the problem set.
 */
int dial_server(const struct peer *, struct problem *);

/* The same to one address, until deadline on that clock; -1 with errno. */
int dial_address(const struct sockaddr *, socklen_t len, int64_t deadline);

/* The problem of a server that cannot be connected to. Returns -1. */
int dial_refused(const struct peer *, int error, struct problem *);

/* Milliseconds of a clock that no one sets. */
int64_t dial_clock(void);

/*
 * Wait until fd can be read or written (events of poll(2)), at most until
 * deadline on that clock. Returns 0, or -1 with errno set, ETIMEDOUT too.
 */
int dial_wait(int fd, short events, int64_t deadline);

#endif
