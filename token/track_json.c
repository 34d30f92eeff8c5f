/*
 * What became of a message, for programs.
 */
#include "token/track_show.h"

#include <stdlib.h>
#include <string.h>

#include "common/timestamp.h"
#include "token/json.h"
#include "token/track_lines.h"

static const char *const states[] = { [TRACK_ARRIVED] = "arrived",
	[TRACK_FAILED] = "failed",
	[TRACK_UNDER_WAY] = "underway",
	[TRACK_UNKNOWN] = "unknown" };

/* What is not known is left out. */
static void
put_text(struct json *j, const char *key, const char *text)
{
	if (text[0] != '\0')
		json_text(j, key, text, strlen(text));
}

static void
put_time(struct json *j, const char *key, uint64_t ms)
{
	char text[TIMESTAMP_SIZE];

	if (ms == 0)
		return;
	timestamp_write(ms, text);
	put_text(j, key, text);
}

static void
put_servers(struct json *j, const struct track *t)
{
	json_begin(j, "servers", '[');
	for (size_t i = 0; i < t->server_count; i++) {
		const struct track_server *s = t->servers[i];

		json_begin(j, NULL, '{');
		put_text(j, "server", s->name);
		json_flag(j, "answered", s->outcome == MTQP_ANSWERED);
		put_text(j, "problem", s->problem.text);
		json_end(j, '}');
	}
	json_end(j, ']');
}

static void
put_row(struct json *j, const struct track_row *row)
{
	const struct track_step *step = track_row_now(row);
	const struct report_recipient *now = step->said;

	json_begin(j, NULL, '{');
	put_text(j, "to", row->steps[0].said->original);
	put_text(j, "final", now->final);
	put_text(j, "state", states[track_row_state(row)]);
	json_flag(j, "settled", !track_row_is_open(row));
	put_text(j, "action", status_action_name(now->action));
	put_text(j, "status", now->status);
	put_text(j, "told_by", step->part->reporting_mta);
	put_text(j, "remote_mta", now->remote_mta);
	put_text(j, "remote_address", now->remote_address);
	put_text(j, "reply", track_text(now));
	put_text(j, "tls", now->tls);
	put_text(j, "branches", now->branches);
	put_time(j, "last_attempt", now->last_attempt);
	put_time(j, "retry_until", now->retry_until);
	if (now->attempts > 0)
		json_number(j, "attempts", now->attempts);
	put_text(j, "problem", row->dead_end != NULL ? row->dead_end : "");
	json_end(j, '}');
}

static void
put_line(struct json *j, const struct track_line *line)
{
	json_begin(j, NULL, '{');
	put_time(j, "time", line->time);
	if (line->recipient != NULL)
		put_text(j, "to", line->recipient);
	put_text(j, "action",
	    line->received ? "received" : status_action_name(line->action));
	put_text(j, "status", line->status);
	put_text(j, "host", line->host);
	put_text(j, "tls", line->tls);
	put_text(j, "text", line->text);
	json_end(j, '}');
}

void
track_show_json(FILE *out, const struct track *t, const char *envid)
{
	struct json j = { .out = out };
	size_t count;
	struct track_line *lines = track_lines(t, &count);

	json_begin(&j, NULL, '{');
	json_text(&j, "envid", envid, strlen(envid));
	put_text(&j, "state", states[track_state(t)]);
	json_flag(&j, "settled", !track_is_open(t));
	put_servers(&j, t);
	json_begin(&j, "recipients", '[');
	for (size_t i = 0; i < t->count; i++)
		put_row(&j, &t->rows[i]);
	json_end(&j, ']');
	json_begin(&j, "events", '[');
	for (size_t i = 0; lines != NULL && i < count; i++)
		put_line(&j, &lines[i]);
	json_end(&j, ']');
	json_end(&j, '}');
	putc('\n', out);
	free(lines);
}
