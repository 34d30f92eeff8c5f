/*
 * TLS to a server: what is trusted, and what to tell the user
 * where it is not (RFC 8314 3, RFC 6125).
 */
#ifndef TOKEN_TLS_H
#define TOKEN_TLS_H

#include "token/channel.h"

/* Make c->ctx and c->ssl, ready for SSL_connect(). 0, or -1 with the problem.
 */
int tls_prepare(struct channel *);

/* Set the problem after SSL_connect() failed. Returns -1. */
int tls_explain(struct channel *);

#endif
