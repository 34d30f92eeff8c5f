/*
 * Fuzzes what the user's command reads from a server (docs/xmtrk.md), down to
 * what a terminal and a program get of it.
 */
#include "token/answer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/json.h"
#include "token/print.h"
#include "token/text.h"
#include "token/words.h"
#include "tests/fuzz/fuzz.h"

static void
check_clean(const char *text, size_t len)
{
	char *clean = malloc(len + 1);
	size_t n = text_clean(text, len, clean, len + 1);

	MUST(n <= len && strlen(clean) == n);
	for (size_t i = 0; i < n; i++)
		MUST((uint8_t)clean[i] >= ' ' && clean[i] != 0x7f);
	MUST(text_fit(clean, SIZE_MAX) == n);
	MUST(text_fit(clean, text_width(clean)) <= n);
	free(clean);
}

static void
check_field(const struct answer_field *f)
{
	size_t len;
	char *decoded = words_decode(f->value, f->len, &len);
	char time[64];

	MUST(strlen(f->key) > 0 && f->value[f->len] == '\0');
	MUST(decoded != NULL && len <= 4 * f->len);
	check_clean(f->value, f->len);
	check_clean(decoded, len);
	free(decoded);
	print_time(f, "%Y-%m-%d %H:%M", time, sizeof(time));
	check_clean(time, strlen(time));
}

/* JSON holds no octet that a terminal would obey, whatever was answered. */
static void
check_json(const struct answer *a)
{
	static const struct print_key keys[] = { { "envid", PRINT_TEXT },
		{ "size", PRINT_NUMBER }, { "subject", PRINT_HEADER },
		{ "mtrk", PRINT_FLAG }, { NULL, PRINT_TEXT } };
	char *text = NULL;
	size_t len = 0;
	struct json j = { .out = open_memstream(&text, &len) };

	json_begin(&j, NULL, '[');
	for (size_t i = 0; i < a->count; i++) {
		json_begin(&j, NULL, '{');
		print_json_fields(&j, a->records[i], keys);
		json_end(&j, '}');
	}
	print_json_cut(&j, a, "message");
	json_end(&j, ']');
	fclose(j.out);
	for (size_t i = 0; i < len; i++)
		MUST((uint8_t)text[i] >= ' ' && text[i] != 0x7f);
	free(text);
}

static void
check_answer(const struct answer *a)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct answer_record *r = a->records[i];

		for (size_t k = 0; k < r->count; k++) {
			check_field(&r->fields[k]);
			MUST(answer_get(r, r->fields[k].key) == &r->fields[k]);
		}
	}
	check_json(a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *at = (const char *)data, *end = at + size;
	struct answer answer = { 0 };
	enum answer_next next = ANSWER_MORE;

	while (next == ANSWER_MORE && at < end) {
		const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);
		size_t len = (size_t)((crlf == NULL ? end : crlf) - at);

		next = answer_take_line(&answer, at, len);
		MUST((next == ANSWER_BAD) == (answer.error != NULL));
		at += crlf == NULL ? len : len + 2;
	}
	check_answer(&answer);
	answer_free(&answer);
	return 0;
}
