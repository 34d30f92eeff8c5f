/*
 * Text from elsewhere on its way to a terminal.
 */
#include "token/text.h"

#include <stdbool.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

struct range {
	uint32_t first;
	uint32_t last;
};

/* Controls, direction marks, invisible and private characters. */
static const struct range unsafe[] = { { 0x0000, 0x001f }, { 0x007f, 0x009f },
	{ 0x00ad, 0x00ad }, { 0x061c, 0x061c }, { 0x200b, 0x200f },
	{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xe000, 0xf8ff },
	{ 0xfeff, 0xfeff }, { 0xfff0, 0xfffb }, { 0xe0000, 0x10ffff } };

static const struct range narrow[] = { { 0x0300, 0x036f }, { 0x0483, 0x0489 },
	{ 0x0591, 0x05bd }, { 0x064b, 0x065f }, { 0x1ab0, 0x1aff },
	{ 0x1dc0, 0x1dff }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
	{ 0xfe20, 0xfe2f } };

static const struct range wide[] = { { 0x1100, 0x115f }, { 0x2e80, 0xa4cf },
	{ 0xac00, 0xd7a3 }, { 0xf900, 0xfaff }, { 0xfe30, 0xfe6f },
	{ 0xff00, 0xff60 }, { 0xffe0, 0xffe6 }, { 0x1f300, 0x1faff },
	{ 0x20000, 0x3fffd } };

static bool
is_in(uint32_t c, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i].first && c <= ranges[i].last)
			return true;
	return false;
}

size_t
text_next(const void *in, size_t len, uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const uint8_t *b = in;
	size_t n;
	uint32_t c;

	if (len == 0)
		return 0;
	n = b[0] < 0x80	  ? 1
	    : b[0] < 0xc0 ? 0
	    : b[0] < 0xe0 ? 2
	    : b[0] < 0xf0 ? 3
	    : b[0] < 0xf8 ? 4
			  : 0;
	if (n == 0 || n > len)
		return 0;
	c = n == 1 ? b[0] : b[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (b[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*character = c;
	return n;
}

size_t
text_clean(const void *in, size_t len, char *out, size_t size)
{
	const char *at = in, *end = at + len;
	size_t n, used = 0;
	uint32_t c;

	for (; at < end; at += n) {
		const char *put = at;

		n = text_next(at, (size_t)(end - at), &c);
		if (n == 0 || is_in(c, unsafe, LEN(unsafe)))
			put = n == 1 && strchr("\t\r\n", *at) != NULL &&
				*at != '\0'
			    ? " "
			    : "?";
		size_t put_len = put == at ? n : 1;
		if (n == 0)
			n = 1;
		if (used + put_len >= size)
			break;
		memcpy(out + used, put, put_len);
		used += put_len;
	}
	out[used] = '\0';
	return used;
}

static size_t
columns_of(uint32_t c)
{
	if (is_in(c, narrow, LEN(narrow)))
		return 0;
	return is_in(c, wide, LEN(wide)) ? 2 : 1;
}

size_t
text_fit(const char *clean, size_t columns)
{
	const char *at = clean, *end = clean + strlen(clean);
	size_t n, used = 0;
	uint32_t c;

	for (; at < end; at += n) {
		n = text_next(at, (size_t)(end - at), &c);
		if (n == 0 || used + columns_of(c) > columns)
			break;
		used += columns_of(c);
	}
	return (size_t)(at - clean);
}

size_t
text_width(const char *clean)
{
	const char *at = clean, *end = clean + strlen(clean);
	size_t n, used = 0;
	uint32_t c;

	for (; at < end; at += n) {
		n = text_next(at, (size_t)(end - at), &c);
		if (n == 0)
			break;
		used += columns_of(c);
	}
	return used;
}
