/*
 * The user's password: from a file, a command, or a prompt.
 */
#ifndef TOKEN_PASSWORD_H
#define TOKEN_PASSWORD_H

#include "token/options.h"

#define PASSWORD_MAX 1024

/*
 * Put the password into out, NUL terminated. A file that others can read is
 * refused. Returns 0, or -1 with the problem set and out wiped.
 */
int password_get(
    const struct options *, char out[PASSWORD_MAX + 1], struct problem *);

#endif
