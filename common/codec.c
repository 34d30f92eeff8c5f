/*
 * Text forms of octets: base64 (RFC 4648 4, strict), base64url, xtext
 * (RFC 3461 4) and hexadecimal.
 */
#include "common/codec.h"

#include <string.h>

#include "common/word.h"

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_upper[] = "0123456789ABCDEF";
static const char hex_lower[] = "0123456789abcdef";

static inline void
encode_group(const uint8_t in[3], const char *alphabet, char out[4])
{
	out[0] = alphabet[in[0] >> 2];
	out[1] = alphabet[(in[0] << 4 | in[1] >> 4) & 63];
	out[2] = alphabet[(in[1] << 2 | in[2] >> 6) & 63];
	out[3] = alphabet[in[2] & 63];
}

static size_t
encode(const uint8_t *in, size_t len, const char *alphabet, char *out)
{
	uint8_t last[3] = { 0 };
	char group[4];
	size_t n = 0;

	for (; len >= 3; in += 3, len -= 3, n += 4)
		encode_group(in, alphabet, out + n);
	if (len > 0) {
		memcpy(last, in, len);
		encode_group(last, alphabet, group);
		memcpy(out + n, group, len + 1);
		n += len + 1;
	}
	out[n] = '\0';
	return n;
}

size_t
codec_base64_encode(const void *in, size_t len, bool pad, char *out)
{
	size_t n = encode(in, len, alphabet_std, out);

	while (pad && n % 4 != 0)
		out[n++] = '=';
	out[n] = '\0';
	return n;
}

size_t
codec_base64url_encode(const void *in, size_t len, char *out)
{
	return encode(in, len, alphabet_url, out);
}

/* Secrets pass here, so no table is indexed by them, and nothing branches. */
static int
sextet(uint8_t c, const char *alphabet)
{
	unsigned upper = c - 'A', lower = c - 'a', digit = c - '0';
	uint8_t next = (uint8_t)alphabet[62], last = (uint8_t)alphabet[63];

	return (upper < 26) * ((int)upper + 1) +
	    (lower < 26) * ((int)lower + 27) +
	    (digit < 10) * ((int)digit + 53) + (c == next) * 63 +
	    (c == last) * 64 - 1;
}

static long
decode(const char *in, size_t len, const char *alphabet, uint8_t *out)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	long n = 0;

	for (size_t i = 0; i < len; i++) {
		int v = sextet((uint8_t)in[i], alphabet);

		if (v < 0)
			return -1;
		acc = acc << 6 | (uint32_t)v;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[n++] = (uint8_t)(acc >> bits & 0xff);
		}
	}
	if (bits == 6 || (acc & ((1u << bits) - 1)) != 0)
		return -1;
	return n;
}

long
codec_base64_decode(const char *in, size_t len, bool pad_optional, void *out)
{
	size_t end = len;

	while (end > 0 && len - end < 2 && in[end - 1] == '=')
		end--;
	if (end != len || !pad_optional)
		if (len % 4 != 0)
			return -1;
	return decode(in, end, alphabet_std, out);
}

long
codec_base64url_decode(const char *in, size_t len, void *out)
{
	return decode(in, len, alphabet_url, out);
}

static bool
is_xchar(uint8_t c)
{
	return c >= '!' && c <= '~' && c != '+' && c != '=';
}

/* How many octets, in whole words, stand for themselves in xtext. */
static size_t
xchar_words(const char *in, size_t len)
{
	size_t n = 0;
	uint64_t w;

	for (; len - n >= WORD_LEN; n += WORD_LEN) {
		w = word_at(in + n);
		if (!word_is_ascii(w) || word_below(w, '!') ||
		    word_has(w, 0x7f) || word_has(w, '+') || word_has(w, '='))
			break;
	}
	return n;
}

long
codec_xtext_encode(const void *in, size_t len, char *out, size_t size)
{
	const uint8_t *p = in;
	size_t plain = xchar_words(in, len), n = plain;

	if (plain >= size)
		return -1;
	if (plain > 0)
		memcpy(out, in, plain);
	for (size_t i = plain; i < len; i++) {
		size_t need = is_xchar(p[i]) ? 1 : 3;

		if (n >= size || need >= size - n)
			return -1;
		if (need == 1) {
			out[n++] = (char)p[i];
			continue;
		}
		out[n++] = '+';
		out[n++] = hex_upper[p[i] >> 4];
		out[n++] = hex_upper[p[i] & 15];
	}
	if (n >= size)
		return -1;
	out[n] = '\0';
	return (long)n;
}

int
codec_hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Lower case is not xtext. */
static int
xtext_hex_value(char c)
{
	return c < 'a' ? codec_hex_value(c) : -1;
}

long
codec_xtext_decode(const char *in, size_t len, void *out)
{
	uint8_t *p = out;
	size_t plain = xchar_words(in, len);
	long n = (long)plain;

	if (plain > 0)
		memcpy(p, in, plain);
	for (size_t i = plain; i < len; i++) {
		int hi, lo;

		if (is_xchar((uint8_t)in[i])) {
			p[n++] = (uint8_t)in[i];
			continue;
		}
		if (in[i] != '+' || len - i < 3)
			return -1;
		hi = xtext_hex_value(in[i + 1]);
		lo = xtext_hex_value(in[i + 2]);
		if (hi < 0 || lo < 0)
			return -1;
		p[n++] = (uint8_t)(hi << 4 | lo);
		i += 2;
	}
	return n;
}

void
codec_hex_encode(const void *in, size_t len, char *out)
{
	const uint8_t *p = in;

	for (size_t i = 0; i < len; i++) {
		*out++ = hex_lower[p[i] >> 4];
		*out++ = hex_lower[p[i] & 15];
	}
	*out = '\0';
}

/* Octets of the character at p, or 0 where it is not well-formed. */
static size_t
utf8_char(const uint8_t *p, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len)
		return 0;
	/* Shortest form, no surrogates, nothing past U+10FFFF. */
	if (p[0] == 0xe0)
		low = 0xa0;
	if (p[0] == 0xed)
		high = 0x9f;
	if (p[0] == 0xf0)
		low = 0x90;
	if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool
codec_is_utf8(const void *in, size_t len)
{
	const uint8_t *p = in;

	while (len > 0) {
		size_t n = len >= WORD_LEN && word_is_ascii(word_at(p))
		    ? WORD_LEN
		    : utf8_char(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

static bool
is_control(uint8_t c)
{
	return c < ' ' || c == 0x7f;
}

bool
codec_has_control(const void *in, size_t len)
{
	const uint8_t *p = in;
	uint64_t w;

	for (; len >= WORD_LEN; p += WORD_LEN, len -= WORD_LEN) {
		w = word_at(p);
		if (word_is_ascii(w) && !word_below(w, ' ') &&
		    !word_has(w, 0x7f))
			continue;
		for (size_t i = 0; i < WORD_LEN; i++)
			if (is_control(p[i]))
				return true;
	}
	while (len > 0)
		if (is_control(p[--len]))
			return true;
	return false;
}
