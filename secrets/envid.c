/*
 * The number of a message and its ENVID (RFC 3885 3.2, RFC 3461 4.4).
 */
#include "secrets/envid.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/codec.h"

#define CHECK_DERIVED 0x5744u
#define CHECK_RANDOM  0x5752u
#define FIRST_IS_DASH 62 /* the place of "-" in base64url */

struct envid_cipher {
	EVP_CIPHER_CTX *closing;
	EVP_CIPHER_CTX *opening;
};

static EVP_CIPHER_CTX *
cipher_start(const uint8_t *key, int closing)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (ctx != NULL &&
	    EVP_CipherInit_ex(
		ctx, EVP_aes_128_ecb(), NULL, key, NULL, closing) == 1 &&
	    EVP_CIPHER_CTX_set_padding(ctx, 0) == 1)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

struct envid_cipher *
envid_cipher_new(const uint8_t key[ENVID_KEY_LEN])
{
	struct envid_cipher *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->closing = cipher_start(key, 1);
	c->opening = cipher_start(key, 0);
	if (c->closing != NULL && c->opening != NULL)
		return c;
	envid_cipher_free(c);
	return NULL;
}

void
envid_cipher_free(struct envid_cipher *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->closing);
	EVP_CIPHER_CTX_free(c->opening);
	free(c);
}

static void
put_be64(uint8_t *out, uint64_t value)
{
	for (int i = 7; i >= 0; i--) {
		out[i] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t
get_be64(const uint8_t *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | in[i];
	return value;
}

/* time 44, account 36, node 12, counter 20, check 16 bits. */
int
envid_close(struct envid_cipher *c, const struct envid_parts *p,
    uint8_t handle[HANDLE_LEN])
{
	uint8_t block[HANDLE_LEN];
	uint64_t check = p->kind == ENVID_RANDOM ? CHECK_RANDOM : CHECK_DERIVED;
	int len;

	if (p->time >> 44 != 0 || p->account > ENVID_ACCOUNT_MAX ||
	    p->node >> 12 != 0 || p->counter >> 20 != 0)
		return -1;
	put_be64(block, p->time << 20 | p->account >> 16);
	put_be64(block + 8,
	    (p->account & 0xffff) << 48 | (uint64_t)p->node << 36 |
		(uint64_t)p->counter << 16 | check);
	if (EVP_CipherUpdate(c->closing, handle, &len, block, HANDLE_LEN) !=
		1 ||
	    len != HANDLE_LEN)
		return -1;
	return 0;
}

int
envid_open(struct envid_cipher *c, const uint8_t handle[HANDLE_LEN],
    struct envid_parts *p)
{
	uint8_t block[HANDLE_LEN];
	uint64_t high, low;
	int len;

	if (EVP_CipherUpdate(c->opening, block, &len, handle, HANDLE_LEN) !=
		1 ||
	    len != HANDLE_LEN)
		return -1;
	high = get_be64(block);
	low = get_be64(block + 8);
	p->time = high >> 20;
	p->account = (high & 0xfffff) << 16 | low >> 48;
	p->node = (uint16_t)(low >> 36 & 0xfff);
	p->counter = (uint32_t)(low >> 16 & 0xfffff);
	switch (low & 0xffff) {
	case CHECK_DERIVED:
		p->kind = ENVID_DERIVED;
		return 0;
	case CHECK_RANDOM:
		p->kind = ENVID_RANDOM;
		return 0;
	default:
		return -1;
	}
}

int
envid_draw(struct envid_cipher *c, struct timeline *tl, uint64_t now,
    struct envid_parts *p, uint8_t handle[HANDLE_LEN])
{
	do {
		timeline_next(tl, now);
		p->time = tl->time;
		p->counter = tl->counter;
		if (envid_close(c, p, handle) == -1)
			return -1;
	} while (handle[0] >> 2 == FIRST_IS_DASH);
	return 0;
}

void
envid_fqhn(const char *hostname, char out[ENVID_FQHN_MAX + 1])
{
	uint8_t hash[EVP_MAX_MD_SIZE];
	char text[BASE64_LEN(20) + 1];
	unsigned len = 0;
	size_t text_len;

	if (codec_xtext_encode(
		hostname, strlen(hostname), out, ENVID_FQHN_MAX + 1) >= 0)
		return;
	EVP_Digest(hostname, strlen(hostname), hash, &len, EVP_sha1(), NULL);
	text_len = codec_base64_encode(hash, 20, false, text);
	if (codec_xtext_encode(text, text_len, out, ENVID_FQHN_MAX + 1) < 0)
		out[0] = '\0';
}

size_t
envid_text(
    const uint8_t handle[HANDLE_LEN], const char *fqhn, char out[ENVID_MAX + 1])
{
	size_t len = codec_base64url_encode(handle, HANDLE_LEN, out);
	size_t fqhn_len = strnlen(fqhn, ENVID_FQHN_MAX);

	out[len++] = '@';
	memcpy(out + len, fqhn, fqhn_len);
	out[len + fqhn_len] = '\0';
	return len + fqhn_len;
}

int
envid_parse(struct octets text, uint8_t handle[HANDLE_LEN], struct octets *fqhn)
{
	const char *s = (const char *)text.data;
	uint8_t decoded[ENVID_LOCAL_LEN];

	if (text.len <= ENVID_LOCAL_LEN + 1 || text.len > ENVID_MAX ||
	    s[ENVID_LOCAL_LEN] != '@' ||
	    memchr(s + ENVID_LOCAL_LEN + 1, '@',
		text.len - ENVID_LOCAL_LEN - 1) != NULL)
		return -1;
	if (codec_base64url_decode(s, ENVID_LOCAL_LEN, decoded) != HANDLE_LEN)
		return -1;
	memcpy(handle, decoded, HANDLE_LEN);
	fqhn->data = text.data + ENVID_LOCAL_LEN + 1;
	fqhn->len = text.len - ENVID_LOCAL_LEN - 1;
	return 0;
}
