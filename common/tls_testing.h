/*
 * For tests: a fresh P-256 key with a self-signed certificate, for localhost
 * or for other names, as PEM in memory.
 */
#ifndef COMMON_TLS_TESTING_H
#define COMMON_TLS_TESTING_H

#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "common/tls.h"

struct tls_testing_pair {
	char certificate[4096];
	char key[2048];
};

static inline void
tls_testing_text(BIO *bio, char *out, size_t size)
{
	int n = BIO_read(bio, out, (int)size - 1);

	out[n > 0 ? n : 0] = '\0';
	BIO_free(bio);
}

/* names: "DNS:a.example,IP:127.0.0.1", or NULL for none but common's. */
static inline void
tls_testing_make_for(
    struct tls_testing_pair *pair, const char *common, const char *names)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	X509_EXTENSION *san = names == NULL
	    ? NULL
	    : X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	BIO *bio = BIO_new(BIO_s_mem());

	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(
	    name, "CN", MBSTRING_ASC, (const unsigned char *)common, -1, -1, 0);
	X509_set_issuer_name(cert, name);
	if (san != NULL)
		X509_add_ext(cert, san, -1);
	X509_set_pubkey(cert, key);
	X509_sign(cert, key, EVP_sha256());
	PEM_write_bio_X509(bio, cert);
	tls_testing_text(bio, pair->certificate, sizeof(pair->certificate));
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	tls_testing_text(bio, pair->key, sizeof(pair->key));
	X509_EXTENSION_free(san);
	X509_free(cert);
	EVP_PKEY_free(key);
}

static inline void
tls_testing_make(struct tls_testing_pair *pair)
{
	tls_testing_make_for(pair, "localhost", "DNS:localhost,IP:127.0.0.1");
}

/* What tls_server_context() wants; ticket_keys has TLS_TICKET_KEYS_LEN. */
static inline struct tls_server
tls_testing_server(
    const struct tls_testing_pair *pair, unsigned char *ticket_keys)
{
	return (struct tls_server){ .certificate = pair->certificate,
		.certificate_len = strlen(pair->certificate),
		.key = pair->key,
		.key_len = strlen(pair->key),
		.ciphers = "",
		.ticket_keys = ticket_keys };
}

#endif
