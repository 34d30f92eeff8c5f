/*
 * A second connection to the MSA where the first was closed just when MAIL
 * came: what was said on it is kept until its first reply, and said again.
 */
#ifndef PROXY_REDIAL_H
#define PROXY_REDIAL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "proxy/ehlo.h"

struct session;

/* Of one transaction. */
struct redial {
	bool on; /* until the MSA's first reply */
	bool under_way;
	struct msa_caps caps; /* of the first connection */
	struct buffer said;
};

/* MAIL came, and a connection was there: from now on all is kept. */
void redial_begin(struct session *);

/* This goes to the MSA. */
void redial_note(struct session *, const char *line, size_t len);

/* It replied: what was said to it was heard. */
void redial_over(struct session *);

/*
 * The connection was lost. Returns whether another one is on its way, once a
 * transaction and only before any reply.
 */
bool redial_try(struct session *) __attribute__((warn_unused_result));

/*
 * It is ready: say it all again. Returns false where it offers something else
 * than the first, so that the same words might not do.
 */
bool redial_say(struct session *) __attribute__((warn_unused_result));

/* Of a transaction whose memory is used again: much of it is seldom wanted. */
void redial_end(struct redial *);

void redial_free(struct redial *);

#endif
