/*
 * HMAC-SHA-256 (RFC 2104), at its price: OpenSSL looks the algorithm up and
 * allocates at each use that is not kept, and hashes the key each time.
 */
#ifndef COMMON_MAC_H
#define COMMON_MAC_H

#include <stdint.h>

#include "common/wire.h"

enum { MAC_KEY_LEN = 32, MAC_LEN = 32 };

/*
 * The MAC of data under key. The keys used last are kept, prepared, in the
 * memory of this process, which has one thread. Returns 0 or -1.
 */
int mac_compute(const uint8_t key[MAC_KEY_LEN], struct octets data,
    uint8_t out[MAC_LEN]) __attribute__((warn_unused_result));

#endif
