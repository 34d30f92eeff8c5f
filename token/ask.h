/*
 * Questions about one message, by whatever the user calls it.
 */
#ifndef TOKEN_ASK_H
#define TOKEN_ASK_H

#include "token/commands.h"

/* The longest argument: a Message-ID as xtext. */
#define ASK_ARGUMENT_MAX 1800

/*
 * Send "XMTRK verb" about the message run->id: an ENVID, a Message-ID with or
 * without its "<>", or "last". answer starts as {0} and is to be freed.
 * Returns 0, or -1 with the problem set.
 */
int ask_one(struct command_run *, const char *verb, struct answer *);

#endif
