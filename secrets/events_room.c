/*
 * Too many events: which of a message may go when it is full, and what of
 * them an answer has room for.
 */
#include <stdlib.h>
#include <string.h>

#include "secrets/events.h"

static int
compare_recipients(const struct event *x, const struct event *y)
{
	int order = octets_compare(x->event.original, y->event.original);

	return order != 0
	    ? order
	    : octets_compare(x->event.recipient, y->event.recipient);
}

static int
by_recipient(const void *a, const void *b)
{
	const struct event *x = *(const struct event *const *)a;
	const struct event *y = *(const struct event *const *)b;
	int order = compare_recipients(x, y);

	if (order != 0)
		return order;
	return x->event.time < y->event.time ? -1
					     : x->event.time > y->event.time;
}

static bool
repeats(const struct event *x, const struct event *y)
{
	return x->event.action == ACTION_DELAYED &&
	    y->event.action == ACTION_DELAYED && compare_recipients(x, y) == 0;
}

/* Between the first "delayed" of a recipient and the last one. */
static void
mark_repeats(const struct events *es, struct event **sorted)
{
	memcpy(sorted, es->list, es->count * sizeof(*sorted));
	qsort(sorted, es->count, sizeof(*sorted), by_recipient);
	for (size_t i = 1; i + 1 < es->count; i++)
		sorted[i]->repeated = repeats(sorted[i - 1], sorted[i]) &&
		    repeats(sorted[i], sorted[i + 1]);
}

size_t
events_make_room(struct events *es)
{
	struct vault *v = es->of.vault;
	struct event **sorted;
	size_t left = es->count;

	if (left == 0)
		return 0;
	sorted = calloc(es->count, sizeof(*sorted));
	if (sorted == NULL)
		return left;
	mark_repeats(es, sorted);
	free(sorted);
	for (size_t i = 0; i < es->count && left > EVENTS_KEPT; i++) {
		if (!es->list[i]->repeated)
			continue;
		group_delete(&v->group, record_day(es->of.parts.time),
		    (struct octets){
			es->list[i]->key, sizeof(es->list[i]->key) });
		left--;
	}
	return left;
}

/* Octets of an event's texts that may be left out. */
static size_t
talk_of(const struct event *e)
{
	return e->event.reply.len + e->event.tls.len;
}

void
events_answer(const struct events *es, struct wire_out *out, size_t room)
{
	size_t whole = sizeof(uint32_t), talk = 0, first = 0;
	bool terse;

	for (size_t i = 0; i < es->count; i++) {
		whole += es->list[i]->len;
		talk += talk_of(es->list[i]);
	}
	terse = whole > room;
	if (terse)
		whole -= talk;
	while (first < es->count && whole > room) {
		const struct event *e = es->list[first++];

		whole -= e->len - talk_of(e);
	}
	wire_put_u32(out, (uint32_t)(es->count - first));
	for (size_t i = first; i < es->count; i++) {
		struct history_event e = es->list[i]->event;

		if (terse)
			e.reply.len = e.tls.len = 0;
		history_event_put(out, &e);
	}
}
