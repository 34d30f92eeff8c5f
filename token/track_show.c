/*
 * What became of a message, for people.
 */
#include "token/track_show.h"

#include <stdlib.h>
#include <string.h>

#include "token/print.h"
#include "token/state_table.h"
#include "token/track_lines.h"

enum { LINES_SHOWN = 100 };

void
track_show_rows(FILE *out, const struct track *t)
{
	struct state_line *lines = calloc(t->count + 1, sizeof(*lines));

	if (lines == NULL)
		return;
	for (size_t i = 0; i < t->count; i++) {
		const struct track_row *row = &t->rows[i];
		const struct track_step *step = track_row_now(row);
		const struct report_recipient *now = step->said;
		const char *host = track_host(now);

		lines[i] = (struct state_line){
			.recipient = row->steps[0].said->original,
			.words = state_table_words(
			    now->action, now->last_attempt != 0, now->branches),
			.status = now->status,
			.host =
			    host[0] != '\0' ? host : step->part->reporting_mta,
			.tls = host[0] != '\0' ? now->tls : "",
			.text = track_text(now),
		};
	}
	state_table_states(out, lines, t->count);
	free(lines);
}

static void
print_note(FILE *out, const char *address, const char *what, const char *more)
{
	char *note;
	int len = asprintf(&note, "%s: %s%s", address, what, more);

	if (len < 0)
		return;
	print_line(out, "note", note, (size_t)len);
	free(note);
}

/* How often it was tried, and when that ends. */
static void
print_waiting(
    FILE *out, const char *address, const struct report_recipient *now)
{
	char last[64], until[64], text[192];

	if (now->action != ACTION_DELAYED)
		return;
	state_table_time(now->last_attempt, last, sizeof(last));
	state_table_time(now->retry_until, until, sizeof(until));
	if (last[0] != '\0' && now->attempts > 1)
		snprintf(text, sizeof(text), "tried %u times, the last at %s",
		    now->attempts, last);
	else if (last[0] != '\0')
		snprintf(text, sizeof(text), "tried at %s", last);
	else
		text[0] = '\0';
	if (until[0] != '\0')
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
		    "%strying ends at %s", text[0] != '\0' ? "; " : "", until);
	if (text[0] != '\0')
		print_note(out, address, text, "");
}

/* What stands in the way, and what the tables have no room for. */
static void
print_notes(FILE *out, const struct track *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct track_row *row = &t->rows[i];
		const struct report_recipient *now = track_row_now(row)->said;
		const char *address = row->steps[0].said->original;

		if (row->dead_end != NULL)
			print_note(out, address,
			    "cannot be told further: ", row->dead_end);
		else if (now->final[0] != '\0' &&
		    strcasecmp(now->final, address) != 0)
			print_note(out, address, "became ", now->final);
		print_waiting(out, address, now);
	}
}

static struct state_line
shown_line(const struct track_line *line)
{
	return (struct state_line){
		.time = line->time,
		.recipient = line->recipient != NULL ? line->recipient : "",
		.words = line->received
		    ? "received"
		    : state_table_happened(line->action, line->attempted),
		.host = line->host,
		.tls = line->tls,
		.text = line->text,
	};
}

static void
print_lines(FILE *out, const struct track *t)
{
	struct state_line shown[LINES_SHOWN];
	size_t count, first;
	struct track_line *lines = track_lines(t, &count);

	if (lines == NULL)
		return;
	first = count > LINES_SHOWN ? count - LINES_SHOWN : 0;
	for (size_t i = first; i < count; i++)
		shown[i - first] = shown_line(&lines[i]);
	putc('\n', out);
	state_table_events(out, shown, count - first);
	if (first > 0)
		fprintf(out, "(%zu earlier ones: see --json)\n", first);
	free(lines);
}

void
track_show_text(FILE *out, const struct track *t, const char *envid)
{
	print_line(out, "envelope id", envid, strlen(envid));
	for (size_t i = 0; i < t->server_count; i++) {
		const struct track_server *s = t->servers[i];

		print_line(out,
		    s->outcome == MTQP_ANSWERED ? "asked" : "not told by",
		    s->name, strlen(s->name));
	}
	putc('\n', out);
	track_show_rows(out, t);
	print_notes(out, t);
	print_lines(out, t);
}
