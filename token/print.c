/*
 * Values of answers on their way to people and programs.
 */
#include "token/print.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/timestamp.h"
#include "token/text.h"
#include "token/words.h"

static void
json_header(struct json *j, const struct answer_field *f)
{
	size_t len;
	char *decoded = words_decode(f->value, f->len, &len);

	if (decoded != NULL)
		json_text(j, f->key, decoded, len);
	else
		json_text(j, f->key, f->value, f->len);
	free(decoded);
}

void
print_json_fields(struct json *j, const struct answer_record *record,
    const struct print_key *keys)
{
	for (; keys->key != NULL; keys++) {
		const struct answer_field *f = answer_get(record, keys->key);

		if (f == NULL)
			continue;
		switch (keys->kind) {
		case PRINT_TEXT:
			json_text(j, f->key, f->value, f->len);
			break;
		case PRINT_NUMBER:
			json_number(j, f->key, strtoull(f->value, NULL, 10));
			break;
		case PRINT_FLAG:
			json_flag(j, f->key, strcmp(f->value, "yes") == 0);
			break;
		case PRINT_HEADER:
			json_header(j, f);
			break;
		}
	}
}

void
print_json_cut(struct json *j, const struct answer *a, const char *word)
{
	bool any = false;

	for (size_t i = 0; i < a->count; i++) {
		const struct answer_field *cut =
		    answer_get(a->records[i], "cut");
		const char *at;
		size_t len;

		if (cut == NULL || strcmp(a->records[i]->word, word) != 0)
			continue;
		if (!any)
			json_begin(j, "cut", '[');
		any = true;
		for (at = cut->value;; at += len + 1) {
			len = strcspn(at, ",");
			json_text(j, NULL, at, len);
			if (at[len] == '\0')
				break;
		}
	}
	if (any)
		json_end(j, ']');
}

void
print_line(FILE *out, const char *label, const char *text, size_t len)
{
	char *clean = malloc(len + 1);

	if (clean == NULL)
		return;
	text_clean(text, len, clean, len + 1);
	fprintf(out, "%-12s %s\n", label, clean);
	explicit_bzero(clean, len + 1);
	free(clean);
}

void
print_field(FILE *out, const char *label, const struct answer_field *f)
{
	if (f != NULL)
		print_line(out, label, f->value, f->len);
}

void
print_time(
    const struct answer_field *f, const char *format, char *out, size_t size)
{
	uint64_t ms;
	time_t seconds;
	struct tm tm;

	out[0] = '\0';
	if (f == NULL)
		return;
	if (timestamp_read(f->value, f->len, &ms) != 0) {
		text_clean(f->value, f->len, out, size);
		return;
	}
	seconds = (time_t)(ms / 1000);
	if (localtime_r(&seconds, &tm) == NULL ||
	    strftime(out, size, format, &tm) == 0)
		out[0] = '\0';
}
