/*
 * TLS lines that wait for the delivery they belong to: the next one of the
 * same process to the same next hop, and those that share its queue id.
 */
#ifndef TRACK_TLS_LINES_H
#define TRACK_TLS_LINES_H

#include "track/log_event.h"

struct tls_lines;

/* NULL without memory. */
struct tls_lines *tls_lines_new(void) __attribute__((warn_unused_result));
void tls_lines_free(struct tls_lines *);

/* Keep a LOGGED_TLS of process; one without text ends what was kept. */
void
tls_lines_keep(struct tls_lines *, uint64_t process, const struct log_event *);

/*
 * What was kept for a LOGGED_STATUS of process and queue id (both are keys),
 * or nothing. It lives until the next call.
 */
struct octets tls_lines_find(struct tls_lines *, uint64_t process,
    uint64_t queue_id, const struct log_event *);

#endif
