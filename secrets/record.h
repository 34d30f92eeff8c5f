/*
 * How one message lies in the family of its day: key, sealed value, and the
 * keys by which it is found again (a client's ENVID, its B, a queue id).
 */
#ifndef SECRETS_RECORD_H
#define SECRETS_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "secrets/envid.h"
#include "secrets/seal.h"

enum {
	RECORD_TAG = 'r',
	RECORD_BY_ENVID = 'e',	   /* a client's own; the vault's key */
	RECORD_BY_QUEUE_ID = 'i',  /* MSA and queue id; the vault's key */
	RECORD_BY_CERTIFIER = 'b', /* a client's ENVID, and B; the vault's */
	/* 'm' was the Message-ID's in format 1, and lies in old days. */
	RECORD_EVENT = 'h',   /* hash of one under the account's key */
	RECORD_REVOKED = 'x', /* nobody may track it any more */
	RECORD_ACCOUNT_LEN = 5,
	RECORD_KEY_LEN = 1 + RECORD_ACCOUNT_LEN + 6 + 4,
	RECORD_INDEX_LEN = 1 + SEAL_HASH_LEN + RECORD_KEY_LEN - 1,
	RECORD_CLAIM_LEN = RECORD_INDEX_LEN + 1 + 6,
	RECORD_WINDOW_LEN = RECORD_INDEX_LEN + 1,
	RECORD_EVENT_LEN = RECORD_KEY_LEN + SEAL_HASH_LEN
};

/* Tag, account, time, node and counter: an account's messages by time. */
void record_key(const struct envid_parts *, uint8_t key[RECORD_KEY_LEN]);
/* Back again, all but the kind. Returns 0, or -1 for another key. */
int record_parts(struct octets key, struct envid_parts *);
/* Are they of the same message? */
bool record_is_same(const struct envid_parts *, const struct envid_parts *);
/* The family that a time (ms since 1970) belongs to. */
uint32_t record_day(uint64_t time);

/*
 * How much of a day's key is searched by: tag and account; tag and hash, with
 * the account where it is known; a whole record's key for its events. 0 for a
 * key of another form.
 */
size_t record_prefix_len(struct octets key);

/* Tag, hash, and the record's key without its tag; the value is empty. */
void record_index(uint8_t tag, const uint8_t hash[SEAL_HASH_LEN],
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_INDEX_LEN]);
/* The record's key in an index key. Returns 0, or -1 for another key. */
int record_indexed(struct octets index, uint8_t key[RECORD_KEY_LEN]);

/*
 * When a message was settled under its queue id, and since when the id means
 * it: ms since 1970. Both are 0 in what is minted only, and in records of
 * older vaults, which put each claim at once.
 */
struct queue_claim {
	uint64_t claimed;
	uint64_t since;
};

/*
 * A queue id that a message was settled under at a time (ms since 1970), and
 * what the log has said of both since. Downwards all that the log spoke of
 * come first, then the claims, the earliest first, so that no number of later
 * ones stands before it.
 */
void record_claim(const uint8_t hash[SEAL_HASH_LEN], uint64_t claimed,
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_CLAIM_LEN]);
void record_window(const uint8_t hash[SEAL_HASH_LEN],
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_WINDOW_LEN]);
/*
 * Which of both a key is, as its length: with the record's key, and of a
 * claim its time. 0 for another key.
 */
size_t record_queue_key(
    struct octets key, uint8_t record[RECORD_KEY_LEN], uint64_t *claimed);

/* Where it stands that the message was revoked. */
void record_revoked(const struct envid_parts *, uint8_t key[RECORD_KEY_LEN]);
/* Where an event of the message stands, by the hash of what it says. */
void record_event(const struct envid_parts *, const uint8_t hash[SEAL_HASH_LEN],
    uint8_t key[RECORD_EVENT_LEN]);

/* What a record holds. */
struct record {
	bool settled;	      /* there is a body; else it is minted only */
	struct octets secret; /* A, where it cannot be computed; or empty */
	struct queue_claim claim;
	struct octets body;		/* of mail_body_put() */
	const struct mail_record *mail; /* or what it is to be made of */
};

/*
 * Seal a record of handle under the account's seal key, bound to its key and
 * ENVID, into value. Returns 0 or -1.
 */
int record_close(const uint8_t seal_key[SEAL_KEY_LEN],
    const uint8_t handle[HANDLE_LEN], const struct envid_parts *,
    const struct record *, struct wire_out *value)
    __attribute__((warn_unused_result));

/* Of which kind is a value's message? Returns 0, or -1 for no record. */
int record_kind(struct octets value, enum envid_kind *);

/* A sealed value, to be opened. */
struct record_sealed {
	const uint8_t *handle; /* HANDLE_LEN octets */
	struct envid_parts parts;
	struct octets value;
};

/*
 * Open a value; record points into plain. Returns 0, or -1 for one that is
 * not this account's, not this message's, or damaged.
 */
int record_open(const uint8_t seal_key[SEAL_KEY_LEN],
    const struct record_sealed *, struct record *, struct wire_out *plain)
    __attribute__((warn_unused_result));

#endif
