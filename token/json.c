/*
 * A small writer of JSON (RFC 8259).
 */
#include "token/json.h"

#include <string.h>

#include "token/text.h"

static void
write_character(FILE *out, const char *at, size_t n, uint32_t c)
{
	static const char escaped[] = "\"\\\b\f\n\r\t";
	static const char names[] = "\"\\bfnrt";
	const char *found = c < 0x80 && c != 0 ? strchr(escaped, (int)c) : NULL;

	if (n == 0)
		fputs("\xef\xbf\xbd", out);
	else if (found != NULL)
		fprintf(out, "\\%c", names[found - escaped]);
	else if (c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0))
		fprintf(out, "\\u%04x", (unsigned)c);
	else
		fwrite(at, 1, n, out);
}

static void
write_string(FILE *out, const void *text, size_t len)
{
	const char *at = text, *end = at + len;
	uint32_t c = 0;

	putc('"', out);
	while (at < end) {
		size_t n = text_next(at, (size_t)(end - at), &c);

		write_character(out, at, n, c);
		at += n == 0 ? 1 : n;
	}
	putc('"', out);
}

static void
write_key(struct json *j, const char *key)
{
	if (j->comma)
		putc(',', j->out);
	j->comma = true;
	if (key == NULL)
		return;
	write_string(j->out, key, strlen(key));
	putc(':', j->out);
}

void
json_begin(struct json *j, const char *key, char bracket)
{
	write_key(j, key);
	putc(bracket, j->out);
	j->comma = false;
}

void
json_end(struct json *j, char bracket)
{
	putc(bracket, j->out);
	j->comma = true;
}

void
json_text(struct json *j, const char *key, const void *text, size_t len)
{
	write_key(j, key);
	write_string(j->out, text, len);
}

void
json_number(struct json *j, const char *key, uint64_t number)
{
	write_key(j, key);
	fprintf(j->out, "%llu", (unsigned long long)number);
}

void
json_flag(struct json *j, const char *key, bool flag)
{
	write_key(j, key);
	fputs(flag ? "true" : "false", j->out);
}
