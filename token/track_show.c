/*
 * What became of a message, for people.
 */
#include "token/track_show.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "token/print.h"
#include "token/table.h"
#include "token/track_lines.h"

enum { LINES_SHOWN = 100 };

static const struct table_column row_columns[] = { { "RECIPIENT", 40 },
	{ "STATE", 0 }, { "CODE", 0 }, { "SERVER", 40 },
	{ "WHAT IT SAID", 0 } };

static const struct table_column line_columns[] = { { "TIME", 0 },
	{ "RECIPIENT", 40 }, { "WHAT HAPPENED", 0 }, { "SERVER", 40 },
	{ "WHAT IT SAID", 0 } };

#define COLUMNS(c) (sizeof(c) / sizeof((c)[0]))

static void
add_text(struct table *t, const char *text)
{
	table_add(t, text, strlen(text));
}

static void
add_time(struct table *t, uint64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	char text[64];
	struct tm tm;

	if (ms == 0 || localtime_r(&seconds, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm) == 0)
		text[0] = '\0';
	add_text(t, text);
}

static const char *
row_words(const struct report_recipient *now)
{
	if (now->action == ACTION_EXPANDED &&
	    strstr(now->branches, "failed") != NULL)
		return "forwarded to several addresses, some failed";
	return status_words(now->action, now->last_attempt != 0);
}

static void
add_row(struct table *table, const struct track_row *row)
{
	const struct track_step *step = track_row_now(row);
	const struct report_recipient *now = step->said;
	const char *host = track_host(now);

	add_text(table, row->steps[0].said->original);
	add_text(table, row_words(now));
	add_text(table, now->status);
	add_text(table, host[0] != '\0' ? host : step->part->reporting_mta);
	add_text(table, track_text(now));
}

void
track_show_rows(FILE *out, const struct track *t)
{
	struct table *table = table_new(row_columns, COLUMNS(row_columns));

	if (table == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		add_row(table, &t->rows[i]);
	table_print(table, out, table_terminal_width());
	table_free(table);
}

/* What stands in the way, and when it will be tried again. */
static void
print_notes(FILE *out, const struct track *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct track_row *row = &t->rows[i];
		const struct report_recipient *now = track_row_now(row)->said;
		const char *address = row->steps[0].said->original;
		char *note = NULL;
		int len = -1;

		if (row->dead_end != NULL)
			len = asprintf(&note, "%s: cannot be told further: %s",
			    address, row->dead_end);
		else if (now->final[0] != '\0' &&
		    strcasecmp(now->final, address) != 0)
			len = asprintf(
			    &note, "%s: became %s", address, now->final);
		if (len >= 0)
			print_line(out, "note", note, (size_t)len);
		free(note);
	}
}

static void
add_line(struct table *table, const struct track_line *line)
{
	add_time(table, line->time);
	add_text(table, line->recipient != NULL ? line->recipient : "");
	add_text(table,
	    line->received
		? "received"
		: status_words(line->action,
		      line->host[0] != '\0' || line->text[0] != '\0'));
	add_text(table, line->host);
	add_text(table, line->text);
}

static void
print_lines(FILE *out, const struct track *t)
{
	struct table *table = table_new(line_columns, COLUMNS(line_columns));
	size_t count, first;
	struct track_line *lines = track_lines(t, &count);

	if (table != NULL && lines != NULL) {
		first = count > LINES_SHOWN ? count - LINES_SHOWN : 0;
		for (size_t i = first; i < count; i++)
			add_line(table, &lines[i]);
		putc('\n', out);
		table_print(table, out, table_terminal_width());
		if (first > 0)
			fprintf(out, "(%zu earlier ones: see --json)\n", first);
	}
	free(lines);
	table_free(table);
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
