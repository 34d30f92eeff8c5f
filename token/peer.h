/*
 * The server at the other end of a channel: what it must prove, how long it
 * may take, and what to tell the user about it.
 */
#ifndef TOKEN_PEER_H
#define TOKEN_PEER_H

#include <stdbool.h>
#include <stdint.h>

struct peer {
	const char *server; /* name or address */
	unsigned port;
	const char *name;     /* that its certificate must be for */
	const char *ca_file;  /* authorities trusted; NULL: the system's */
	bool system_too;      /* the system's also beside ca_file */
	bool no_verify;	      /* its certificate may be anybody's */
	int silence;	      /* ms without sending or taking anything */
	int64_t deadline;     /* of all, on dial_clock(); 0: none */
	const char *what;     /* "submission server" */
	const char *settings; /* the file where all this is set, or NULL */
	const char *tls;      /* as it is set there */
};

#endif
