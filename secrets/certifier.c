/*
 * The secret A of a message and its certifier B (RFC 3885 3.1, RFC 3888 6.2).
 */
#include "secrets/certifier.h"

#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/codec.h"
#include "secrets/seal.h"

#define DRAWS_MAX 256 /* a third of all draws is thrown away */

static EVP_MD_CTX *
sha1_context(void)
{
	EVP_MD *sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	if (ctx != NULL && EVP_DigestInit_ex2(ctx, sha1, NULL) != 1) {
		EVP_MD_CTX_free(ctx);
		ctx = NULL;
	}
	EVP_MD_free(sha1);
	return ctx;
}

int
certifier_of(const void *secret, size_t len, uint8_t certifier[CERTIFIER_LEN])
{
	/* Making it and looking SHA-1 up takes longer than using it. */
	static EVP_MD_CTX *sha1;
	unsigned out_len = 0;

	if (sha1 == NULL && (sha1 = sha1_context()) == NULL)
		return -1;
	if (EVP_DigestInit_ex2(sha1, NULL, NULL) != 1 ||
	    EVP_DigestUpdate(sha1, secret, len) != 1 ||
	    EVP_DigestFinal_ex(sha1, certifier, &out_len) != 1)
		return -1;
	return out_len == CERTIFIER_LEN ? 0 : -1;
}

void
certifier_text(
    const uint8_t certifier[CERTIFIER_LEN], char out[CERTIFIER_TEXT + 1])
{
	codec_base64_encode(certifier, CERTIFIER_LEN, false, out);
}

static int
text_has_plus(const uint8_t *certifier)
{
	char text[BASE64_LEN(CERTIFIER_LEN) + 1];

	certifier_text(certifier, text);
	return strchr(text, '+') != NULL;
}

int
certifier_derive(const uint8_t key[CERTIFIER_KEY_LEN],
    const uint8_t handle[HANDLE_LEN], uint8_t secret[CERTIFIER_SECRET_LEN],
    uint8_t certifier[CERTIFIER_LEN])
{
	uint8_t input[HANDLE_LEN + 1];

	memcpy(input, handle, HANDLE_LEN);
	for (unsigned draw = 0; draw < DRAWS_MAX; draw++) {
		input[HANDLE_LEN] = (uint8_t)draw;
		if (seal_mac(key, (struct octets){ input, sizeof(input) },
			secret) == -1 ||
		    certifier_of(secret, CERTIFIER_SECRET_LEN, certifier) == -1)
			break;
		if (!text_has_plus(certifier))
			return 0;
	}
	OPENSSL_cleanse(secret, CERTIFIER_SECRET_LEN);
	return -1;
}

int
certifier_draw(
    uint8_t secret[CERTIFIER_SECRET_LEN], uint8_t certifier[CERTIFIER_LEN])
{
	for (unsigned draw = 0; draw < DRAWS_MAX; draw++) {
		if (RAND_bytes(secret, CERTIFIER_SECRET_LEN) != 1 ||
		    certifier_of(secret, CERTIFIER_SECRET_LEN, certifier) == -1)
			break;
		if (!text_has_plus(certifier))
			return 0;
	}
	OPENSSL_cleanse(secret, CERTIFIER_SECRET_LEN);
	return -1;
}
