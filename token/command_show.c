/*
 * waybill show: what is known of one message.
 */
#include "token/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/status.h"
#include "common/timestamp.h"
#include "token/ask.h"
#include "token/print.h"
#include "token/state_table.h"
#include "token/words.h"

static const struct print_key message_keys[] = { { "envid", PRINT_TEXT },
	{ "time", PRINT_TEXT }, { "state", PRINT_TEXT },
	{ "size", PRINT_NUMBER }, { "from", PRINT_TEXT }, { "id", PRINT_TEXT },
	{ "subject", PRINT_HEADER }, { "msa", PRINT_TEXT },
	{ "queue", PRINT_TEXT }, { "tracked", PRINT_TEXT },
	{ "mtrk", PRINT_FLAG }, { NULL, PRINT_TEXT } };

static const struct print_key reply_keys[] = { { "to", PRINT_TEXT },
	{ "code", PRINT_NUMBER }, { "text", PRINT_TEXT },
	{ NULL, PRINT_TEXT } };

static const struct print_key event_keys[] = { { "time", PRINT_TEXT },
	{ "to", PRINT_TEXT }, { "final", PRINT_TEXT }, { "action", PRINT_TEXT },
	{ "status", PRINT_TEXT }, { "branches", PRINT_TEXT },
	{ "last_attempt", PRINT_TEXT }, { "until", PRINT_TEXT },
	{ "mta", PRINT_TEXT }, { "address", PRINT_TEXT }, { "tls", PRINT_TEXT },
	{ "text", PRINT_TEXT }, { NULL, PRINT_TEXT } };

/* What a word of the answer means to people. */
struct meaning {
	const char *value;
	const char *text;
};

static const struct meaning states[] = {
	{ "accepted", "accepted by the mail server" },
	{ "unknown",
	    "sent, but the mail server's answer was lost: it may have "
	    "arrived or not" },
	{ NULL, NULL },
};

static const struct meaning trackings[] = {
	{ "yes", "on" },
	{ "no", "off" },
	{ "client", "on, by the mail program, which keeps the secret itself" },
	{ "revoked", "revoked: nobody can track it any more" },
	{ NULL, NULL },
};

static void
json_records(struct json *j, const struct answer *a, const char *word,
    const struct print_key *keys)
{
	for (size_t i = 0; i < a->count; i++) {
		struct answer one = { .records = &a->records[i], .count = 1 };

		if (strcmp(a->records[i]->word, word) != 0)
			continue;
		json_begin(j, NULL, '{');
		print_json_fields(j, a->records[i], keys);
		print_json_cut(j, &one, word);
		json_end(j, '}');
	}
}

static void
show_json(const struct answer *a)
{
	struct json j = { .out = stdout };

	json_begin(&j, NULL, '{');
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, "message") == 0)
			print_json_fields(&j, a->records[i], message_keys);
	print_json_cut(&j, a, "message");
	json_begin(&j, "recipients", '[');
	json_records(&j, a, "recipient", reply_keys);
	json_end(&j, ']');
	json_begin(&j, "status", '[');
	json_records(&j, a, "status", event_keys);
	json_end(&j, ']');
	json_begin(&j, "events", '[');
	json_records(&j, a, "event", event_keys);
	json_end(&j, ']');
	for (size_t i = 0; i < a->count; i++) {
		if (strcmp(a->records[i]->word, "reply") != 0)
			continue;
		json_begin(&j, "reply", '{');
		print_json_fields(&j, a->records[i], reply_keys);
		json_end(&j, '}');
		break;
	}
	json_end(&j, '}');
	putchar('\n');
}

static void
print_meaning(const char *label, const struct answer_field *f,
    const struct meaning *meanings)
{
	if (f == NULL)
		return;
	for (; meanings->value != NULL; meanings++)
		if (strcmp(meanings->value, f->value) == 0) {
			print_line(stdout, label, meanings->text,
			    strlen(meanings->text));
			return;
		}
	print_field(stdout, label, f);
}

static void
print_subject(const struct answer_field *f)
{
	size_t len;
	char *decoded;

	if (f == NULL)
		return;
	decoded = words_decode(f->value, f->len, &len);
	if (decoded != NULL)
		print_line(stdout, "subject", decoded, len);
	free(decoded);
}

/* "recipient  250 text" or "reply  250 text". */
static void
print_reply(const struct answer_record *r)
{
	const struct answer_field *to = answer_get(r, "to");
	const struct answer_field *code = answer_get(r, "code");
	const struct answer_field *text = answer_get(r, "text");
	char *line = NULL;
	int len;

	len = asprintf(&line, "%s%s%s%s%s", to != NULL ? to->value : "",
	    to != NULL && code != NULL ? "  " : "",
	    code != NULL ? code->value : "", text != NULL ? " " : "",
	    text != NULL ? text->value : "");
	if (len < 0)
		return;
	print_line(stdout, to != NULL ? "to" : "answer", line, (size_t)len);
	free(line);
}

static const char *
value_of(const struct answer_record *r, const char *key)
{
	const struct answer_field *f = answer_get(r, key);

	return f != NULL ? f->value : "";
}

static const char *
words_of(const struct answer_record *r)
{
	const struct answer_field *action = answer_get(r, "action");
	bool event = strcmp(r->word, "event") == 0;
	bool attempted =
	    answer_get(r, event ? "status" : "last_attempt") != NULL;
	int number;

	if (action == NULL)
		return status_words(ACTION_OPAQUE, true);
	number = status_action_read(action->value, action->len);
	if (number < 0)
		return action->value;
	if (!event)
		return state_table_words(
		    (uint8_t)number, attempted, value_of(r, "branches"));
	attempted |= answer_get(r, "mta") != NULL ||
	    answer_get(r, "address") != NULL || answer_get(r, "text") != NULL;
	return state_table_happened((uint8_t)number, attempted);
}

static struct state_line
line_of(const struct answer_record *r)
{
	const struct answer_field *time = answer_get(r, "time");
	const char *host = value_of(r, "mta");
	struct state_line line = {
		.recipient = value_of(r, "to"),
		.words = words_of(r),
		.status = value_of(r, "status"),
		.host = host[0] != '\0' ? host : value_of(r, "address"),
		.tls = value_of(r, "tls"),
		.text = value_of(r, "text"),
	};

	if (time == NULL || timestamp_read(time->value, time->len, &line.time))
		line.time = 0;
	return line;
}

/* All lines of a word by one of the two tables, if there are any. */
static void
print_states(const struct answer *a, const char *word,
    void (*print)(FILE *, const struct state_line *, size_t))
{
	struct state_line *lines = calloc(a->count + 1, sizeof(*lines));
	size_t count = 0;

	if (lines == NULL)
		return;
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, word) == 0)
			lines[count++] = line_of(a->records[i]);
	if (count > 0) {
		putchar('\n');
		print(stdout, lines, count);
	}
	free(lines);
}

static void
show_text(const struct answer *a)
{
	const struct answer_field *from = answer_find(a, "message", "from");
	char sent[64];

	print_field(stdout, "envelope id", answer_find(a, "message", "envid"));
	print_time(answer_find(a, "message", "time"), "%Y-%m-%d %H:%M:%S %z",
	    sent, sizeof(sent));
	print_line(stdout, "sent", sent, strlen(sent));
	print_meaning("state", answer_find(a, "message", "state"), states);
	if (from != NULL && from->len == 0)
		print_line(stdout, "from", "<>", 2);
	else
		print_field(stdout, "from", from);
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, "recipient") == 0)
			print_reply(a->records[i]);
	print_field(stdout, "message id", answer_find(a, "message", "id"));
	print_subject(answer_find(a, "message", "subject"));
	print_field(stdout, "octets", answer_find(a, "message", "size"));
	print_field(stdout, "mail server", answer_find(a, "message", "msa"));
	print_field(stdout, "queue id", answer_find(a, "message", "queue"));
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, "reply") == 0)
			print_reply(a->records[i]);
	print_meaning(
	    "tracking", answer_find(a, "message", "tracked"), trackings);
	print_field(stdout, "MTRK sent", answer_find(a, "message", "mtrk"));
	print_states(a, "status", state_table_states);
	print_states(a, "event", state_table_events);
}

int
command_show(struct command_run *run)
{
	struct answer answer = { 0 };
	int rc = ask_one(run, "SHOW", &answer);

	if (rc == 0 && run->options->json)
		show_json(&answer);
	else if (rc == 0)
		show_text(&answer);
	answer_free(&answer);
	return rc;
}
