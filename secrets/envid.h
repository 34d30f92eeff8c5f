/*
 * The number of a message and its ENVID (RFC 3885 3.2, RFC 3461 4.4): one
 * AES-128 block over unique parts. To an outsider it is random; to the keeper
 * it is the key of the record.
 */
#ifndef SECRETS_ENVID_H
#define SECRETS_ENVID_H

#include <stddef.h>
#include <stdint.h>

#include "common/keeper_messages.h"
#include "common/wire.h"
#include "secrets/timeline.h"

#define ENVID_KEY_LEN	  16
#define ENVID_LOCAL_LEN	  22 /* base64url of a handle */
#define ENVID_FQHN_MAX	  (ENVID_MAX - ENVID_LOCAL_LEN - 1)
#define ENVID_ACCOUNT_MAX ((1ull << 36) - 1)

/* Where the secret A of a message comes from (RFC 3888 6.2). */
enum envid_kind { ENVID_DERIVED, ENVID_RANDOM };

struct envid_parts {
	uint64_t time;	  /* ms since 1970, 44 bits */
	uint64_t account; /* 36 bits */
	uint16_t node;	  /* 12 bits */
	uint32_t counter; /* 20 bits */
	enum envid_kind kind;
};

struct envid_cipher;

/* Returns NULL where OpenSSL fails. */
struct envid_cipher *envid_cipher_new(const uint8_t key[ENVID_KEY_LEN]);
void envid_cipher_free(struct envid_cipher *);

/* Close parts into a handle. Returns 0, or -1 where a part is too large. */
int envid_close(struct envid_cipher *, const struct envid_parts *,
    uint8_t handle[HANDLE_LEN]);

/*
 * Open a handle. Returns 0, or -1 for one that was not made under this key
 * (a guess passes once in 32768: the check is a filter, never a proof).
 */
int envid_open(struct envid_cipher *, const uint8_t handle[HANDLE_LEN],
    struct envid_parts *);

/*
 * Give the next message of parts->account its time, counter and handle; the
 * text of a handle drawn so never begins with "-". Returns 0, or -1.
 */
int envid_draw(struct envid_cipher *, struct timeline *, uint64_t now,
    struct envid_parts *, uint8_t handle[HANDLE_LEN]);

/*
 * What stands right of "@": hostname as xtext, or where the whole would pass
 * ENVID_MAX its SHA-1 in base64 as xtext (RFC 3885 3.2).
 */
void envid_fqhn(const char *hostname, char out[ENVID_FQHN_MAX + 1]);

/* handle "@" fqhn, with a NUL. Returns its length. */
size_t envid_text(const uint8_t handle[HANDLE_LEN], const char *fqhn,
    char out[ENVID_MAX + 1]);

/*
 * Take a text apart at its last "@". Returns 0 with the handle and fqhn
 * (pointing into text), or -1 where it cannot be one of ours.
 */
int envid_parse(
    struct octets text, uint8_t handle[HANDLE_LEN], struct octets *fqhn);

#endif
