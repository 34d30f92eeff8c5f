/*
 * What became of a message, for people and for programs.
 */
#ifndef TOKEN_TRACK_SHOW_H
#define TOKEN_TRACK_SHOW_H

#include <stdio.h>

#include "token/track.h"

/* Who was asked, a line per recipient, and the time line. */
void track_show_text(FILE *, const struct track *, const char *envid);

/* Only the lines per recipient. */
void track_show_rows(FILE *, const struct track *);

/* One JSON value on one line. */
void track_show_json(FILE *, const struct track *, const char *envid);

#endif
