/*
 * Search of one message of an account by Message-ID or by the ENVID that its
 * client gave: the newest one, day by day backwards.
 */
#ifndef SECRETS_FINDER_H
#define SECRETS_FINDER_H

#include "secrets/vault_inside.h"

struct finder {
	struct vault *vault;
	struct slow *slow; /* marked while the store is asked */
	uint8_t prefix[1 + SEAL_HASH_LEN + RECORD_ACCOUNT_LEN];
	uint32_t day; /* the last one that was searched */
	bool finished;
	bool found;
	bool failed;		  /* a day could not be read */
	struct envid_parts parts; /* of what was found, but its kind */
};

/*
 * Begin; id is a Message-ID with its "<>", or an ENVID. Returns 0, or -1
 * where OpenSSL fails.
 */
int finder_start(
    struct finder *, struct slow *, const struct account *, struct octets id);
/* Search one more day. */
void finder_step(struct finder *);

/* Is this text, as an ENVID, one that was minted here for the account? */
bool finder_is_own(struct vault *, const struct account *, struct octets id,
    struct envid_parts *);

#endif
