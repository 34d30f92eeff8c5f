/*
 * What a server answers to XMTRK (docs/xmtrk.md): a strict, bounded parser.
 */
#include "token/answer.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

enum { WORD_MAX = 16 };

#define STATUS "2.0.0 "

/* A line that is being read; text is the room for what is decoded. */
struct reader {
	const char *at;
	const char *end;
	char *text;
	const char *error;
};

static bool
is_name_octet(char c, bool first)
{
	if (c >= 'a' && c <= 'z')
		return true;
	return !first && ((c >= '0' && c <= '9') || c == '-' || c == '_');
}

/* Keep len octets of what text has room for, and a NUL. */
static char *
keep(struct reader *r, size_t len)
{
	char *kept = r->text;

	r->text[len] = '\0';
	r->text += len + 1;
	return kept;
}

static const char *
read_name(struct reader *r)
{
	size_t len = 0;

	while (r->at < r->end && is_name_octet(*r->at, len == 0)) {
		if (len == WORD_MAX) {
			r->error = "a name is too long";
			return NULL;
		}
		r->text[len++] = *r->at++;
	}
	if (len == 0) {
		r->error = "a name is missing";
		return NULL;
	}
	return keep(r, len);
}

static bool
read_field(struct reader *r, struct answer_field *f)
{
	const char *value;
	long len;

	r->at++;
	f->key = read_name(r);
	if (f->key == NULL)
		return false;
	if (r->at == r->end || *r->at != '=') {
		r->error = "a key has no value";
		return false;
	}
	value = ++r->at;
	while (r->at < r->end && *r->at != ' ')
		r->at++;
	len = codec_xtext_decode(value, (size_t)(r->at - value), r->text);
	if (len < 0) {
		r->error = "a value is not xtext";
		return false;
	}
	f->len = (size_t)len;
	f->value = keep(r, f->len);
	return true;
}

static void
read_record(struct reader *r, struct answer_record *record)
{
	struct answer_field field;

	record->word = read_name(r);
	while (r->error == NULL && r->at < r->end) {
		if (*r->at != ' ') {
			r->error = "a word has a wrong character";
			return;
		}
		if (record->count == ANSWER_FIELDS_MAX) {
			r->error = "a line has too many values";
			return;
		}
		if (!read_field(r, &field))
			return;
		if (answer_get(record, field.key) != NULL) {
			r->error = "a key stands twice in a line";
			return;
		}
		record->fields[record->count++] = field;
	}
}

static bool
check_end(struct answer *a, const struct answer_record *record)
{
	const struct answer_field *count = answer_get(record, "count");
	const struct answer_field *more = answer_get(record, "more");
	size_t n = 0;

	if (count == NULL || count->len == 0 || count->len > 6)
		return false;
	for (size_t i = 0; i < count->len; i++) {
		if (count->value[i] < '0' || count->value[i] > '9')
			return false;
		n = n * 10 + (size_t)(count->value[i] - '0');
	}
	a->more = more != NULL && strcmp(more->value, "yes") == 0;
	return n == a->count;
}

static void
record_free(struct answer_record *record)
{
	explicit_bzero(record, record->size);
	free(record);
}

static struct answer_record *
record_new(size_t len)
{
	struct answer_record *record;
	/* Each value loses its " " and "=", and gets NULs in their place. */
	size_t size = sizeof(*record) +
	    ANSWER_FIELDS_MAX * sizeof(record->fields[0]) + len + 2;

	record = calloc(1, size);
	if (record != NULL)
		record->size = size;
	return record;
}

static bool
make_room(struct answer *a)
{
	size_t size = a->size == 0 ? 64 : 2 * a->size;
	struct answer_record **grown;

	if (a->count < a->size)
		return true;
	grown = reallocarray(a->records, size, sizeof(void *));
	if (grown == NULL)
		return false;
	a->records = grown;
	a->size = size;
	return true;
}

static enum answer_next
bad(struct answer *a, struct answer_record *record, const char *error)
{
	if (record != NULL)
		record_free(record);
	a->error = error;
	return ANSWER_BAD;
}

enum answer_next
answer_take_line(struct answer *a, const char *line, size_t len)
{
	struct answer_record *record;
	struct reader r = { 0 };
	bool last;

	if (len > ANSWER_LINE_MAX)
		return bad(a, NULL, "a line is too long");
	if (a->count == ANSWER_LINES_MAX)
		return bad(a, NULL, "there are too many lines");
	if (len < 4 + strlen(STATUS) || memcmp(line, "250", 3) != 0 ||
	    (line[3] != ' ' && line[3] != '-') ||
	    memcmp(line + 4, STATUS, strlen(STATUS)) != 0)
		return bad(a, NULL, "a line does not begin with 250 2.0.0");
	last = line[3] == ' ';
	record = record_new(len);
	if (record == NULL || !make_room(a))
		return bad(a, record, "there is no memory for it");
	r.at = line + 4 + strlen(STATUS);
	r.end = line + len;
	r.text = (char *)(record->fields + ANSWER_FIELDS_MAX);
	read_record(&r, record);
	if (r.error != NULL)
		return bad(a, record, r.error);
	if (last != (strcmp(record->word, "end") == 0))
		return bad(a, record, "its end is not where it should be");
	if (!last) {
		a->records[a->count++] = record;
		return ANSWER_MORE;
	}
	if (!check_end(a, record))
		return bad(a, record, "lines are missing or too many");
	record_free(record);
	return ANSWER_END;
}

const struct answer_field *
answer_get(const struct answer_record *record, const char *key)
{
	for (size_t i = 0; i < record->count; i++)
		if (strcmp(record->fields[i].key, key) == 0)
			return &record->fields[i];
	return NULL;
}

const struct answer_field *
answer_find(const struct answer *a, const char *word, const char *key)
{
	const struct answer_field *f;

	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->records[i]->word, word) != 0)
			continue;
		f = answer_get(a->records[i], key);
		if (f != NULL)
			return f;
	}
	return NULL;
}

void
answer_free(struct answer *a)
{
	for (size_t i = 0; i < a->count; i++)
		record_free(a->records[i]);
	free(a->records);
	*a = (struct answer){ 0 };
}
