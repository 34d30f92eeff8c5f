/*
 * The mtqp URI by which a message can be tracked (RFC 3887 9). It holds the
 * secret A: whoever has it can track.
 */
#ifndef COMMON_MTQP_URI_H
#define COMMON_MTQP_URI_H

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

#endif
