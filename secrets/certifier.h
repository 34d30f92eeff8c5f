/*
 * The secret A of a message and its certifier B = SHA-1(A) (RFC 3885 3.1), by
 * either mechanism of RFC 3888 6.2: derived from what the keeper has, or drawn.
 */
#ifndef SECRETS_CERTIFIER_H
#define SECRETS_CERTIFIER_H

#include <stddef.h>
#include <stdint.h>

#include "common/keeper_messages.h"

#define CERTIFIER_SECRET_LEN 32 /* octets of an A of ours */
#define CERTIFIER_KEY_LEN    32

/*
 * A of the message handle under the account's certify key, and its B: the
 * same each time. The base64 of B never contains "+", which some next hops
 * decode as xtext (RFC 3885 3.1). Returns 0, or -1 where OpenSSL fails.
 */
int certifier_derive(const uint8_t key[CERTIFIER_KEY_LEN],
    const uint8_t handle[HANDLE_LEN], uint8_t secret[CERTIFIER_SECRET_LEN],
    uint8_t certifier[CERTIFIER_LEN]) __attribute__((warn_unused_result));

/* The same with an A from the system's random source. */
int certifier_draw(uint8_t secret[CERTIFIER_SECRET_LEN],
    uint8_t certifier[CERTIFIER_LEN]) __attribute__((warn_unused_result));

/* B of an A of any length. Returns 0, or -1. */
int certifier_of(const void *secret, size_t len,
    uint8_t certifier[CERTIFIER_LEN]) __attribute__((warn_unused_result));

/* The 27 characters that stand in MTRK=, and a NUL. */
void certifier_text(
    const uint8_t certifier[CERTIFIER_LEN], char out[CERTIFIER_TEXT + 1]);

#endif
