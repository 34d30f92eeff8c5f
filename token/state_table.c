/*
 * Where recipients stand and what happened to them; see state_table.h.
 */
#include "token/state_table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/history.h"
#include "common/status.h"
#include "token/table.h"

static const struct table_column state_columns[] = { { "RECIPIENT", 40 },
	{ "STATE", 0 }, { "CODE", 0 }, { "SERVER", 50 },
	{ "WHAT IT SAID", TABLE_WHOLE } };

static const struct table_column event_columns[] = { { "TIME", 0 },
	{ "RECIPIENT", 40 }, { "WHAT HAPPENED", 0 }, { "SERVER", 50 },
	{ "WHAT IT SAID", TABLE_WHOLE } };

#define COLUMNS(c) (sizeof(c) / sizeof((c)[0]))

void
state_table_time(uint64_t ms, char *out, size_t size)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;

	if (ms == 0 || localtime_r(&seconds, &tm) == NULL ||
	    strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		out[0] = '\0';
}

const char *
state_table_words(uint8_t action, bool attempted, const char *branches)
{
	if (action == ACTION_EXPANDED && strstr(branches, "failed") != NULL)
		return "forwarded to several addresses, some failed";
	return status_words(action, attempted);
}

const char *
state_table_happened(uint8_t action, bool attempted)
{
	if (action == ACTION_DELAYED && !attempted)
		return "accepted by the mail server";
	return status_words(action, attempted);
}

static void
add_text(struct table *t, const char *text)
{
	table_add(t, text, strlen(text));
}

/* "mx.example.net (TLSv1.3)": the cipher is for those who want JSON. */
static void
add_host(struct table *t, const struct state_line *line)
{
	size_t version = strcspn(line->tls, " ,;(");
	char *text;

	if (line->host[0] == '\0' || version == 0 ||
	    asprintf(&text, "%s (%.*s)", line->host, (int)version, line->tls) <
		0) {
		add_text(t, line->host);
		return;
	}
	add_text(t, text);
	free(text);
}

void
state_table_states(FILE *out, const struct state_line *lines, size_t count)
{
	struct table *t = table_new(state_columns, COLUMNS(state_columns));

	if (t == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		add_text(t, lines[i].recipient);
		add_text(t, lines[i].words);
		add_text(t, lines[i].status);
		add_host(t, &lines[i]);
		add_text(t, lines[i].text);
	}
	table_print(t, out, table_terminal_width());
	table_free(t);
}

void
state_table_events(FILE *out, const struct state_line *lines, size_t count)
{
	struct table *t = table_new(event_columns, COLUMNS(event_columns));
	char when[64];

	if (t == NULL)
		return;
	for (size_t i = 0; i < count; i++) {
		state_table_time(lines[i].time, when, sizeof(when));
		add_text(t, when);
		add_text(t, lines[i].recipient);
		add_text(t, lines[i].words);
		add_host(t, &lines[i]);
		add_text(t, lines[i].text);
	}
	table_print(t, out, table_terminal_width());
	table_free(t);
}
