/*
 * The time line of a message.
 */
#include "token/track_lines.h"

#include <stdlib.h>
#include <string.h>

const char *
track_host(const struct report_recipient *r)
{
	return r->remote_mta[0] != '\0' ? r->remote_mta : r->remote_address;
}

const char *
track_text(const struct report_recipient *r)
{
	return r->reply[0] != '\0' ? r->reply : r->comment;
}

static size_t
most_lines(const struct track *t)
{
	size_t most = 1;

	for (size_t i = 0; i < t->server_count; i++)
		most += t->servers[i]->report.count;
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = t->rows[i].shared; k < t->rows[i].count; k++)
			most += t->rows[i].steps[k].said->event_count + 1;
	return most;
}

static void
add(struct track_line *lines, size_t *count, struct track_line line)
{
	line.order = *count;
	lines[(*count)++] = line;
}

/* Servers that tell no events tell the last one. */
static void
add_last(struct track_line *lines, size_t *count, const struct track_step *step)
{
	const struct report_recipient *said = step->said;

	add(lines, count,
	    (struct track_line){ .time = said->last_attempt != 0
		    ? said->last_attempt
		    : step->part->arrival,
		.recipient = said->original,
		.action = said->action,
		.attempted = said->last_attempt != 0,
		.status = said->status,
		.host = track_host(said),
		.tls = said->tls,
		.text = track_text(said) });
}

/* A block tells the TLS of its last attempt only, by the second. */
static const char *
tls_of(const struct report_recipient *said, const struct report_event *e)
{
	return said->last_attempt != 0 &&
		e->time / 1000 == said->last_attempt / 1000 &&
		strcmp(e->host, track_host(said)) == 0
	    ? said->tls
	    : "";
}

/* What the mail server said when it took the message was no attempt. */
static bool
is_attempt(const struct report_event *e)
{
	return e->source != SOURCE_PROXY &&
	    (e->status[0] != '\0' || e->host[0] != '\0' || e->text[0] != '\0');
}

static void
add_step(struct track_line *lines, size_t *count, const struct track_step *step)
{
	const struct report_recipient *said = step->said;

	for (size_t i = 0; i < said->event_count; i++) {
		const struct report_event *e = &said->events[i];

		add(lines, count,
		    (struct track_line){ .time = e->time,
			.recipient = said->original,
			.action = e->action,
			.attempted = is_attempt(e),
			.submitted = e->source == SOURCE_PROXY,
			.status = e->status,
			.host = e->host,
			.tls = tls_of(said, e),
			.text = e->text });
	}
	if (said->event_count == 0)
		add_last(lines, count, step);
}

static void
add_arrivals(struct track_line *lines, size_t *count, const struct track *t)
{
	for (size_t i = 0; i < t->server_count; i++) {
		const struct report *r = &t->servers[i]->report;

		for (size_t k = 0; k < r->count; k++)
			if (r->parts[k].arrival != 0)
				add(lines, count,
				    (struct track_line){
					.time = r->parts[k].arrival,
					.received = true,
					.status = "",
					.host = r->parts[k].reporting_mta,
					.tls = "",
					.text = "" });
	}
}

static int
rank(const struct track_line *line)
{
	return line->received ? 0 : line->submitted ? 1 : 2;
}

static int
compare(const void *a, const void *b)
{
	const struct track_line *x = a, *y = b;

	/* Some clocks tell seconds only; then what must be first is. */
	if (x->time / 1000 != y->time / 1000)
		return x->time < y->time ? -1 : 1;
	if (rank(x) != rank(y))
		return rank(x) < rank(y) ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* What became of an address that turned into several is told once. */
struct track_line *
track_lines(const struct track *t, size_t *count)
{
	struct track_line *lines = calloc(most_lines(t), sizeof(*lines));

	*count = 0;
	if (lines == NULL)
		return NULL;
	add_arrivals(lines, count, t);
	for (size_t i = 0; i < t->count; i++)
		for (size_t k = t->rows[i].shared; k < t->rows[i].count; k++)
			add_step(lines, count, &t->rows[i].steps[k]);
	qsort(lines, *count, sizeof(*lines), compare);
	return lines;
}
