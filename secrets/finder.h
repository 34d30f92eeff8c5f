/*
 * Search of one message of an account by Message-ID or by the ENVID that its
 * client gave: the newest one.
 */
#ifndef SECRETS_FINDER_H
#define SECRETS_FINDER_H

#include "secrets/vault_inside.h"

struct finder {
	struct slow *slow; /* marked while the store is asked */
	struct octets id;
	uint64_t started; /* ms */
	bool by_message_id;
	struct walk walk; /* by Message-ID; else what is below */
	uint8_t prefix[1 + SEAL_HASH_LEN + RECORD_ACCOUNT_LEN];
	uint32_t day; /* the last one that was searched */
	bool finished;
	bool found;
	bool failed;		  /* something could not be read */
	struct envid_parts parts; /* of what was found, but its kind */
};

/*
 * Begin; id is a Message-ID with its "<>", or an ENVID, and lives until the
 * end. Returns 0, or -1 where OpenSSL fails.
 */
int finder_start(
    struct finder *, struct slow *, const struct account *, struct octets id);
/* Search some more. */
void finder_step(struct finder *);

/* Is this text, as an ENVID, one that was minted here for the account? */
bool finder_is_own(struct vault *, const struct account *, struct octets id,
    struct envid_parts *);

#endif
