/*
 * The user names in what a client says first (RFC 4616 2, RFC 5802 7).
 */
#ifndef AUTH_NAMES_H
#define AUTH_NAMES_H

#include <stdbool.h>

#include "common/wire.h"

/*
 * Can the names in the first response of mechanism be names at all: neither
 * blank nor longer than an account may be? libsasl2 takes a blank one for a
 * failure of the backend, and leaks memory on a long one. Responses that are
 * malformed, and mechanisms not known here, are left to libsasl2: true.
 */
bool names_are_sane(const char *mechanism, struct octets response);

#endif
