/*
 * A submission session that only asks: greeting, STARTTLS, login, XMTRK
 * (RFC 6409, RFC 3207, RFC 4954, docs/xmtrk.md).
 */
#ifndef TOKEN_CLIENT_H
#define TOKEN_CLIENT_H

#include "token/answer.h"
#include "token/channel.h"
#include "token/options.h"

enum client_mechanism { CLIENT_PLAIN = 1, CLIENT_LOGIN = 2 };

struct client {
	const struct options *options;
	struct peer peer;
	struct channel channel;
	unsigned mechanisms; /* enum client_mechanism, as EHLO listed them */
	bool starttls;
	int code;	  /* of the last reply */
	char reply[1024]; /* its text, cleaned, lines joined */
};

/*
 * Connect, make TLS and log in. Returns 0, or -1 with the problem set; in
 * every case client_close() is due.
 */
int client_open(struct client *, const struct options *, struct problem *);

/*
 * Send one command of XMTRK (without CRLF) and read its answer, which starts
 * as {0} and is to be freed. Returns 0; 1 where the server knows no such
 * message, without a problem (client->reply says it); or -1 with the problem.
 */
int client_ask(struct client *, const char *command, struct answer *);

/* Say goodbye if the connection still stands, close, wipe. */
void client_close(struct client *);

#endif
