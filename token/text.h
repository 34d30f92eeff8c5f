/*
 * Text from elsewhere on its way to a terminal: nothing that steers the
 * terminal gets through, and columns are counted in characters.
 */
#ifndef TOKEN_TEXT_H
#define TOKEN_TEXT_H

#include <stddef.h>
#include <stdint.h>

/*
 * Read one character of UTF-8 (RFC 3629). Returns the octets it takes, or 0
 * where in does not begin with one.
 */
size_t text_next(const void *in, size_t len, uint32_t *character);

/*
 * Copy in to out and a NUL: white space becomes a space; what is not UTF-8,
 * controls and marks that change the direction of writing become "?". Never
 * longer than in; what does not fit into out (size octets, at least 1) is
 * left out. Returns the length.
 */
size_t text_clean(const void *in, size_t len, char *out, size_t size);

/* Columns that clean text takes on a terminal. */
size_t text_width(const char *clean);

/* Octets of clean text that fit into columns. */
size_t text_fit(const char *clean, size_t columns);

#endif
