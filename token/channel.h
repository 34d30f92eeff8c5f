/*
 * Lines to and from a server, in TLS as soon as there is any (RFC 3207,
 * RFC 8314, RFC 3887 6), each within a time limit.
 */
#ifndef TOKEN_CHANNEL_H
#define TOKEN_CHANNEL_H

#include <openssl/ssl.h>

#include "token/peer.h"
#include "token/problem.h"

#define CHANNEL_LINE_MAX 2048

struct channel {
	const struct peer *peer;
	struct problem *problem;
	int fd;
	SSL_CTX *ctx;
	SSL *ssl;    /* NULL before the handshake */
	X509 *shown; /* the server's certificate, where it was not good */
	size_t len;
	char in[8192]; /* read and not yet taken */
	char line[CHANNEL_LINE_MAX + 1];
};

/*
 * Connect. Both must live as long as the channel; the problem is set
 * by whatever returns -1. channel_close() is due in every case.
 */
int channel_open(struct channel *, const struct peer *, struct problem *);

/* The same over fd, a connected socket, which the channel will close. */
void
channel_attach(struct channel *, int fd, const struct peer *, struct problem *);

/*
 * Make TLS of it: 1.2 or later, the certificate verified against the name of
 * the peer unless that says otherwise. Octets that came before the
 * handshake are an attack (RFC 3207 4.2, 6) and fail it.
 */
int channel_start_tls(struct channel *);

/* Write all of it. */
int channel_write(struct channel *, const char *text, size_t len);

/* The next line without its CRLF, NUL terminated, until the next call. */
const char *channel_read_line(struct channel *, size_t *len);

/*
 * Read more octets, at least one, into c->in, which must have room; the first
 * c->len are there. channel_eat() takes len of them away.
 */
int channel_fill(struct channel *);
void channel_eat(struct channel *, size_t len);

/* Close, and wipe what came and went. */
void channel_close(struct channel *);

#endif
