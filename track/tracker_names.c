/*
 * The certificates of the tracking server; see tracker_names.h.
 */
#include "track/tracker_names.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "common/log.h"

int
tracker_names_add(struct tracker_names *names, const struct tls_server *server,
    char *error, size_t size)
{
	SSL_CTX *ctx = tls_server_context(server, error, size);
	SSL_CTX **grown;

	if (ctx == NULL)
		return -1;
	grown = realloc(
	    names->contexts, (names->count + 1) * sizeof(*names->contexts));
	if (grown == NULL)
		fatal("out of memory");
	names->contexts = grown;
	names->contexts[names->count++] = ctx;
	return 0;
}

static SSL_CTX *
find_with(const struct tracker_names *names, const char *domain, unsigned flags)
{
	for (size_t i = 0; i < names->count; i++) {
		X509 *cert = SSL_CTX_get0_certificate(names->contexts[i]);

		if (X509_check_host(cert, domain, strlen(domain),
			flags | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL) == 1)
			return names->contexts[i];
	}
	return NULL;
}

SSL_CTX *
tracker_names_find(const struct tracker_names *names, const char *domain)
{
	SSL_CTX *ctx = find_with(names, domain, X509_CHECK_FLAG_NO_WILDCARDS);

	return ctx != NULL ? ctx : find_with(names, domain, 0);
}

void
tracker_names_free(struct tracker_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		SSL_CTX_free(names->contexts[i]);
	free(names->contexts);
	*names = (struct tracker_names){ 0 };
}
