/*
 * TLS to a server: what is trusted, and what to tell the user
 * where it is not.
 */
#include "token/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "token/text.h"

static const char *
openssl_reason(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	if (reason != NULL)
		return reason;
	return ERR_SYSTEM_ERROR(error) ? strerror(ERR_GET_REASON(error))
				       : "unknown reason";
}

static int
failed(struct channel *c, const char *doing)
{
	return problem_set(c->problem, PROBLEM_SERVER, "%s failed: %s", doing,
	    openssl_reason());
}

static int
load_authorities(struct channel *c)
{
	const struct peer *p = c->peer;

	if ((p->ca_file == NULL || p->system_too) &&
	    SSL_CTX_set_default_verify_paths(c->ctx) != 1)
		return failed(c, "loading the system's authorities");
	errno = 0;
	if (p->ca_file == NULL ||
	    SSL_CTX_load_verify_file(c->ctx, p->ca_file) == 1)
		return 0;
	return problem_set(c->problem, PROBLEM_USAGE,
	    "cannot read authorities from ca_file %s: %s", p->ca_file,
	    openssl_reason());
}

/* OpenSSL forgets a certificate that it refuses; its names are to be told. */
static int
note_certificate(int good, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(
	    store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct channel *c = SSL_get_app_data(ssl);
	X509 *shown = X509_STORE_CTX_get0_cert(store);

	if (!good && c->shown == NULL && shown != NULL && X509_up_ref(shown))
		c->shown = shown;
	return good;
}

/* Names are verified against SANs; an address against addresses there. */
static int
expect_name(struct channel *c)
{
	const char *name = c->peer->name;
	unsigned char address[sizeof(struct in6_addr)];

	if (inet_pton(AF_INET, name, address) == 1 ||
	    inet_pton(AF_INET6, name, address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(
			   SSL_get0_param(c->ssl), name) == 1
		    ? 0
		    : -1;
	SSL_set_hostflags(c->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return SSL_set1_host(c->ssl, name) == 1 &&
		SSL_set_tlsext_host_name(c->ssl, name) == 1
	    ? 0
	    : -1;
}

int
tls_prepare(struct channel *c)
{
	ERR_clear_error();
	c->ctx = SSL_CTX_new(TLS_client_method());
	if (c->ctx == NULL ||
	    SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1)
		return failed(c, "starting TLS");
	if (!c->peer->no_verify) {
		SSL_CTX_set_verify(c->ctx, SSL_VERIFY_PEER, note_certificate);
		if (load_authorities(c) != 0)
			return -1;
	}
	c->ssl = SSL_new(c->ctx);
	if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1 ||
	    SSL_set_app_data(c->ssl, c) != 1 || expect_name(c) != 0)
		return failed(c, "starting TLS");
	return 0;
}

/* The names a certificate is good for, or its subject, cleaned. */
static void
certificate_names(struct channel *c, char *out, size_t size)
{
	STACK_OF(GENERAL_NAME) * names;
	size_t used = 0;

	out[0] = '\0';
	if (c->shown == NULL)
		return;
	names = X509_get_ext_d2i(c->shown, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		const ASN1_STRING *dns;

		if (name->type != GEN_DNS || size - used < 4)
			continue;
		dns = name->d.dNSName;
		if (used > 0) {
			memcpy(out + used, ", ", 3);
			used += 2;
		}
		used += text_clean(ASN1_STRING_get0_data(dns),
		    (size_t)ASN1_STRING_length(dns), out + used, size - used);
	}
	GENERAL_NAMES_free(names);
}

static int
explain_name(struct channel *c)
{
	const struct peer *p = c->peer;
	char names[256];

	certificate_names(c, names, sizeof(names));
	if (names[0] == '\0')
		strcpy(names, "nobody by name");
	if (p->settings == NULL)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "the certificate of the %s %s is not for %s but for %s",
		    p->what, p->server, p->name, names);
	return problem_set(c->problem, PROBLEM_SERVER,
	    "the certificate of %s is not for %s but for %s. If that is the "
	    "server you mean, set server_name in %s",
	    p->server, p->name, names, p->settings);
}

static int
explain_authority(struct channel *c)
{
	const struct peer *p = c->peer;

	if (p->settings == NULL)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "the certificate of the %s %s is from an authority that is "
		    "not trusted here. Give --ca-file, or SSL_CERT_FILE in the "
		    "environment, with the PEM file of the right one",
		    p->what, p->server);
	return problem_set(c->problem, PROBLEM_SERVER,
	    "the certificate of %s is from an authority that %s does "
	    "not hold. Set ca_file in %s to the PEM file of the right one",
	    p->server, p->ca_file != NULL ? p->ca_file : "this machine",
	    p->settings);
}

static int
explain_certificate(struct channel *c, long result)
{
	switch (result) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return explain_name(c);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		return explain_authority(c);
	default:
		return problem_set(c->problem, PROBLEM_SERVER,
		    "the certificate of %s is not good: %s", c->peer->server,
		    X509_verify_cert_error_string(result));
	}
}

int
tls_explain(struct channel *c)
{
	const struct peer *p = c->peer;
	int error = errno;
	long result = SSL_get_verify_result(c->ssl);

	if (!p->no_verify && result != X509_V_OK)
		return explain_certificate(c, result);
	if (ERR_peek_error() == 0)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "%s port %u ended the TLS handshake: %s", p->server,
		    p->port,
		    error == 0 ? "connection closed" : strerror(error));
	if (p->settings == NULL)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "TLS with %s port %u failed: %s", p->server, p->port,
		    openssl_reason());
	return problem_set(c->problem, PROBLEM_SERVER,
	    "TLS with %s port %u failed: %s. Is tls = \"%s\" right for that "
	    "port? (set in %s)",
	    p->server, p->port, openssl_reason(), p->tls, p->settings);
}
