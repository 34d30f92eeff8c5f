/*
 * The mtqp URI by which a message can be tracked (RFC 3887 9). It holds the
 * secret A: whoever has it can track.
 */
#ifndef COMMON_MTQP_URI_H
#define COMMON_MTQP_URI_H

#include <stdint.h>

#include "common/codec.h"
#include "common/keeper_messages.h"
#include "common/wire.h"

#define MTQP_PORT 1038 /* RFC 3887 2 */

struct mtqp_uri {
	const char *server;   /* host name or address */
	unsigned port;	      /* 0 and MTQP_PORT are not written */
	struct octets envid;  /* in its form on the wire (RFC 3885 3.2) */
	struct octets secret; /* A itself, at most SECRET_MAX octets */
};

/*
 * Write the URI and a NUL: A as padded base64; what has a meaning in URIs,
 * "/", "?" and "%" first of all, as %HH (RFC 3887 9, RFC 3986 3.3). Returns
 * its length, or -1 where out (size octets) is too small: then out is wiped.
 */
long mtqp_uri_write(const struct mtqp_uri *, char *out, size_t size)
    __attribute__((warn_unused_result));

/* A URI that was read; holds a secret, so mtqp_uri_wipe() it. */
struct mtqp_uri_parsed {
	struct mtqp_uri uri; /* points into what follows; server as for DNS */
	char server[256];
	char envid[ENVID_MAX];
	uint8_t secret[BASE64_LEN(SECRET_MAX)];
};

enum mtqp_uri_error {
	MTQP_URI_OK = 0,
	MTQP_URI_SCHEME,    /* not mtqp:// */
	MTQP_URI_AUTHORITY, /* no host name or address, or no port */
	MTQP_URI_PATH,	    /* not /track/envid/secret */
	MTQP_URI_ENVID,
	MTQP_URI_SECRET
};

/*
 * Read a URI. Scheme, host and "/track/" in any letter case (the host comes
 * out in lower case, an IPv6 literal without its brackets), ENVID and secret
 * exactly; %HH anywhere in those two; the ENVID with or without "<>", the
 * secret padded or not and of 16 to 128 octets (RFC 3885 3.1). port is 0
 * where the URI gives none, so that SRV is asked only then. Neither user nor
 * query nor fragment may be there. After an error *out is wiped.
 */
enum mtqp_uri_error mtqp_uri_read(const char *text, size_t len,
    struct mtqp_uri_parsed *out) __attribute__((warn_unused_result));

/* What is wrong, for people; never a part of the URI. */
const char *mtqp_uri_error_text(enum mtqp_uri_error);

void mtqp_uri_wipe(struct mtqp_uri_parsed *);

#endif
