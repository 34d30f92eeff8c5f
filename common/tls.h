/*
 * TLS contexts: 1.2 and 1.3 only (RFC 8997), tickets that every worker opens,
 * buffers that idle connections give back.
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>

#include <openssl/ssl.h>

enum { TLS_TICKET_KEYS_LEN = 80 };

struct tls_server {
	const char *certificate; /* PEM: certificate and chain */
	size_t certificate_len;
	const char *key; /* PEM */
	size_t key_len;
	bool only_1_3;
	const char *ciphers;	    /* of TLS 1.2; "": OpenSSL's own */
	unsigned char *ticket_keys; /* TLS_TICKET_KEYS_LEN octets */
};

/* Returns NULL, and what is wrong in error (size octets). */
SSL_CTX *
tls_server_context(const struct tls_server *, char *error, size_t size);

/* ca_file "": the system's authorities. Returns NULL and error likewise. */
SSL_CTX *
tls_client_context(bool verify, const char *ca_file, char *error, size_t size);

#endif
