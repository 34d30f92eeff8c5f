/*
 * Encoded words in header fields, as people read them (RFC 2047).
 */
#include "token/words.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

enum { WORD_MAX = 1024, CHARSET_MAX = 40 };

struct word {
	char charset[CHARSET_MAX + 1];
	char encoding;
	const char *text;
	size_t len;
	size_t whole; /* octets of the encoded word */
	bool cut;     /* its end is missing */
};

/* Leave out the half character of the encoding that a cut may have left. */
static void
drop_half(struct word *w)
{
	const char *mark;

	if (w->encoding == 'B' || w->encoding == 'b') {
		w->len -= w->len % 4;
		return;
	}
	mark = w->len < 2 ? memchr(w->text, '=', w->len)
			  : memchr(w->text + w->len - 2, '=', 2);
	if (mark != NULL)
		w->len = (size_t)(mark - w->text);
}

/* "=?charset[*language]?encoding?text?=" at the start of in. */
static bool
parse_word(const char *in, size_t len, struct word *w)
{
	const char *end = in + len, *mark, *text, *close;
	size_t charset;

	if (len < 6 || memcmp(in, "=?", 2) != 0)
		return false;
	mark = memchr(in + 2, '?', len - 2);
	if (mark == NULL || end - mark < 3 || mark[2] != '?')
		return false;
	charset = (size_t)(mark - in) - 2;
	if (charset == 0 || charset > CHARSET_MAX)
		return false;
	memcpy(w->charset, in + 2, charset);
	w->charset[charset] = '\0';
	w->charset[strcspn(w->charset, "*")] = '\0';
	w->encoding = mark[1];
	text = mark + 3;
	close = memmem(text, (size_t)(end - text), "?=", 2);
	w->cut = close == NULL;
	if (w->cut)
		close = end;
	if (close - text > WORD_MAX)
		return false;
	w->text = text;
	w->len = (size_t)(close - text);
	w->whole = w->cut ? len : (size_t)(close - in) + 2;
	if (w->cut)
		drop_half(w);
	return true;
}

static long
decode_q(const char *in, size_t len, char *out)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		if (in[i] != '=') {
			out[n++] = in[i] == '_' ? ' ' : in[i];
			continue;
		}
		if (i + 2 >= len || codec_hex_value(in[i + 1]) < 0 ||
		    codec_hex_value(in[i + 2]) < 0)
			return -1;
		out[n++] = (char)(codec_hex_value(in[i + 1]) << 4 |
		    codec_hex_value(in[i + 2]));
		i += 2;
	}
	return (long)n;
}

/* Append the word's text in UTF-8; false where it cannot be decoded. */
static bool
append_word(const struct word *w, char **out, size_t *room)
{
	char octets[WORD_MAX + 3], *from = octets;
	char *at = *out;
	size_t left, space = *room;
	iconv_t conversion;
	long n = -1;
	bool done;

	if (w->encoding == 'B' || w->encoding == 'b')
		n = codec_base64_decode(w->text, w->len, true, octets);
	else if (w->encoding == 'Q' || w->encoding == 'q')
		n = decode_q(w->text, w->len, octets);
	if (n < 0)
		return false;
	conversion = iconv_open("UTF-8", w->charset);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr): iconv's way to say no */
	if (conversion == (iconv_t)-1)
		return false;
	left = (size_t)n;
	done = iconv(conversion, &from, &left, &at, &space) != (size_t)-1 ||
	    (w->cut && errno == EINVAL);
	iconv_close(conversion);
	if (!done)
		return false;
	*out = at;
	*room = space;
	return true;
}

static size_t
white_space(const char *at, const char *end)
{
	size_t n = 0;

	while (
	    at + n < end && strchr(" \t\r\n", at[n]) != NULL && at[n] != '\0')
		n++;
	return n;
}

char *
words_decode(const char *in, size_t len, size_t *out_len)
{
	/* No charset takes less than one octet for four of UTF-8. */
	size_t room = 4 * len + 1;
	char *out = malloc(room), *put = out;
	const char *at = in, *end = in + len;
	bool after_word = false;

	if (out == NULL)
		return NULL;
	while (at < end) {
		size_t gap = after_word ? white_space(at, end) : 0;
		struct word w;

		if (parse_word(at + gap, (size_t)(end - at) - gap, &w) &&
		    append_word(&w, &put, &room)) {
			at += gap + w.whole;
			after_word = true;
			continue;
		}
		after_word = false;
		if (room < (size_t)(end - at) + 1)
			break;
		*put++ = *at++;
		room--;
	}
	*out_len = (size_t)(put - out);
	return out;
}
