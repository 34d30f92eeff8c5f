/*
 * Which message is to be tracked, and with what secret: a URI, or what the
 * user's own server knows (RFC 3887 9, docs/xmtrk.md).
 */
#ifndef TOKEN_TRACK_SOURCE_H
#define TOKEN_TRACK_SOURCE_H

#include "common/mtqp_uri.h"
#include "token/commands.h"

/*
 * Fill in *out from run->id, or from a line of standard input where that is
 * "-" or missing: an mtqp URI, or the name of a message, for which the server
 * is asked. The argument is wiped if it was a URI, since others see it.
 * Returns 0, or -1 with the problem set; mtqp_uri_wipe() is due in any case.
 */
int track_source_find(struct command_run *run, struct mtqp_uri_parsed *out);

#endif
