/*
 * The lines of XMTRK's replies: key=xtext, each within 512 octets.
 */
#include "proxy/xmtrk_lines.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

#define PREFIX	 "250-2.0.0 "
#define BODY_MAX (XMTRK_LINE_MAX - 2) /* a line without its CRLF */

/* How a field goes into a line; octets of the value. */
struct plan {
	bool shortened;
	size_t keep;
};

static void
append(struct xmtrk_reply *r, const char *text, size_t len)
{
	size_t size = r->size == 0 ? 1024 : r->size;
	char *grown;

	if (r->failed)
		return;
	while (size - r->len < len)
		size *= 2;
	if (size != r->size) {
		/* realloc() would leave a copy of a secret behind. */
		grown = malloc(size);
		if (grown == NULL) {
			r->failed = true;
			return;
		}
		if (r->data != NULL) {
			memcpy(grown, r->data, r->len);
			explicit_bzero(r->data, r->len);
			free(r->data);
		}
		r->data = grown;
		r->size = size;
	}
	memcpy(r->data + r->len, text, len);
	r->len += len;
}

static void
append_text(struct xmtrk_reply *r, const char *text)
{
	append(r, text, strlen(text));
}

static size_t
xtext_len(const uint8_t *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += in[i] < '!' || in[i] > '~' || in[i] == '+' || in[i] == '='
		    ? 3
		    : 1;
	return n;
}

static size_t
field_len(const struct xmtrk_field *f)
{
	return strlen(" =") + strlen(f->key) +
	    xtext_len(f->value.data, f->value.len);
}

/* Octets of value whose xtext fits into room; never half a UTF-8 character. */
static size_t
cut_to(struct octets value, size_t room)
{
	size_t n = 0, used = 0;

	while (n < value.len && (used += xtext_len(value.data + n, 1)) <= room)
		n++;
	if (n == value.len || !codec_is_utf8(value.data, value.len))
		return n;
	while (n > 0 && (value.data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/*
 * Take from the last fields first, all that they have; then give the first of
 * those back what room is left. False where even that is too long.
 */
static bool
plan_line(const struct xmtrk_field *f, size_t n, size_t room, struct plan *plan)
{
	size_t used = 0;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		plan[i] = (struct plan){ false, f[i].value.len };
		used += field_len(&f[i]);
	}
	for (size_t i = n; i-- > 0 && used > room;) {
		if (f[i].fit == FIT_WHOLE)
			continue;
		plan[i] = (struct plan){ true, 0 };
		used -= f[i].fit == FIT_DROP
		    ? field_len(&f[i])
		    : xtext_len(f[i].value.data, f[i].value.len);
		used += strlen(any ? "," : " cut=") + strlen(f[i].key);
		any = true;
	}
	if (used > room)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!plan[i].shortened || f[i].fit != FIT_CUT)
			continue;
		plan[i].keep = cut_to(f[i].value, room - used);
		plan[i].shortened = plan[i].keep < f[i].value.len;
		used += xtext_len(f[i].value.data, plan[i].keep);
	}
	return true;
}

static void
append_field(struct xmtrk_reply *r, const struct xmtrk_field *f, size_t keep)
{
	char xtext[BODY_MAX + 1];

	append_text(r, " ");
	append_text(r, f->key);
	append_text(r, "=");
	if (codec_xtext_encode(f->value.data, keep, xtext, sizeof(xtext)) < 0)
		r->failed = true;
	append_text(r, xtext);
	explicit_bzero(xtext, sizeof(xtext));
}

void
xmtrk_line(struct xmtrk_reply *r, const char *word, const struct xmtrk_field *f,
    size_t n)
{
	struct plan plan[XMTRK_FIELDS_MAX];
	const char *between = " cut=";

	if (n > XMTRK_FIELDS_MAX ||
	    !plan_line(f, n, BODY_MAX - strlen(PREFIX) - strlen(word), plan)) {
		r->failed = true;
		return;
	}
	append_text(r, PREFIX);
	append_text(r, word);
	for (size_t i = 0; i < n; i++)
		if (!plan[i].shortened || f[i].fit != FIT_DROP)
			append_field(r, &f[i], plan[i].keep);
	for (size_t i = n; i-- > 0;) {
		if (!plan[i].shortened)
			continue;
		append_text(r, between);
		append_text(r, f[i].key);
		between = ",";
	}
	append_text(r, "\r\n");
	r->lines++;
}

void
xmtrk_lines(struct xmtrk_reply *r, const char *word,
    const struct xmtrk_field *f, size_t n)
{
	size_t room = BODY_MAX - strlen(PREFIX) - strlen(word);
	size_t first = 0, used = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > first && used + field_len(&f[i]) > room) {
			xmtrk_line(r, word, f + first, i - first);
			first = i;
			used = 0;
		}
		used += field_len(&f[i]);
	}
	xmtrk_line(r, word, f + first, n - first);
}

void
xmtrk_end(struct xmtrk_reply *r, bool more)
{
	char line[64];

	snprintf(line, sizeof(line), "250 2.0.0 end count=%u%s\r\n", r->lines,
	    more ? " more=yes" : "");
	append_text(r, line);
}

void
xmtrk_reply_free(struct xmtrk_reply *r)
{
	if (r->data != NULL)
		explicit_bzero(r->data, r->len);
	free(r->data);
	*r = (struct xmtrk_reply){ 0 };
}
