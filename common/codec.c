/*
 * Text forms of octets: base64 (RFC 4648 4, strict), base64url, xtext
 * (RFC 3461 4) and hexadecimal.
 */
#include "common/codec.h"

static const char alphabet_std[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789+/";
static const char alphabet_url[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "abcdefghijklmnopqrstuvwxyz0123456789-_";
static const char hex_upper[] = "0123456789ABCDEF";
static const char hex_lower[] = "0123456789abcdef";

static size_t
encode(const uint8_t *in, size_t len, const char *alphabet, char *out)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		acc = acc << 8 | in[i];
		for (bits += 8; bits >= 6; bits -= 6)
			out[n++] = alphabet[acc >> (bits - 6) & 63];
	}
	if (bits > 0)
		out[n++] = alphabet[acc << (6 - bits) & 63];
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

/* Secrets pass here, so no table is indexed by them. */
static int
sextet(char c, const char *alphabet)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == alphabet[62])
		return 62;
	return c == alphabet[63] ? 63 : -1;
}

static long
decode(const char *in, size_t len, const char *alphabet, uint8_t *out)
{
	uint32_t acc = 0;
	unsigned bits = 0;
	long n = 0;

	for (size_t i = 0; i < len; i++) {
		int v = sextet(in[i], alphabet);

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

long
codec_xtext_encode(const void *in, size_t len, char *out, size_t size)
{
	const uint8_t *p = in;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
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
	long n = 0;

	for (size_t i = 0; i < len; i++) {
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
		size_t n = utf8_char(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}
