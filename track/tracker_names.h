/*
 * The certificates of the tracking server, and which one proves the name that
 * a client gave with STARTTLS (RFC 3887 6).
 */
#ifndef TRACK_TRACKER_NAMES_H
#define TRACK_TRACKER_NAMES_H

#include <stddef.h>

#include <openssl/ssl.h>

#include "common/tls.h"

/* Starts as {0}. */
struct tracker_names {
	SSL_CTX **contexts; /* in the order they were added */
	size_t count;
};

/* Returns 0, or -1 and what is wrong in error (size octets). */
int tracker_names_add(struct tracker_names *, const struct tls_server *,
    char *error, size_t size) __attribute__((warn_unused_result));

/*
 * The first whose certificate has domain among its dNSNames, spelled out if
 * there is one, else by a wildcard; NULL if none has. The common name does
 * not count.
 */
SSL_CTX *tracker_names_find(const struct tracker_names *, const char *domain);

void tracker_names_free(struct tracker_names *);

#endif
