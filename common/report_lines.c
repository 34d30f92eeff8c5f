/*
 * The lines of a MIME entity, field by field (RFC 5322 2.2.3, RFC 2045 5.1).
 */
#include "common/report_lines.h"

#include <string.h>
#include <strings.h>

static bool
is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* The next line without its end; false at the end. */
static bool
next_line(struct report_lines *l, const char **line, size_t *len)
{
	const char *lf;

	if (l->at >= l->end)
		return false;
	lf = memchr(l->at, '\n', (size_t)(l->end - l->at));
	*line = l->at;
	*len = (size_t)((lf == NULL ? l->end : lf) - l->at);
	l->at = lf == NULL ? l->end : lf + 1;
	while (*len > 0 && (*line)[*len - 1] == '\r')
		--*len;
	return true;
}

static bool
is_blank(const char *line, size_t len)
{
	while (len > 0 && is_space(line[len - 1]))
		len--;
	return len == 0;
}

/* RFC 2046 5.1.1; LINE_FIELD for any other line. */
static enum report_line
delimiter(const struct report_lines *l, const char *line, size_t len)
{
	size_t n = l->boundary == NULL ? 0 : strlen(l->boundary);

	if (n == 0 || len < n + 2 || memcmp(line, "--", 2) != 0 ||
	    memcmp(line + 2, l->boundary, n) != 0)
		return LINE_FIELD;
	line += n + 2;
	len -= n + 2;
	if (len >= 2 && memcmp(line, "--", 2) == 0 &&
	    is_blank(line + 2, len - 2))
		return LINE_CLOSE;
	return is_blank(line, len) ? LINE_DELIMITER : LINE_FIELD;
}

static char *
trim(char *text, size_t *len)
{
	while (*len > 0 && is_space(*text)) {
		text++;
		--*len;
	}
	while (*len > 0 && is_space(text[*len - 1]))
		--*len;
	text[*len] = '\0';
	return text;
}

static void
split(char *line, size_t len, struct report_field *f)
{
	char *colon = memchr(line, ':', len);
	size_t name;

	f->name = line;
	if (colon == NULL)
		for (colon = line; colon < line + len && !is_space(*colon);)
			colon++;
	name = (size_t)(colon - line);
	f->value = colon < line + len ? colon + 1 : colon;
	f->len = (size_t)(line + len - f->value);
	f->value = trim(f->value, &f->len);
	/* A value may be empty at the same place where the name ends. */
	f->name = trim(line, &name);
}

enum report_line
report_next_field(struct report_lines *l, struct report_field *f)
{
	const char *line;
	size_t len, used;
	enum report_line kind;

	if (!next_line(l, &line, &len))
		return LINE_END;
	kind = delimiter(l, line, len);
	if (kind != LINE_FIELD)
		return kind;
	if (is_blank(line, len))
		return LINE_BLANK;
	memcpy(l->scratch, line, len);
	used = len;
	while (l->at < l->end && is_space(*l->at)) {
		const char *before = l->at;

		next_line(l, &line, &len);
		if (is_blank(line, len)) {
			l->at = before;
			break;
		}
		memcpy(l->scratch + used, line, len);
		used += len;
	}
	l->scratch[used] = '\0';
	split(l->scratch, used, f);
	return LINE_FIELD;
}

enum report_line
report_skip_part(struct report_lines *l)
{
	const char *line;
	size_t len;

	while (next_line(l, &line, &len)) {
		enum report_line kind = delimiter(l, line, len);

		if (kind != LINE_FIELD)
			return kind;
	}
	return LINE_END;
}

/* Past the comment that begins at at, nested ones and all. */
static const char *
skip_comment(const char *at, const char *end)
{
	size_t depth = 0;

	for (; at < end; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		else if (*at == '(')
			depth++;
		else if (*at == ')' && --depth == 0)
			return at + 1;
	}
	return end;
}

void
report_strip_comments(struct report_field *f)
{
	const char *at = f->value, *end = f->value + f->len;
	char *to = f->value;
	bool quoted = false;

	while (at < end) {
		if (*at == '(' && !quoted) {
			at = skip_comment(at, end);
			continue;
		}
		if (*at == '"')
			quoted = !quoted;
		if (*at == '\\' && quoted && at + 1 < end)
			*to++ = *at++;
		*to++ = *at++;
	}
	f->len = (size_t)(to - f->value);
	f->value = trim(f->value, &f->len);
}

char *
report_first_comment(char *value)
{
	char *open = strchr(value, '('), *to;
	const char *at, *end;

	if (open == NULL)
		return value + strlen(value);
	end = skip_comment(open, open + strlen(open));
	if (end[-1] == ')')
		end--;
	to = open + 1;
	for (at = open + 1; at < end; at++) {
		if (*at == '\\' && at + 1 < end)
			at++;
		*to++ = *at;
	}
	*to = '\0';
	return open + 1;
}

/* The value that begins at at, unquoted in place; *next is behind it. */
static char *
unquote(char *at, char **next)
{
	char *to = at, *value = at;

	if (*at != '"') {
		at += strcspn(at, "; \t");
		*next = *at != '\0' ? at + 1 : at;
		*at = '\0';
		return value;
	}
	for (at++; *at != '\0' && *at != '"'; at++) {
		if (*at == '\\' && at[1] != '\0')
			at++;
		*to++ = *at;
	}
	*next = *at != '\0' ? at + 1 : at;
	*to = '\0';
	return value;
}

char *
report_parameter(char *value, const char *name)
{
	char *at = strchr(value, ';');
	size_t len = strlen(name);

	while (at != NULL && *at != '\0') {
		at += strspn(at, "; \t");
		if (strncasecmp(at, name, len) == 0) {
			char *equals = at + len + strspn(at + len, " \t");

			if (*equals == '=') {
				equals++;
				equals += strspn(equals, " \t");
				return unquote(equals, &at);
			}
		}
		at += strcspn(at, ";=");
		if (*at != '=')
			continue;
		at++;
		at += strspn(at, " \t");
		if (*at == '"')
			unquote(at, &at);
		else
			at += strcspn(at, ";");
	}
	return NULL;
}
