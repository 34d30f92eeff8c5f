/*
 * waybill list: the user's messages, newest first.
 */
#include "token/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/timestamp.h"
#include "token/print.h"
#include "token/table.h"
#include "token/words.h"

#define PAGE 500

/* Sink of the rows: a table or an open array of JSON. */
struct listing {
	struct table *table;
	struct json json;
	unsigned long left; /* that may still be listed */
	bool more;
	char after[128]; /* ENVID of the last row */
};

static const struct print_key row_keys[] = { { "envid", PRINT_TEXT },
	{ "time", PRINT_TEXT }, { "state", PRINT_TEXT },
	{ "size", PRINT_NUMBER }, { "recipients", PRINT_NUMBER },
	{ "to", PRINT_TEXT }, { "id", PRINT_TEXT }, { "subject", PRINT_HEADER },
	{ NULL, PRINT_TEXT } };

static const struct table_column columns[] = { { "ENVELOPE ID", 0 },
	{ "SENT", 0 }, { "STATE", 0 }, { "TO", 40 }, { "SUBJECT", 0 } };

static void
add_field(struct table *t, const struct answer_field *f)
{
	table_add(t, f == NULL ? "" : f->value, f == NULL ? 0 : f->len);
}

static void
add_recipients(struct table *t, const struct answer_record *r)
{
	const struct answer_field *to = answer_get(r, "to");
	const struct answer_field *count = answer_get(r, "recipients");
	long others = count == NULL ? 0 : strtol(count->value, NULL, 10) - 1;
	char cell[64];

	if (others < 1 || to == NULL || to->len > 30) {
		add_field(t, to);
		return;
	}
	snprintf(cell, sizeof(cell), "%s +%ld", to->value, others);
	table_add(t, cell, strlen(cell));
}

static void
add_subject(struct table *t, const struct answer_record *r)
{
	const struct answer_field *f = answer_get(r, "subject");
	char *decoded;
	size_t len;

	decoded = f == NULL ? NULL : words_decode(f->value, f->len, &len);
	if (decoded == NULL)
		add_field(t, f);
	else
		table_add(t, decoded, len);
	free(decoded);
}

static void
add_row(struct listing *l, const struct answer_record *r)
{
	char sent[64];

	if (l->table == NULL) {
		struct answer one = { .records = &(struct answer_record *){ (
					  struct answer_record *)r },
			.count = 1 };

		json_begin(&l->json, NULL, '{');
		print_json_fields(&l->json, r, row_keys);
		print_json_cut(&l->json, &one, "message");
		json_end(&l->json, '}');
		return;
	}
	print_time(answer_get(r, "time"), "%Y-%m-%d %H:%M", sent, sizeof(sent));
	add_field(l->table, answer_get(r, "envid"));
	table_add(l->table, sent, strlen(sent));
	add_field(l->table, answer_get(r, "state"));
	add_recipients(l->table, r);
	add_subject(l->table, r);
}

/* Rows of one page; false where the next one cannot be asked for. */
static bool
add_page(struct listing *l, const struct answer *a)
{
	const struct answer_field *envid = NULL;

	for (size_t i = 0; i < a->count && l->left > 0; i++) {
		if (strcmp(a->records[i]->word, "message") != 0)
			continue;
		envid = answer_get(a->records[i], "envid");
		add_row(l, a->records[i]);
		l->left--;
	}
	l->more = a->more;
	return envid != NULL &&
	    codec_xtext_encode(
		envid->value, envid->len, l->after, sizeof(l->after)) > 0;
}

static int
ask_pages(struct command_run *run, struct listing *l)
{
	char command[512], since[TIMESTAMP_SIZE];
	struct answer answer;
	bool next = true;
	int rc;

	timestamp_write(run->options->since, since);
	while (next) {
		snprintf(command, sizeof(command),
		    "XMTRK LIST LIMIT=%lu%s%s%s%s",
		    l->left < PAGE ? l->left : PAGE,
		    run->options->since != 0 ? " SINCE=" : "",
		    run->options->since != 0 ? since : "",
		    l->after[0] != '\0' ? " AFTER=" : "", l->after);
		answer = (struct answer){ 0 };
		rc = client_ask(run->client, command, &answer);
		if (rc == 0)
			next = add_page(l, &answer) && l->more && l->left > 0;
		answer_free(&answer);
		if (rc != 0)
			return rc > 0
			    ? problem_set(run->problem, PROBLEM_REFUSED,
				  "the server refused: %s", run->client->reply)
			    : -1;
	}
	return 0;
}

static int
list_as_json(struct command_run *run, struct listing *l)
{
	char *text = NULL;
	size_t len = 0;
	int rc;

	/* Nothing is printed of a listing that fails half-way. */
	l->json.out = open_memstream(&text, &len);
	if (l->json.out == NULL)
		return problem_set(run->problem, PROBLEM_USAGE, "no memory");
	json_begin(&l->json, NULL, '{');
	json_begin(&l->json, "messages", '[');
	rc = ask_pages(run, l);
	json_end(&l->json, ']');
	json_flag(&l->json, "more", l->more);
	json_end(&l->json, '}');
	if (fclose(l->json.out) != 0)
		rc = problem_set(run->problem, PROBLEM_USAGE, "no memory");
	if (rc == 0)
		puts(text);
	free(text);
	return rc;
}

int
command_list(struct command_run *run)
{
	struct listing l = { .left = run->options->limit };
	int rc;

	if (run->options->json)
		return list_as_json(run, &l);
	l.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	if (l.table == NULL)
		return problem_set(run->problem, PROBLEM_USAGE, "no memory");
	rc = ask_pages(run, &l);
	if (rc == 0)
		table_print(l.table, stdout, table_terminal_width());
	if (rc == 0 && l.more)
		fprintf(stderr, "waybill: there are older ones; see --limit\n");
	table_free(l.table);
	return rc;
}
