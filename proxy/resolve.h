/*
 * The MSA's addresses: a name is looked up now and again by libevent's
 * resolver, never by a call that blocks (RFC 5321 5).
 */
#ifndef PROXY_RESOLVE_H
#define PROXY_RESOLVE_H

#include <stdint.h>
#include <sys/socket.h>

struct event_base;
struct resolve;

/* host is an address, or a name in DNS or the system's hosts file. */
struct resolve *
resolve_new(struct event_base *, const char *host, uint16_t port);

/*
 * Address number n, from 0, of those known now. Returns its length, or 0
 * where there is none (any more). Asks DNS again when the answer is old.
 */
socklen_t
resolve_get(struct resolve *, unsigned n, struct sockaddr_storage *out);

void resolve_free(struct resolve *);

#endif
