/*
 * Lines of MTQP in both directions (RFC 3887 2.2, 2.3, 12).
 */
#include "common/mtqp_line.h"

#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "common/keeper_messages.h"

/* "+OK+" stands before "+OK", which it begins with. */
static const struct {
	const char *text;
	enum mtqp_verdict verdict;
} verdicts[] = {
	{ "+OK+", MTQP_OK_MORE },
	{ "+OK", MTQP_OK },
	{ "-TEMP", MTQP_TEMP },
	{ "-ERR", MTQP_ERR },
	{ "-BAD", MTQP_BAD },
};

#define VERDICTS (sizeof(verdicts) / sizeof(verdicts[0]))

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

static bool
is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

static bool
is_name_char(char c)
{
	return is_alnum(c) || c == '-' || c == '_';
}

int
mtqp_status_read(const char *line, size_t len, struct mtqp_status *status)
{
	const char *at = line, *end = line + len, *tokens;
	size_t i = 0;

	while (i < VERDICTS &&
	    (strlen(verdicts[i].text) > len ||
		strncasecmp(line, verdicts[i].text, strlen(verdicts[i].text)) !=
		    0))
		i++;
	if (i == VERDICTS)
		return -1;
	at += strlen(verdicts[i].text);
	tokens = at;
	while (end - at >= 2 && at[0] == '/' && is_name_char(at[1]))
		for (at++; at < end && is_name_char(*at);)
			at++;
	/* "+OKAY" is nothing we know. */
	if (at == tokens && at < end && !is_space(*at))
		return -1;
	status->verdict = verdicts[i].verdict;
	status->tokens =
	    (struct octets){ (const uint8_t *)tokens, (size_t)(at - tokens) };
	while (at < end && is_space(*at))
		at++;
	status->text =
	    (struct octets){ (const uint8_t *)at, (size_t)(end - at) };
	return 0;
}

bool
mtqp_status_has(const struct mtqp_status *status, const char *token)
{
	const char *at = (const char *)status->tokens.data;
	const char *end = at + status->tokens.len;
	size_t len = strlen(token);

	while (at < end) {
		const char *next = memchr(at + 1, '/', (size_t)(end - at - 1));

		if (next == NULL)
			next = end;
		if ((size_t)(next - at) == len + 1 &&
		    strncasecmp(at + 1, token, len) == 0)
			return true;
		at = next;
	}
	return false;
}

void
mtqp_stuff(struct buffer *out, const void *text, size_t len)
{
	const char *at = text, *end = len > 0 ? at + len : at;

	while (at < end) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));
		size_t line = (size_t)((lf == NULL ? end : lf) - at);
		const char *next = lf == NULL ? end : lf + 1;
		size_t stuffed = *at == '.';

		if (line > 0 && lf != NULL && at[line - 1] == '\r')
			line--;
		if (line + stuffed > MTQP_LINE_MAX) {
			line = MTQP_LINE_MAX - stuffed;
			next = at + line;
		}
		buffer_append(out, ".", stuffed);
		buffer_append(out, at, line);
		buffer_append(out, "\r\n", 2);
		at = next;
	}
	buffer_append(out, ".\r\n", 3);
}

bool
mtqp_is_domain(const char *text, size_t len)
{
	bool dot = false;

	if (len == 0 || len > MTQP_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || text[i - 1] == '.';
		bool last = i + 1 == len || text[i + 1] == '.';

		if (text[i] == '.' && !first && !last)
			dot = true;
		else if (text[i] == '-' ? first || last : !is_alnum(text[i]))
			return false;
	}
	return dot;
}

size_t
mtqp_envid_trim(const char *text, size_t len, const char **start)
{
	char decoded[ENVID_MAX];
	const char *at;

	/* RFC 3887's own examples write it with brackets and without. */
	if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
		text++;
		len -= 2;
	}
	*start = text;
	if (len == 0 || len > ENVID_MAX ||
	    codec_xtext_decode(text, len, decoded) < 0)
		return 0;
	at = memrchr(text, '@', len);
	return at == NULL || at == text || at + 1 == text + len ? 0 : len;
}

int
mtqp_command_track(
    struct buffer *out, struct octets envid, struct octets secret)
{
	char text[BASE64_LEN(SECRET_MAX) + 1];
	const char *start;
	size_t len;

	if (secret.len == 0 || secret.len > SECRET_MAX)
		return -1;
	len = mtqp_envid_trim((const char *)envid.data, envid.len, &start);
	if (len == 0)
		return -1;
	buffer_append(out, "TRACK ", 6);
	buffer_append(out, start, len);
	buffer_append(out, " ", 1);
	len = codec_base64_encode(secret.data, secret.len, true, text);
	buffer_append(out, text, len);
	buffer_append(out, "\r\n", 2);
	explicit_bzero(text, sizeof(text));
	return 0;
}

int
mtqp_command_starttls(struct buffer *out, const char *domain)
{
	if (!mtqp_is_domain(domain, strlen(domain)))
		return -1;
	buffer_append(out, "STARTTLS ", 9);
	buffer_append(out, domain, strlen(domain));
	buffer_append(out, "\r\n", 2);
	return 0;
}
