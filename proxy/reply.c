/*
 * Replies of the MSA: reading them from the wire, and what can be learnt
 * from them (RFC 5321 4.2, RFC 2034).
 */
#include "proxy/reply.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define CODE_LEN   3
#define FIRST_SIZE 512
#define KEPT_SIZE  4096 /* more is given back */

static const char *const error_texts[] = {
	[REPLY_OK] = "no error",
	[REPLY_BAD_CODE] = "a reply line without a code of 200 to 599",
	[REPLY_BAD_SEPARATOR] = "a reply code not followed by space or hyphen",
	[REPLY_OTHER_CODE] = "lines of one reply with different codes",
	[REPLY_BAD_OCTET] = "a reply line with NUL or bare CR",
	[REPLY_LINE_TOO_LONG] = "a reply line of more than 4096 octets",
	[REPLY_TOO_LONG] = "a reply of more than 64 KiB",
	[REPLY_NO_MEMORY] = "no memory for a reply",
};

/* Where the queue id stands relative to words that MSAs write. */
static const struct {
	const char *words;
	bool before;
} id_marks[] = {
	{ "queued as ", false },		    /* Postfix */
	{ "id=", false },			    /* Exim */
	{ " message accepted for delivery", true }, /* Sendmail, OpenSMTPD */
};

void
reply_init(struct reply *r)
{
	memset(r, 0, sizeof(*r));
}

void
reply_clear(struct reply *r)
{
	free(r->text);
	reply_init(r);
}

void
reply_again(struct reply *r)
{
	char *text = r->text;
	size_t size = r->size;

	if (size > KEPT_SIZE) {
		reply_clear(r);
		return;
	}
	reply_init(r);
	r->text = text;
	r->size = size;
}

/* Have room for more octets and a NUL. */
static bool
reserve(struct reply *r, size_t more)
{
	size_t size = r->size != 0 ? r->size : FIRST_SIZE;
	char *text;

	while (size < r->len + more + 1)
		size *= 2;
	if (size == r->size)
		return true;
	text = realloc(r->text, size);
	if (text == NULL)
		return false;
	r->text = text;
	r->size = size;
	return true;
}

static enum reply_error
append(struct reply *r, const char *in, size_t len)
{
	if (r->len - r->line + len > REPLY_LINE_MAX)
		return REPLY_LINE_TOO_LONG;
	/* A bare LF will take one more. */
	if (r->len + len + 1 > REPLY_MAX)
		return REPLY_TOO_LONG;
	if (!reserve(r, len + 1))
		return REPLY_NO_MEMORY;
	memcpy(r->text + r->len, in, len);
	r->len += len;
	r->text[r->len] = '\0';
	return REPLY_OK;
}

/* Make whatever ends the line CRLF; reserve() left room for the CR. */
static enum reply_error
normalize(struct reply *r)
{
	char *line = r->text + r->line;
	size_t len = r->len - r->line - 1;

	while (len > 0 && line[len - 1] == '\r')
		len--;
	if (memchr(line, '\r', len) != NULL || memchr(line, '\0', len) != NULL)
		return REPLY_BAD_OCTET;
	memcpy(line + len, "\r\n", sizeof("\r\n"));
	r->len = r->line + len + 2;
	return REPLY_OK;
}

static int
line_code(const char *line)
{
	for (int i = 0; i < CODE_LEN; i++)
		if (!isdigit((unsigned char)line[i]))
			return -1;
	if (line[0] < '2' || line[0] > '5')
		return -1;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

static enum reply_error
end_line(struct reply *r)
{
	const char *line = r->text + r->line;
	enum reply_error error = normalize(r);
	int code = error == REPLY_OK ? line_code(line) : 0;
	char separator;

	if (error != REPLY_OK)
		return error;
	if (code < 0)
		return REPLY_BAD_CODE;
	separator = line[CODE_LEN];
	if (separator != ' ' && separator != '-' && separator != '\r')
		return REPLY_BAD_SEPARATOR;
	if (r->lines > 0 && code != r->code)
		return REPLY_OTHER_CODE;
	r->code = code;
	r->lines++;
	r->last = r->line;
	r->line = r->len;
	r->complete = separator != '-';
	return REPLY_OK;
}

size_t
reply_feed(struct reply *r, const char *in, size_t len)
{
	size_t used = 0;

	while (used < len && !r->complete && r->error == REPLY_OK) {
		const char *lf = memchr(in + used, '\n', len - used);
		size_t n =
		    lf != NULL ? (size_t)(lf - in) + 1 - used : len - used;

		r->error = append(r, in + used, n);
		if (r->error == REPLY_OK && lf != NULL)
			r->error = end_line(r);
		used += n;
	}
	return used;
}

const char *
reply_error_text(enum reply_error error)
{
	return error_texts[error];
}

const char *
reply_last_text(const struct reply *r, size_t *len)
{
	const char *text = r->text + r->last + CODE_LEN;
	const char *end = r->text + r->len - 2;

	if (text < end)
		text++;
	*len = (size_t)(end - text);
	return text;
}

static bool
is_id_octet(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("-_.:", c));
}

/* Copy the id that begins at at; a sentence's punctuation is not its own. */
static size_t
copy_id(const char *at, char *out, size_t size)
{
	size_t len = 0;

	while (is_id_octet(at[len]))
		len++;
	if (at[len] != '\0' && strchr(" \t\r>)],;", at[len]) == NULL)
		return 0;
	while (len > 0 && (at[len - 1] == '.' || at[len - 1] == ':'))
		len--;
	if (len == 0 || len >= size)
		return 0;
	memcpy(out, at, len);
	out[len] = '\0';
	return len;
}

static const char *
word_before(const char *text, const char *end)
{
	while (end > text && end[-1] != ' ')
		end--;
	return end;
}

size_t
reply_queue_id(const struct reply *r, char *out, size_t size)
{
	size_t len;
	const char *text = reply_last_text(r, &len);
	const size_t marks = sizeof(id_marks) / sizeof(id_marks[0]);

	out[0] = '\0';
	if (r->code / 100 != 2)
		return 0;
	for (size_t i = 0; i < marks; i++) {
		const char *words = id_marks[i].words;
		const char *at = strcasestr(text, words);

		if (at == NULL)
			continue;
		if (id_marks[i].before)
			return copy_id(word_before(text, at), out, size);
		/* "valid=x" names no id. */
		if (at > text && isalnum((unsigned char)at[-1]))
			continue;
		return copy_id(at + strlen(words), out, size);
	}
	return 0;
}

size_t
reply_append_envid(
    const struct reply *r, const char *envid, char *out, size_t size)
{
	size_t body = r->len - 2, add = strlen(envid), need;
	/* "250" and "250 " alone still need a separator, and just one. */
	bool space = r->text[body - 1] != ' ';

	need = add + 2 + space;
	if (r->len - r->last + need > REPLY_OURS_MAX)
		need = 0;
	if (r->len + need > size)
		return 0;
	out = mempcpy(out, r->text, body);
	if (need != 0) {
		if (space)
			*out++ = ' ';
		*out++ = '[';
		out = mempcpy(out, envid, add);
		*out++ = ']';
	}
	*out++ = '\r';
	*out = '\n';
	return r->len + need;
}

void
reply_stay(char *text)
{
	while (text != NULL && strncmp(text, "421", 3) == 0) {
		memcpy(text, "451", 3);
		text = strchr(text, '\n');
		if (text != NULL)
			text++;
	}
}
