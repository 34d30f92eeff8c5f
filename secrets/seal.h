/*
 * Sealing what the vault keeps: AES-256-GCM boxes (NIST SP 800-38D), keys by
 * HKDF-SHA-256 (RFC 5869), and keyed hashes for what is only looked up.
 */
#ifndef SECRETS_SEAL_H
#define SECRETS_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

enum {
	SEAL_KEY_LEN = 32,
	SEAL_NONCE_LEN = 12,
	SEAL_TAG_LEN = 16,
	SEAL_OVERHEAD = SEAL_NONCE_LEN + SEAL_TAG_LEN,
	SEAL_HASH_LEN = 16,
	SEAL_MAC_LEN = 32
};

/*
 * Seal plain under key, bound to with (additional data). out takes
 * plain.len + SEAL_OVERHEAD octets: nonce, ciphertext, tag. Returns 0 or -1.
 */
int seal_close(const uint8_t key[SEAL_KEY_LEN], struct octets with,
    struct octets plain, uint8_t *out) __attribute__((warn_unused_result));

/*
 * Open a box. out takes box.len - SEAL_OVERHEAD octets. Returns 0, or -1 with
 * out wiped where box, key or with is not what it was.
 */
int seal_open(const uint8_t key[SEAL_KEY_LEN], struct octets with,
    struct octets box, uint8_t *out) __attribute__((warn_unused_result));

/* Derive len octets of out from a secret, for one purpose. Returns 0 or -1. */
int seal_derive(const uint8_t secret[SEAL_KEY_LEN], const char *purpose,
    uint8_t *out, size_t len) __attribute__((warn_unused_result));

/* HMAC-SHA-256 (RFC 2104) over data. Returns 0 or -1. */
int seal_mac(const uint8_t key[SEAL_KEY_LEN], struct octets data,
    uint8_t out[SEAL_MAC_LEN]) __attribute__((warn_unused_result));

/* The same over purpose, NUL and data, cut. Returns 0 or -1. */
int seal_hash(const uint8_t key[SEAL_KEY_LEN], const char *purpose,
    struct octets data, uint8_t out[SEAL_HASH_LEN])
    __attribute__((warn_unused_result));

#endif
