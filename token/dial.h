/*
 * TCP to the submission server, over IPv6 or IPv4.
 */
#ifndef TOKEN_DIAL_H
#define TOKEN_DIAL_H

#include <stdint.h>

#include "token/options.h"

/* Time limits, in milliseconds. */
enum {
	DIAL_TIMEOUT = 10000, /* of one address */
	DIAL_SILENCE = 60000  /* a server that sends or takes nothing */
};

/*
 * Connect to the server, each of its addresses in turn. Returns a
 * non-blocking socket, or -1 with the problem set.
 */
int dial_server(const struct options *, struct problem *);

/* Milliseconds of a clock that no one sets. */
int64_t dial_clock(void);

/*
 * Wait until fd can be read or written (events of poll(2)), at most until
 * deadline on that clock. Returns 0, or -1 with errno set, ETIMEDOUT too.
 */
int dial_wait(int fd, short events, int64_t deadline);

#endif
