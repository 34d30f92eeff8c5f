/*
 * A second connection to the MSA where the first was closed just when MAIL
 * came: what was said on it is kept until its first reply, and said again.
 */
#ifndef PROXY_REDIAL_H
#define PROXY_REDIAL_H

#include <stdbool.h>
#include <stddef.h>

struct redial;
struct session;

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

/* NULL is allowed. */
void redial_free(struct redial *);

#endif
