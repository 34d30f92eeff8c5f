/*
 * The proof that a user logged in: waybill-auth makes it, the keeper checks
 * it, the proxy only carries it. HMAC-SHA-256 over session, expiry and account
 * under a key that waybilld draws at start.
 */
#ifndef COMMON_TICKET_H
#define COMMON_TICKET_H

#include <stdint.h>

#include "common/wire.h"

enum {
	TICKET_KEY_LEN = 32,
	TICKET_MAC_LEN = 32,
	ACCOUNT_MAX = 255 /* octets of an account's name */
};

struct ticket {
	uint64_t session; /* the proxy's number of the session */
	uint64_t expires; /* seconds since 1970 */
	char account[ACCOUNT_MAX + 1];
	uint8_t mac[TICKET_MAC_LEN];
};

/* Fill in mac from the other members. Returns 0, or -1 if HMAC failed. */
int ticket_seal(struct ticket *, const uint8_t key[TICKET_KEY_LEN]);

/*
 * Is the ticket genuine, and not expired at now (seconds since 1970)? Compares
 * in constant time. Returns 0, or -1.
 */
int ticket_check(const struct ticket *, const uint8_t key[TICKET_KEY_LEN],
    uint64_t now) __attribute__((warn_unused_result));

void ticket_put(struct wire_out *, const struct ticket *);
void ticket_get(struct wire_in *, struct ticket *);

#endif
