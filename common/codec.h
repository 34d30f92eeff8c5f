/*
 * Text forms of octets: base64 (RFC 4648 4, strict), base64url, xtext
 * (RFC 3461 4) and hexadecimal.
 */
#ifndef COMMON_CODEC_H
#define COMMON_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Octets that len octets take as padded base64, without the final NUL. */
#define BASE64_LEN(len) (((len) + 2) / 3 * 4)

/*
 * Write len octets of in as base64 with padding (or without) and a NUL.
 * out must hold BASE64_LEN(len) + 1. Returns the length of the text.
 */
size_t codec_base64_encode(const void *in, size_t len, bool pad, char *out);

/*
 * Read strict base64: no character outside the alphabet, "=" only as
 * padding at the end, unused bits zero. Padding must be complete, or, with
 * pad_optional, may be missing altogether. out must hold len / 4 * 3 + 3.
 * Returns the number of octets, or -1 for anything malformed.
 */
long
codec_base64_decode(const char *in, size_t len, bool pad_optional, void *out);

/* The same with "-" and "_" for "+" and "/", never padded (RFC 4648 5). */
size_t codec_base64url_encode(const void *in, size_t len, char *out);
long codec_base64url_decode(const char *in, size_t len, void *out);

/*
 * Write in as xtext (RFC 3461 4) and a NUL: all but "!" to "~" without "+"
 * and "=" become "+HH". Returns the length, or -1 where out (size octets,
 * NUL included) is too small.
 */
long codec_xtext_encode(const void *in, size_t len, char *out, size_t size);

/*
 * Read xtext. Returns the number of octets (at most len, never NUL
 * terminated), or -1 for malformed text: lower case hexadecimal, "=" or an
 * octet outside "!" to "~".
 */
long codec_xtext_decode(const char *in, size_t len, void *out);

/* Lower case hexadecimal and a NUL; out must hold 2 * len + 1. */
void codec_hex_encode(const void *in, size_t len, char *out);
/* What a hexadecimal digit of either case is worth, or -1. */
int codec_hex_value(char digit);

/* Is the text well-formed UTF-8 (RFC 3629: shortest forms, no surrogates)? */
bool codec_is_utf8(const void *in, size_t len);
/* Is a control character of ASCII in it: 0 to 31, or 127? */
bool codec_has_control(const void *in, size_t len);

#endif
