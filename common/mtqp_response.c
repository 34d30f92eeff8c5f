/*
 * Responses of an MTQP server on their way in (RFC 3887 2.3, 3).
 */
#include "common/mtqp_line.h"

#include <string.h>
#include <strings.h>

static const char *const error_texts[] = {
	[MTQP_RESPONSE_OK] = "no error",
	[MTQP_RESPONSE_NOT_MTQP] = "the server does not speak MTQP",
	[MTQP_RESPONSE_LINE] = "a line that is too long or holds a NUL",
	[MTQP_RESPONSE_TOO_LONG] = "the answer is too long",
};

const char *
mtqp_response_error_text(enum mtqp_response_error error)
{
	return error_texts[error];
}

void
mtqp_response_init(struct mtqp_response *r, size_t body_max)
{
	*r = (struct mtqp_response){ .body_max = body_max };
}

void
mtqp_response_free(struct mtqp_response *r)
{
	buffer_free(&r->body);
	mtqp_response_init(r, r->body_max);
}

static void
end_status(struct mtqp_response *r)
{
	memcpy(r->first, r->line, r->line_len);
	r->first[r->line_len] = '\0';
	if (mtqp_status_read(r->first, r->line_len, &r->status) != 0) {
		r->error = MTQP_RESPONSE_NOT_MTQP;
		return;
	}
	r->has_status = true;
	r->complete = r->status.verdict != MTQP_OK_MORE;
}

static void
end_body_line(struct mtqp_response *r)
{
	size_t dot = r->line_len > 0 && r->line[0] == '.';

	if (dot && r->line_len == 1) {
		r->complete = true;
		return;
	}
	if (buffer_len(&r->body) + r->line_len - dot + 2 > r->body_max) {
		r->error = MTQP_RESPONSE_TOO_LONG;
		return;
	}
	buffer_append(&r->body, r->line + dot, r->line_len - dot);
	buffer_append(&r->body, "\r\n", 2);
}

static void
end_line(struct mtqp_response *r)
{
	while (r->line_len > 0 && r->line[r->line_len - 1] == '\r')
		r->line_len--;
	/* One more where a dot was stuffed into a full line of a body. */
	if (r->line_len >
		MTQP_LINE_MAX + (size_t)(r->has_status && r->line[0] == '.') ||
	    memchr(r->line, '\0', r->line_len) != NULL)
		r->error = MTQP_RESPONSE_LINE;
	else if (r->has_status)
		end_body_line(r);
	else
		end_status(r);
	r->line_len = 0;
}

size_t
mtqp_response_feed(struct mtqp_response *r, const void *data, size_t len)
{
	const char *in = data;
	size_t used = 0;

	while (used < len && !r->complete && r->error == MTQP_RESPONSE_OK) {
		const char *lf = memchr(in + used, '\n', len - used);
		size_t n = (size_t)((lf == NULL ? in + len : lf) - in) - used;

		if (n > sizeof(r->line) - r->line_len) {
			r->error = MTQP_RESPONSE_LINE;
			break;
		}
		memcpy(r->line + r->line_len, in + used, n);
		r->line_len += n;
		used += n;
		if (lf == NULL)
			break;
		used++;
		end_line(r);
	}
	return used;
}

static bool
is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Where the option that begins at at ends: before a line not continued. */
static const uint8_t *
option_end(const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at++)
		if (*at == '\n' &&
		    (at + 1 == end || (at[1] != ' ' && at[1] != '\t')))
			return at + 1;
	return end;
}

struct octets
mtqp_option_find(const struct mtqp_response *greeting, const char *option)
{
	const uint8_t *at = buffer_at(&greeting->body);
	const uint8_t *end =
	    at == NULL ? NULL : at + buffer_len(&greeting->body);
	size_t len = strlen(option);

	while (at < end) {
		const uint8_t *next = option_end(at, end);
		const uint8_t *name = at + len;

		if ((size_t)(next - at) > len && is_space(*name) &&
		    strncasecmp((const char *)at, option, len) == 0)
			return (struct octets){ name, (size_t)(next - name) };
		at = next;
	}
	return (struct octets){ NULL, 0 };
}

bool
mtqp_option_has(struct octets parameters, const char *word)
{
	const uint8_t *at = parameters.data;
	const uint8_t *end = at == NULL ? NULL : at + parameters.len;
	size_t len = strlen(word);

	while (at < end) {
		const uint8_t *start;

		while (at < end && is_space(*at))
			at++;
		start = at;
		while (at < end && !is_space(*at))
			at++;
		if ((size_t)(at - start) == len && len > 0 &&
		    strncasecmp((const char *)start, word, len) == 0)
			return true;
	}
	return false;
}
