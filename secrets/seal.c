/*
 * Sealing what the vault keeps (NIST SP 800-38D, RFC 5869).
 */
#include "secrets/seal.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>

#include "common/mac.h"

_Static_assert((int)SEAL_KEY_LEN == MAC_KEY_LEN && (int)SEAL_MAC_LEN == MAC_LEN,
    "keyed hashes are HMAC-SHA-256");

/* Where a derived key goes. */
struct derived {
	uint8_t *out;
	size_t len;
};

/*
 * What seals and opens boxes: the keeper has one thread, and OpenSSL looks an
 * algorithm up by its name, and allocates, at each use that is not kept; to
 * take another key costs nearly as much as to seal a record. Each key has one
 * place, by its first octet, and stays there until another one takes it, or the
 * process ends, whoever else has wiped it.
 */
#define SLOTS 64

static struct slot {
	EVP_CIPHER_CTX *ctx;
	uint8_t key[SEAL_KEY_LEN];
	bool keyed;
} slots[2][SLOTS];

static EVP_CIPHER_CTX *
gcm_context(int closing)
{
	EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx == NULL || cipher == NULL ||
	    EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, closing) != 1) {
		EVP_CIPHER_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_CIPHER_free(cipher);
	return ctx;
}

/* A context with key and nonce, to close a box or to open one; or NULL. */
static EVP_CIPHER_CTX *
gcm_begin(int closing, const uint8_t *key, const uint8_t *nonce)
{
	struct slot *s = &slots[closing][key[0] % SLOTS];

	if (s->ctx == NULL && (s->ctx = gcm_context(closing)) == NULL)
		return NULL;
	/* No outsider brings a key, so time tells of none. */
	if (!s->keyed || memcmp(s->key, key, SEAL_KEY_LEN) != 0) {
		s->keyed =
		    EVP_CipherInit_ex(s->ctx, NULL, NULL, key, NULL, -1) == 1;
		memcpy(s->key, key, SEAL_KEY_LEN);
	}
	if (!s->keyed ||
	    EVP_CipherInit_ex(s->ctx, NULL, NULL, NULL, nonce, -1) != 1)
		return NULL;
	return s->ctx;
}

/* Random octets that everybody may see, drawn for many boxes at once. */
static int
draw_nonce(uint8_t out[SEAL_NONCE_LEN])
{
	static uint8_t drawn[64 * SEAL_NONCE_LEN];
	static size_t left;

	if (left == 0 && RAND_bytes(drawn, sizeof(drawn)) != 1)
		return -1;
	if (left == 0)
		left = sizeof(drawn);
	left -= SEAL_NONCE_LEN;
	memcpy(out, drawn + left, SEAL_NONCE_LEN);
	return 0;
}

static int
gcm_close(
    EVP_CIPHER_CTX *ctx, struct octets with, struct octets plain, uint8_t *out)
{
	int len;

	if (EVP_EncryptUpdate(ctx, NULL, &len, with.data, (int)with.len) != 1 ||
	    EVP_EncryptUpdate(ctx, out, &len, plain.data, (int)plain.len) !=
		1 ||
	    EVP_EncryptFinal_ex(ctx, out + plain.len, &len) != 1)
		return -1;
	if (EVP_CIPHER_CTX_ctrl(
		ctx, EVP_CTRL_GCM_GET_TAG, SEAL_TAG_LEN, out + plain.len) != 1)
		return -1;
	return 0;
}

int
seal_close(const uint8_t key[SEAL_KEY_LEN], struct octets with,
    struct octets plain, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;

	if (draw_nonce(out) == -1 || (ctx = gcm_begin(1, key, out)) == NULL)
		return -1;
	return gcm_close(ctx, with, plain, out + SEAL_NONCE_LEN);
}

static int
gcm_open(
    EVP_CIPHER_CTX *ctx, struct octets with, struct octets text, uint8_t *out)
{
	uint8_t tag[SEAL_TAG_LEN];
	int len;

	memcpy(tag, text.data + text.len, SEAL_TAG_LEN);
	if (EVP_DecryptUpdate(ctx, NULL, &len, with.data, (int)with.len) != 1 ||
	    EVP_DecryptUpdate(ctx, out, &len, text.data, (int)text.len) != 1 ||
	    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, SEAL_TAG_LEN, tag) !=
		1)
		return -1;
	return EVP_DecryptFinal_ex(ctx, out + text.len, &len) == 1 ? 0 : -1;
}

int
seal_open(const uint8_t key[SEAL_KEY_LEN], struct octets with,
    struct octets box, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx;
	struct octets text;
	int rc = -1;

	if (box.len < SEAL_OVERHEAD)
		return -1;
	text.data = box.data + SEAL_NONCE_LEN;
	text.len = box.len - SEAL_OVERHEAD;
	if ((ctx = gcm_begin(0, key, box.data)) != NULL)
		rc = gcm_open(ctx, with, text, out);
	if (rc == -1)
		OPENSSL_cleanse(out, text.len);
	return rc;
}

static int
derive(EVP_KDF_CTX *ctx, const uint8_t *secret, const char *purpose,
    struct derived *to)
{
	char digest[] = "SHA256", info[64];
	uint8_t key[SEAL_KEY_LEN];
	int rc = -1, len = snprintf(info, sizeof(info), "%s", purpose);
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(
		    OSSL_KDF_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_KEY, key, sizeof(key)),
		OSSL_PARAM_construct_octet_string(
		    OSSL_KDF_PARAM_INFO, info, (size_t)len),
		OSSL_PARAM_construct_end(),
	};

	memcpy(key, secret, sizeof(key));
	if (len > 0 && (size_t)len < sizeof(info) &&
	    EVP_KDF_derive(ctx, to->out, to->len, params) == 1)
		rc = 0;
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

int
seal_derive(const uint8_t secret[SEAL_KEY_LEN], const char *purpose,
    uint8_t *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf != NULL ? EVP_KDF_CTX_new(kdf) : NULL;
	struct derived to = { out, len };
	int rc = -1;

	if (ctx != NULL)
		rc = derive(ctx, secret, purpose, &to);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	return rc;
}

int
seal_mac(const uint8_t key[SEAL_KEY_LEN], struct octets data,
    uint8_t out[SEAL_MAC_LEN])
{
	return mac_compute(key, data, out);
}

int
seal_hash(const uint8_t key[SEAL_KEY_LEN], const char *purpose,
    struct octets data, uint8_t out[SEAL_HASH_LEN])
{
	size_t purpose_len = strlen(purpose) + 1;
	uint8_t mac[SEAL_MAC_LEN], some[512], *input = some;
	int rc;

	if (purpose_len + data.len > sizeof(some) &&
	    (input = malloc(purpose_len + data.len)) == NULL)
		return -1;
	memcpy(input, purpose, purpose_len);
	if (data.len != 0)
		memcpy(input + purpose_len, data.data, data.len);
	rc = seal_mac(
	    key, (struct octets){ input, purpose_len + data.len }, mac);
	if (rc == 0)
		memcpy(out, mac, SEAL_HASH_LEN);
	OPENSSL_cleanse(mac, sizeof(mac));
	OPENSSL_cleanse(input, purpose_len + data.len);
	if (input != some)
		free(input);
	return rc;
}
