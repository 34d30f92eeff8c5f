/*
 * How a message is proved: its certifier, its ENVID, and the hash of both
 * (RFC 3885 3.1 and 3.2).
 */
#include <string.h>

#include <openssl/crypto.h>

#include "common/codec.h"
#include "secrets/vault_inside.h"

int
record_certifier(const struct account *a, const struct mail_record *m,
    struct octets secret, uint8_t certifier[CERTIFIER_LEN])
{
	uint8_t drawn[CERTIFIER_SECRET_LEN];
	int rc;

	if ((m->flags & MAIL_CLIENT_MTRK) != 0) {
		memcpy(certifier, m->certifier, CERTIFIER_LEN);
		return 0;
	}
	if (secret.len != 0)
		return certifier_of(secret.data, secret.len, certifier);
	rc = certifier_derive(a->certify, m->handle, drawn, certifier);
	OPENSSL_cleanse(drawn, sizeof(drawn));
	return rc;
}

/* What the xtext of an ENVID says; itself where it is none. */
static size_t
envid_decode(struct octets envid, uint8_t out[ENVID_MAX])
{
	long len;

	if (envid.len == 0 || envid.len > ENVID_MAX)
		return 0;
	len = codec_xtext_decode((const char *)envid.data, envid.len, out);
	if (len >= 0)
		return (size_t)len;
	memcpy(out, envid.data, envid.len);
	return envid.len;
}

bool
record_has_envid(const struct mail_record *m, struct octets envid)
{
	uint8_t a[ENVID_MAX], b[ENVID_MAX];
	size_t len = envid_decode(envid, a);

	return len != 0 && envid_decode(m->envid, b) == len &&
	    memcmp(a, b, len) == 0;
}

int
record_hash_certifier(const struct vault *v, struct octets envid,
    const uint8_t certifier[CERTIFIER_LEN], uint8_t hash[SEAL_HASH_LEN])
{
	uint8_t both[CERTIFIER_LEN + ENVID_MAX];
	size_t len;

	memcpy(both, certifier, CERTIFIER_LEN);
	len = envid_decode(envid, both + CERTIFIER_LEN);
	return seal_hash(v->index_key, "envid and certifier",
	    (struct octets){ both, CERTIFIER_LEN + len }, hash);
}

int
record_mail(const struct record *r, struct mail_record *m)
{
	struct wire_in in;

	wire_read(&in, r->body.data, r->body.len);
	mail_body_get(&in, m);
	return wire_end(&in);
}
