/*
 * Postfix's log, from 3.0 on: what its delivery agents, queue manager and
 * other daemons say of one queue id.
 */
#ifndef TRACK_POSTFIX_LOG_H
#define TRACK_POSTFIX_LOG_H

#include "track/log_event.h"
#include "track/syslog_line.h"

/*
 * What a line means. syslog_name is the start of the tag, "postfix" unless
 * configured: "postfix/smtp", "postfix-out/smtp", "postfix/relay/smtp". A
 * line that is not wholly of a form that is known is LOGGED_NOTHING, and so
 * is one that could be read in two ways: text in it comes from users
 * (addresses) and from other servers (replies).
 */
enum log_kind postfix_log_read(
    const char *syslog_name, const struct syslog_line *, struct log_event *);

#endif
