/*
 * Steps as JSON lines on standard output, in the members of docs/feed-json.md.
 */
#include "track/feed_print.h"

#include <jansson.h>
#include <stdio.h>

#include "common/log.h"
#include "common/status.h"
#include "common/timestamp.h"

enum { TEXT_MAX = 2048 };

static json_t *
latin1(struct octets text)
{
	char out[2 * TEXT_MAX];
	size_t len = 0;

	for (size_t i = 0; i < text.len && i < TEXT_MAX; i++) {
		uint8_t c = text.data[i];

		if (c >= 0x80)
			out[len++] = (char)(0xc0 | c >> 6);
		out[len++] = (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c);
	}
	return json_stringn(out, len);
}

static void
put(json_t *line, const char *name, struct octets text)
{
	json_t *value;

	if (text.len == 0)
		return;
	value = json_stringn((const char *)text.data, text.len);
	json_object_set_new(line, name, value != NULL ? value : latin1(text));
}

static void
put_word(json_t *line, const char *name, const char *word)
{
	if (word[0] != '\0')
		json_object_set_new(line, name, json_string(word));
}

static void
put_time(json_t *line, const char *name, uint64_t time)
{
	char text[TIMESTAMP_SIZE];

	if (time == 0)
		return;
	timestamp_write(time, text);
	put_word(line, name, text);
}

static void
put_status(json_t *line, const struct history_event *s)
{
	put(line, "recipient", s->recipient);
	put(line, "original", s->original);
	put_word(line, "action", status_action_name(s->action));
	put_word(line, "status", s->status);
	put(line, "remote_mta", s->remote_mta);
	put(line, "remote_address", s->remote_address);
	put(line, "reply", s->reply);
	put(line, "tls", s->tls);
	put_time(line, "retry_until", s->retry_until);
}

void
feed_print(const struct log_event *step)
{
	json_t *line = json_object();

	put_word(line, "event",
	    step->kind == LOGGED_STATUS	    ? "status"
		: step->kind == LOGGED_JOIN ? "join"
					    : "end");
	put_time(line, "time", step->status.time);
	put(line, "host", step->host);
	put(line, "queue_id", step->queue_id);
	if (step->kind == LOGGED_JOIN)
		put(line, "next_id", step->next_id);
	if (step->kind == LOGGED_STATUS)
		put_status(line, &step->status);
	if (json_dumpf(line, stdout, JSON_COMPACT) == -1 ||
	    fputc('\n', stdout) == EOF)
		fatal("standard output: it cannot be written");
	json_decref(line);
}
