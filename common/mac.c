/*
 * HMAC-SHA-256 with the keys that were used last.
 */
#include "common/mac.h"

#include <stdbool.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

/*
 * Each key has one place, by its first octet: those of the process and of the
 * accounts that are at work come again and again.
 */
#define SLOTS 64

static struct slot {
	EVP_MAC_CTX *ctx;
	uint8_t key[MAC_KEY_LEN];
	bool keyed;
} slots[SLOTS];

static EVP_MAC_CTX *
context_new(void)
{
	char digest[] = "SHA256";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end(),
	};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac != NULL ? EVP_MAC_CTX_new(mac) : NULL;

	EVP_MAC_free(mac);
	if (ctx != NULL && EVP_MAC_CTX_set_params(ctx, params) != 1) {
		EVP_MAC_CTX_free(ctx);
		return NULL;
	}
	return ctx;
}

static int
slot_begin(struct slot *s, const uint8_t *key)
{
	if (s->ctx == NULL && (s->ctx = context_new()) == NULL)
		return -1;
	/* No outsider brings a key, so time tells of none. */
	if (s->keyed && memcmp(s->key, key, MAC_KEY_LEN) == 0)
		return EVP_MAC_init(s->ctx, NULL, 0, NULL) == 1 ? 0 : -1;
	s->keyed = false;
	if (EVP_MAC_init(s->ctx, key, MAC_KEY_LEN, NULL) != 1)
		return -1;
	memcpy(s->key, key, MAC_KEY_LEN);
	s->keyed = true;
	return 0;
}

int
mac_compute(
    const uint8_t key[MAC_KEY_LEN], struct octets data, uint8_t out[MAC_LEN])
{
	struct slot *s = &slots[key[0] % SLOTS];
	size_t len = 0;

	if (slot_begin(s, key) == 0 &&
	    EVP_MAC_update(s->ctx, data.data, data.len) == 1 &&
	    EVP_MAC_final(s->ctx, out, &len, MAC_LEN) == 1 && len == MAC_LEN)
		return 0;
	s->keyed = false;
	return -1;
}
