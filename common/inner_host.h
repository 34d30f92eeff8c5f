/*
 * Which hosts are the operator's own: their names and addresses are shown to
 * nobody outside unless the operator says so (RFC 3885 4.2, RFC 3886 4.2).
 */
#ifndef COMMON_INNER_HOST_H
#define COMMON_INNER_HOST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/wire.h"

enum { INNER_HOSTS_MAX = 1024 }; /* items of a list */

struct inner_hosts;

/*
 * Read networks ("10.0.0.0/8", "fd00::/8", one address without a prefix) and
 * domain names ("example.lan": itself and everything below it). Bits behind
 * the prefix do not count. Returns NULL with errno: EINVAL for an item that
 * is neither, or more than INNER_HOSTS_MAX of them; ENOMEM.
 */
struct inner_hosts *inner_hosts_new(char *const *items, size_t count)
    __attribute__((warn_unused_result));

/* NULL is allowed. */
void inner_hosts_free(struct inner_hosts *);

/*
 * Is a host one of them, by its name or by its address? Addresses stand in
 * either place as "192.0.2.1", "[192.0.2.1]", "[IPv6:2001:db8::1]" or
 * "2001:db8::1"; names in any letter case, with or without the last dot. The
 * path of a socket is always inner; what is empty or malformed never is.
 * Fits struct status_view's is_inner.
 */
bool
inner_host_match(void *inner_hosts, struct octets host, struct octets address);

#endif
