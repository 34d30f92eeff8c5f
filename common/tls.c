/*
 * TLS contexts; see tls.h.
 */
#include "common/tls.h"

#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>

enum { TLS_READ_BUFFER = 128 * 1024 };

static void
tls_explain(char *error, size_t size, const char *what)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());

	snprintf(error, size, "%s: %s", what,
	    words == NULL ? "OpenSSL gives no reason" : words);
	ERR_clear_error();
}

static SSL_CTX *
tls_context(const SSL_METHOD *method)
{
	SSL_CTX *ctx;

	ERR_clear_error();
	if ((ctx = SSL_CTX_new(method)) == NULL)
		return NULL;
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(ctx,
	    SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_CLEANSE_PLAINTEXT);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_read_ahead(ctx, 1);
	SSL_CTX_set_default_read_buffer_len(ctx, TLS_READ_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return ctx;
}

/* Did the last PEM object fail to be there, rather than to be good? */
static bool
tls_no_more_pem(void)
{
	unsigned long error = ERR_peek_last_error();

	return ERR_GET_LIB(error) == ERR_LIB_PEM &&
	    ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
}

static int
tls_use_chain(SSL_CTX *ctx, const struct tls_server *server)
{
	BIO *bio =
	    BIO_new_mem_buf(server->certificate, (int)server->certificate_len);
	X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	int ok = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (
	    ok && (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		ok = SSL_CTX_add1_chain_cert(ctx, cert) == 1;
		X509_free(cert);
	}
	/* Clients would refuse a chain that ends in the middle. */
	ok = ok && tls_no_more_pem();
	BIO_free(bio);
	if (ok)
		ERR_clear_error();
	return ok ? 0 : -1;
}

static int
tls_use_key(SSL_CTX *ctx, const struct tls_server *server)
{
	BIO *bio = BIO_new_mem_buf(server->key, (int)server->key_len);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	int ok = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1 &&
	    SSL_CTX_check_private_key(ctx) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	return ok ? 0 : -1;
}

/*
 * Of the TLS 1.3 suites that the system allows, what costs least first: all
 * are good enough for everybody (RFC 8446 9.1).
 */
static int
tls_order_suites(SSL_CTX *ctx)
{
	static const char first[] = "TLS_AES_128_GCM_SHA256";
	STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
	char list[256] = "";
	size_t len = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
			const char *name =
			    SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i));

			if (strncmp(name, "TLS_", 4) != 0 ||
			    (strcmp(name, first) == 0) != (pass == 0))
				continue;
			len += (size_t)snprintf(list + len, sizeof(list) - len,
			    "%s%s", len > 0 ? ":" : "", name);
			if (len >= sizeof(list))
				return -1;
		}
	}
	return len == 0 || SSL_CTX_set_ciphersuites(ctx, list) == 1 ? 0 : -1;
}

SSL_CTX *
tls_server_context(const struct tls_server *server, char *error, size_t size)
{
	static const unsigned char id[] = "waybill";
	SSL_CTX *ctx = tls_context(TLS_server_method());
	const char *what = NULL;

	if (ctx == NULL) {
		tls_explain(error, size, "TLS");
		return NULL;
	}
	if (server->only_1_3)
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_num_tickets(ctx, 1);
	SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1);
	if (tls_order_suites(ctx) == -1)
		what = "cipher suites";
	else if (tls_use_chain(ctx, server) == -1)
		what = "certificate";
	else if (tls_use_key(ctx, server) == -1)
		what = "private key";
	else if (server->ciphers[0] != '\0' &&
	    SSL_CTX_set_cipher_list(ctx, server->ciphers) != 1)
		what = "ciphers";
	else if (SSL_CTX_set_tlsext_ticket_keys(
		     ctx, server->ticket_keys, TLS_TICKET_KEYS_LEN) != 1)
		what = "ticket keys";
	if (what == NULL)
		return ctx;
	tls_explain(error, size, what);
	SSL_CTX_free(ctx);
	return NULL;
}

SSL_CTX *
tls_client_context(bool verify, const char *ca_file, char *error, size_t size)
{
	SSL_CTX *ctx = tls_context(TLS_client_method());
	int ok = ctx != NULL;

	if (ok && verify) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
		ok = ca_file[0] != '\0' ? SSL_CTX_load_verify_file(ctx, ca_file)
					: SSL_CTX_set_default_verify_paths(ctx);
	}
	if (ok == 1)
		return ctx;
	tls_explain(error, size, verify ? ca_file : "TLS");
	SSL_CTX_free(ctx);
	return NULL;
}
