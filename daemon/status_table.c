/*
 * The status of the processes as a table or as JSON.
 */
#include "daemon/status_table.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct field {
	const char *key;
	size_t key_len;
	const char *value;
	size_t value_len;
};

/* The next key=value of a line; false at its end. */
static bool
next_field(const char **at, struct field *f)
{
	const char *p = *at + strspn(*at, " ");
	size_t len = strcspn(p, " \n");
	const char *equal = memchr(p, '=', len);

	if (len == 0)
		return false;
	if (equal == NULL)
		equal = p + len;
	f->key = p;
	f->key_len = (size_t)(equal - p);
	f->value = *equal == '=' && equal < p + len ? equal + 1 : p + len;
	f->value_len = (size_t)(p + len - f->value);
	*at = p + len;
	return true;
}

/* The line after this one, NULL after the last. */
static const char *
next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end != NULL && end[1] != '\0' ? end + 1 : NULL;
}

static bool
is_key(const struct field *f, const char *key)
{
	return f->key_len == strlen(key) &&
	    memcmp(f->key, key, f->key_len) == 0;
}

static bool
is_number(const struct field *f)
{
	size_t digits = strspn(f->value, "0123456789");

	return f->value_len > 0 && f->value_len < 19 &&
	    digits >= f->value_len && (f->value_len == 1 || *f->value != '0');
}

/* Numbers of the children, added up by key. */
struct totals {
	size_t count;
	struct {
		struct field key;
		int64_t sum;
	} list[64];
};

static void
add_to_totals(struct totals *t, const struct field *f)
{
	static const char *const apart[] = { "pid", "index", "generation",
		"uptime" };
	int64_t value;
	size_t i;

	for (i = 0; i < sizeof(apart) / sizeof(apart[0]); i++)
		if (is_key(f, apart[i]))
			return;
	if (!is_number(f))
		return;
	value = strtoll(f->value, NULL, 10);
	for (i = 0; i < t->count; i++) {
		if (t->list[i].key.key_len != f->key_len ||
		    memcmp(t->list[i].key.key, f->key, f->key_len) != 0)
			continue;
		if (__builtin_add_overflow(
			t->list[i].sum, value, &t->list[i].sum))
			t->list[i].sum = INT64_MAX;
		return;
	}
	if (t->count < sizeof(t->list) / sizeof(t->list[0])) {
		t->list[t->count].key = *f;
		t->list[t->count++].sum = value;
	}
}

static void
add_up(const char *text, struct totals *t)
{
	const char *line = text, *at;
	struct field f;

	t->count = 0;
	while ((line = next_line(line)) != NULL) {
		at = line;
		while (next_field(&at, &f))
			add_to_totals(t, &f);
	}
}

static void
print_uptime(FILE *out, const struct field *f)
{
	uint64_t s = strtoull(f->value, NULL, 10);
	char text[40];

	if (s >= 86400)
		snprintf(text, sizeof(text), "%" PRIu64 "d %02" PRIu64 "h",
		    s / 86400, s % 86400 / 3600);
	else
		snprintf(text, sizeof(text),
		    "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, s / 3600,
		    s % 3600 / 60, s % 60);
	fprintf(out, "%10s", text);
}

static const struct column {
	const char *key;
	const char *title;
	int width; /* negative: flush left */
} columns[] = {
	{ "role", "ROLE", -9 },
	{ "index", "NO", 3 },
	{ "generation", "GEN", 4 },
	{ "pid", "PID", 8 },
	{ "uptime", "UPTIME", 10 },
	{ "restarts", "RESTARTS", 9 },
	{ "state", " STATE", -10 },
};

enum { COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static void
print_column(FILE *out, const char *line, const struct column *c)
{
	struct field f;

	while (next_field(&line, &f)) {
		if (!is_key(&f, c->key))
			continue;
		if (strcmp(c->key, "uptime") == 0)
			print_uptime(out, &f);
		else if (strcmp(c->key, "state") == 0)
			fprintf(out, " %-9.*s", (int)f.value_len, f.value);
		else
			fprintf(
			    out, "%*.*s", c->width, (int)f.value_len, f.value);
		return;
	}
	fprintf(out, "%*s", c->width, "");
}

/* What has no column of its own. */
static void
print_rest(FILE *out, const char *line)
{
	struct field f;
	size_t i;

	while (next_field(&line, &f)) {
		for (i = 0; i < COLUMNS; i++)
			if (is_key(&f, columns[i].key))
				break;
		if (i == COLUMNS)
			fprintf(out, " %.*s=%.*s", (int)f.key_len, f.key,
			    (int)f.value_len, f.value);
	}
	fputc('\n', out);
}

void
status_print_table(const char *text, FILE *out)
{
	struct totals totals;

	for (size_t i = 0; i < COLUMNS; i++)
		fprintf(out, "%*s", columns[i].width, columns[i].title);
	fputs(" DETAILS\n", out);
	for (const char *line = text; line != NULL; line = next_line(line)) {
		for (size_t i = 0; i < COLUMNS; i++)
			print_column(out, line, &columns[i]);
		print_rest(out, line);
	}
	add_up(text, &totals);
	fputs("total", out);
	for (size_t i = 0; i < totals.count; i++)
		fprintf(out, " %.*s=%" PRId64, (int)totals.list[i].key.key_len,
		    totals.list[i].key.key, totals.list[i].sum);
	fputc('\n', out);
}

static void
print_json_text(FILE *out, const char *text, size_t len)
{
	fputc('"', out);
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c >= 0x7f)
			fprintf(out, "\\u%04x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void
print_json_line(FILE *out, const char *line)
{
	const char *comma = "";
	struct field f;

	fputc('{', out);
	while (next_field(&line, &f)) {
		fputs(comma, out);
		comma = ", ";
		print_json_text(out, f.key, f.key_len);
		fputs(": ", out);
		if (is_number(&f))
			fprintf(out, "%.*s", (int)f.value_len, f.value);
		else
			print_json_text(out, f.value, f.value_len);
	}
	fputc('}', out);
}

void
status_print_json(const char *text, FILE *out)
{
	const char *comma = "", *line = text;
	struct totals totals;

	fputs("{\"waybilld\": ", out);
	print_json_line(out, text);
	fputs(",\n \"processes\": [", out);
	while ((line = next_line(line)) != NULL) {
		fprintf(out, "%s\n  ", comma);
		comma = ",";
		print_json_line(out, line);
	}
	fputs("],\n \"total\": {", out);
	add_up(text, &totals);
	for (size_t i = 0; i < totals.count; i++) {
		fputs(i > 0 ? ", " : "", out);
		print_json_text(
		    out, totals.list[i].key.key, totals.list[i].key.key_len);
		fprintf(out, ": %" PRId64, totals.list[i].sum);
	}
	fputs("}}\n", out);
}
