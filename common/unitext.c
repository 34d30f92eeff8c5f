/*
 * Any text in 7 bits: what is not printable ASCII as \x{HEX}, the code point
 * (RFC 6533 3).
 */
#include "common/unitext.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"

#define REPLACEMENT 0xfffdu

bool
unitext_is_plain(struct octets text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < ' ' || text.data[i] > '~')
			return false;
	return true;
}

/* The code point at p, and in *used the octets it takes. */
static uint32_t
next_point(const uint8_t *p, size_t len, size_t *used)
{
	uint32_t point;

	*used = 1;
	if (p[0] < 0x80)
		return p[0];
	for (size_t n = 2; n <= 4 && n <= len; n++) {
		if (!codec_is_utf8(p, n))
			continue;
		point = p[0] & (0xffu >> (n + 1));
		for (size_t i = 1; i < n; i++)
			point = point << 6 | (p[i] & 0x3fu);
		*used = n;
		return point;
	}
	return REPLACEMENT;
}

static bool
is_plain(uint32_t point, const char *also)
{
	return point >= ' ' && point <= '~' && point != '\\' &&
	    strchr(also, (int)point) == NULL;
}

void
unitext_put(struct buffer *out, struct octets text, const char *also)
{
	size_t used;
	char escaped[16];

	for (size_t i = 0; i < text.len; i += used) {
		uint32_t point = next_point(text.data + i, text.len - i, &used);

		if (is_plain(point, also)) {
			buffer_append(out, text.data + i, 1);
			continue;
		}
		snprintf(escaped, sizeof(escaped), "\\x{%02X}", point);
		buffer_append(out, escaped, strlen(escaped));
	}
}

/* Octets of an escape at text with its point, or 0. */
static size_t
read_escape(const char *text, size_t len, uint32_t *point)
{
	size_t i = 3;

	*point = 0;
	if (len < 6 || memcmp(text, "\\x{", 3) != 0)
		return 0;
	for (; i < len && i < 9 && codec_hex_value(text[i]) >= 0; i++)
		*point = *point << 4 | (uint32_t)codec_hex_value(text[i]);
	if (i < 5 || i == len || text[i] != '}')
		return 0;
	if (*point == 0 || *point > 0x10ffff ||
	    (*point >= 0xd800 && *point <= 0xdfff))
		*point = REPLACEMENT;
	return i + 1;
}

static size_t
put_utf8(uint32_t point, char *out)
{
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	if (point < 0x800) {
		out[0] = (char)(0xc0 | point >> 6);
		out[1] = (char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		out[0] = (char)(0xe0 | point >> 12);
		out[1] = (char)(0x80 | (point >> 6 & 0x3f));
		out[2] = (char)(0x80 | (point & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | point >> 18);
	out[1] = (char)(0x80 | (point >> 12 & 0x3f));
	out[2] = (char)(0x80 | (point >> 6 & 0x3f));
	out[3] = (char)(0x80 | (point & 0x3f));
	return 4;
}

size_t
unitext_read(const char *text, size_t len, char *out)
{
	size_t n = 0;
	uint32_t point;

	for (size_t i = 0; i < len;) {
		size_t used = read_escape(text + i, len - i, &point);

		if (used > 0) {
			n += put_utf8(point, out + n);
			i += used;
			continue;
		}
		out[n++] = text[i] != '\0' ? text[i] : '?';
		i++;
	}
	out[n] = '\0';
	return n;
}
