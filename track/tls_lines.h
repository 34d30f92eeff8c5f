/*
 * TLS lines that wait for the delivery they belong to: the next one of the
 * same process to the same next hop, and those that share its queue id.
 */
#ifndef TRACK_TLS_LINES_H
#define TRACK_TLS_LINES_H

#include "common/history.h"

struct tls_lines;

/* NULL without memory. */
struct tls_lines *tls_lines_new(void) __attribute__((warn_unused_result));
void tls_lines_free(struct tls_lines *);

/*
 * Process, relay and queue_id are keys that no two of them share.
 *
 * Keep what process says of its connection to relay; nothing said ends what
 * was kept.
 */
void tls_lines_keep(
    struct tls_lines *, uint64_t process, uint64_t relay, struct octets tls);

/*
 * What was kept for a delivery of queue_id by process to relay, or nothing.
 * It lives until the next call.
 */
struct octets tls_lines_find(
    struct tls_lines *, uint64_t process, uint64_t relay, uint64_t queue_id);

#endif
