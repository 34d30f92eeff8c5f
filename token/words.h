/*
 * Encoded words in header fields, as people read them (RFC 2047).
 */
#ifndef TOKEN_WORDS_H
#define TOKEN_WORDS_H

#include <stddef.h>

/*
 * Replace encoded words by the UTF-8 they mean; white space between two of
 * them goes (6.2). A last one that was cut is decoded as far as it goes; what
 * cannot be decoded stays as it is. Returns memory to be freed and its length
 * in *out_len, or NULL without memory.
 */
char *words_decode(const char *in, size_t len, size_t *out_len);

#endif
