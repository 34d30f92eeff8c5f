/*
 * Which machines answer for a server's messages: SRV _mtqp._tcp, else the
 * server itself (RFC 3887 2, RFC 2782).
 */
#ifndef TOKEN_SRV_H
#define TOKEN_SRV_H

#include <stdbool.h>

#include "token/problem.h"
#include "token/resolver.h"

/* A machine to try, and its port. */
struct srv_target {
	char host[RESOLVER_NAME_MAX + 1];
	unsigned port;
};

/*
 * Put records into the order in which they are to be tried: by priority,
 * those of one priority drawn by weight (RFC 2782, "Weight"). draw(limit)
 * gives a number from 0 to limit.
 */
void srv_order(
    struct resolver_srv *, size_t count, uint32_t (*draw)(uint32_t limit));

/*
 * The targets of server, in order, at most RESOLVER_SRV_MAX; with a port
 * (not 0), or for an address, that is the only one. Returns their number, at
 * least 1; 0 where the server says that it has no such service; or -1 with
 * the problem set.
 */
int srv_find(struct resolver *, const char *server, unsigned port,
    struct srv_target *out, struct problem *);

/* Read "HOST:PORT", "[ADDRESS]:PORT" or "HOST". Returns 0, or -1. */
int srv_read_target(const char *, struct srv_target *out)
    __attribute__((warn_unused_result));

/* Is it a host name or an address, without brackets? */
bool srv_is_host(const char *);

#endif
