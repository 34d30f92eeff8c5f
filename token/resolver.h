/*
 * Questions to the DNS, each within a time limit (RFC 1035, RFC 2782).
 */
#ifndef TOKEN_RESOLVER_H
#define TOKEN_RESOLVER_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
	RESOLVER_NAME_MAX = 253, /* octets of a host name */
	RESOLVER_SRV_MAX = 32,	 /* records taken of an answer */
	RESOLVER_ADDRESSES_MAX = 8
};

struct resolver;

/* A record of SRV (RFC 2782). */
struct resolver_srv {
	char target[RESOLVER_NAME_MAX + 1]; /* "" for the root */
	uint16_t priority;
	uint16_t weight;
	uint16_t port;
};

struct resolver_address {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	socklen_t len;
};

/*
 * Asks server, "ADDRESS" or "ADDRESS:PORT", or the system's servers where it
 * is NULL; an answer may take timeout ms. Returns NULL with *error set where
 * that cannot be.
 */
struct resolver *
resolver_new(const char *server, int timeout, const char **error);
void resolver_free(struct resolver *);

/*
 * The SRV records of name, at most RESOLVER_SRV_MAX. Returns their number, 0
 * where there are none, or -1 with *error set where nobody could tell.
 */
int resolver_find_srv(struct resolver *, const char *name,
    struct resolver_srv *out, const char **error);

/* The same for its addresses, at most RESOLVER_ADDRESSES_MAX; port is 0. */
int resolver_find_addresses(struct resolver *, const char *name,
    struct resolver_address *out, const char **error);

#endif
