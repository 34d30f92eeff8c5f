/*
 * Any text in 7 bits: what is not printable ASCII as \x{HEX}, the code point
 * (RFC 6533 3).
 */
#ifndef COMMON_UNITEXT_H
#define COMMON_UNITEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/wire.h"

/* What else an address must escape: utf-8-addr-xtext. */
#define UNITEXT_ADDRESS "+= "

/* Is it printable ASCII throughout, spaces included? */
bool unitext_is_plain(struct octets);

/*
 * Append text: "\" and everything but printable ASCII and space escaped,
 * and what also lists. Octets that are not UTF-8 become U+FFFD.
 */
void unitext_put(struct buffer *, struct octets text, const char *also);

/*
 * Undo it: \x{HEX} becomes UTF-8, a number that is no character U+FFFD, a
 * raw NUL "?"; anything else stays as it is. out takes at most len octets and
 * a NUL. Returns their number.
 */
size_t unitext_read(const char *text, size_t len, char *out);

#endif
