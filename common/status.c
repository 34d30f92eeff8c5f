/*
 * Where a message stands: what is known about each recipient, weighed by one
 * table (RFC 3886 3.3.3 to 3.3.7).
 */
#include "common/status.h"

#include <stdlib.h>
#include <string.h>

#include "common/status_branch.h"

enum { WHOLE_MAX = 8 };

/* The events of one recipient as submitted. */
struct group {
	const struct history_event **events;
	size_t count;
	struct octets original;
	const struct history_event *first; /* as they came */
};

struct deriving {
	const struct history_event **sorted; /* those of one recipient */
	size_t count;
	const struct history_event **whole; /* behind them: those of all */
	size_t whole_count;
	const struct history_event **line; /* of a row, being put in order */
	const struct status_view *view;
	struct group *groups;
	size_t group_count;
	struct branch *branches; /* of the group at hand */
	size_t branch_count;
	struct status_list *list;
	size_t events_used;
	uint64_t queued_until; /* at most; 0: unknown */
};

static struct octets
submitted(const struct history_event *e)
{
	return e->original.len > 0 ? e->original : e->recipient;
}

/* As they came: all are in one array. */
static int
compare_position(const struct history_event *a, const struct history_event *b)
{
	return a < b ? -1 : a > b;
}

/*
 * The submission was before anything that a log tells, although logs cut
 * their times to the second.
 */
static int
compare_time(const struct history_event *a, const struct history_event *b)
{
	bool x = a->source == SOURCE_PROXY, y = b->source == SOURCE_PROXY;

	if (x != y)
		return x ? -1 : 1;
	if (a->time != b->time)
		return a->time < b->time ? -1 : 1;
	return compare_position(a, b);
}

static int
by_submitted(const void *a, const void *b)
{
	const struct history_event *const *x = a, *const *y = b;
	int order = status_compare_addresses(submitted(*x), submitted(*y));

	return order != 0 ? order : compare_position(*x, *y);
}

static int
by_final(const void *a, const void *b)
{
	const struct history_event *const *x = a, *const *y = b;
	int order =
	    status_compare_addresses(status_final(*x), status_final(*y));

	return order != 0 ? order : compare_time(*x, *y);
}

static int
by_time(const void *a, const void *b)
{
	const struct history_event *const *x = a, *const *y = b;

	return compare_time(*x, *y);
}

static int
groups_by_position(const void *a, const void *b)
{
	const struct group *x = a, *y = b;

	return compare_position(x->first, y->first);
}

static bool
is_own(const struct group *g, const struct branch *b)
{
	return status_compare_addresses(
		   status_final(b->events[0]), g->original) == 0;
}

static uint64_t
first_of_others(const struct deriving *d, const struct branch *own)
{
	uint64_t first = UINT64_MAX;

	for (size_t i = 0; i < d->branch_count; i++)
		if (&d->branches[i] != own &&
		    d->branches[i].events[0]->time < first)
			first = d->branches[i].events[0]->time;
	return first;
}

/* Once an alias was resolved, waiting under its own name is over. */
static bool
is_superseded(const struct deriving *d, const struct branch *own)
{
	if (own->best->source == SOURCE_PROXY ||
	    own->certainty <= KNOWN_ACCEPTED || own->action == ACTION_EXPANDED)
		return true;
	return own->action == ACTION_DELAYED &&
	    own->best->time <= first_of_others(d, own);
}

static void
split_branches(struct deriving *d, const struct group *g)
{
	qsort(g->events, g->count, sizeof(*g->events), by_final);
	d->branch_count = 0;
	for (size_t i = 0; i < g->count; i++) {
		struct branch *b = &d->branches[d->branch_count];

		if (i > 0 &&
		    status_compare_addresses(status_final(g->events[i - 1]),
			status_final(g->events[i])) == 0) {
			b[-1].count++;
			continue;
		}
		*b = (struct branch){ .events = g->events + i,
			.count = 1,
			.retry_until = d->queued_until };
		d->branch_count++;
	}
	for (size_t i = 0; i < d->branch_count; i++)
		status_weigh(d->view, &d->branches[i]);
}

static struct status_row *
add_row(struct deriving *d, const struct group *g, const struct branch *b)
{
	struct history_event e =
	    status_cut_event(d->view, b->best, g->original);
	struct status_row *row = &d->list->rows[d->list->count++];

	*row = (struct status_row){ .original = g->original,
		.recipient = e.recipient,
		.action = b->action,
		.time = e.time,
		.last_attempt = b->last_attempt,
		.retry_until = b->retry_until,
		.remote_mta = e.remote_mta,
		.remote_address = e.remote_address,
		.reply = e.reply,
		.tls = e.tls,
		.attempts = b->attempts,
		.branches = 1,
		.failed = b->action == ACTION_FAILED,
		.waiting = b->action == ACTION_DELAYED };
	if (status_is_whole(b->best))
		row->recipient =
		    status_cut_event(d->view, b->events[0], g->original)
			.recipient;
	status_set_code(row, e.status);
	return row;
}

static void
add_events(struct deriving *d, struct status_row *row,
    const struct history_event **events, size_t count, const struct branch *b)
{
	size_t whole = b->whole_count;

	memcpy(d->line, events, count * sizeof(*events));
	if (whole > 0)
		memcpy(d->line + count, b->whole, whole * sizeof(*events));
	count += whole;
	qsort(d->line, count, sizeof(*d->line), by_time);
	row->events = d->list->events + d->events_used;
	row->event_count = count;
	for (size_t i = 0; i < count; i++)
		d->list->events[d->events_used++] =
		    status_cut_event(d->view, d->line[i], row->original);
}

/* The latest branch of that action, or NULL. */
static const struct branch *
latest(const struct deriving *d, const struct branch *own, int action)
{
	const struct branch *found = NULL;

	for (size_t i = 0; i < d->branch_count; i++) {
		const struct branch *b = &d->branches[i];

		if (b == own || (action >= 0 && b->action != action))
			continue;
		if (found == NULL || b->best->time >= found->best->time)
			found = b;
	}
	return found;
}

static void
make_expanded(struct status_row *row)
{
	static const struct octets nothing = { NULL, 0 };

	row->action = ACTION_EXPANDED;
	row->retry_until = 0;
	row->remote_mta = row->remote_address = nothing;
	row->reply = row->tls = nothing;
	if (row->last_attempt == 0)
		row->last_attempt = row->time;
	status_set_code(row, "");
}

/* One row for an alias to several. */
static void
add_expansion(
    struct deriving *d, const struct group *g, const struct branch *own)
{
	uint32_t counts[ACTION_FAILED + 1] = { 0 }, n = 0;
	bool announced = own != NULL && own->action == ACTION_EXPANDED;
	struct status_row *row;
	int action = -1;

	for (size_t i = 0; i < d->branch_count; i++) {
		if (&d->branches[i] == own)
			continue;
		counts[d->branches[i].action]++;
		n++;
	}
	if (counts[ACTION_FAILED] == n)
		action = ACTION_FAILED;
	else if (!announced &&
	    counts[ACTION_FAILED] + counts[ACTION_DELAYED] == n)
		action = ACTION_DELAYED;
	row = add_row(d, g, latest(d, own, action));
	row->recipient = g->original;
	row->branches = n;
	row->failed = counts[ACTION_FAILED];
	row->waiting = counts[ACTION_DELAYED];
	if (action < 0)
		make_expanded(row);
	if (own != NULL)
		add_events(d, row, own->events, own->count, own);
}

/* Its own branch where that only says what the others say better. */
static const struct branch *
find_own(const struct deriving *d, const struct group *g)
{
	for (size_t i = 0; i < d->branch_count; i++)
		if (is_own(g, &d->branches[i]))
			return d->branch_count > 1 &&
				is_superseded(d, &d->branches[i])
			    ? &d->branches[i]
			    : NULL;
	return NULL;
}

static void
derive_group(struct deriving *d, const struct group *g)
{
	const struct branch *own;
	size_t n;

	split_branches(d, g);
	own = find_own(d, g);
	for (size_t i = 0; i < d->branch_count; i++)
		if (&d->branches[i] != own)
			status_weigh_whole(
			    d->view, &d->branches[i], d->whole, d->whole_count);
	n = d->branch_count - (own != NULL);
	if (n == 1 && (own == NULL || own->action != ACTION_EXPANDED)) {
		const struct branch *b = latest(d, own, -1);

		add_events(d, add_row(d, g, b), g->events, g->count, b);
		return;
	}
	add_expansion(d, g, own);
	if (!d->view->reveal_aliases)
		return;
	for (size_t i = 0; i < d->branch_count; i++) {
		const struct branch *b = &d->branches[i];

		if (b != own)
			add_events(d, add_row(d, g, b), b->events, b->count, b);
	}
}

static void
split_groups(struct deriving *d)
{
	qsort(d->sorted, d->count, sizeof(*d->sorted), by_submitted);
	for (size_t i = 0; i < d->count; i++) {
		struct group *g = &d->groups[d->group_count];

		if (i > 0 &&
		    status_compare_addresses(submitted(d->sorted[i - 1]),
			submitted(d->sorted[i])) == 0) {
			g[-1].count++;
			continue;
		}
		*g = (struct group){ d->sorted + i, 1, submitted(d->sorted[i]),
			d->sorted[i] };
		d->group_count++;
	}
}

static bool
was_submitted(const struct group *g)
{
	for (size_t i = 0; i < g->count; i++)
		if (g->events[i]->source == SOURCE_PROXY)
			return true;
	return false;
}

/*
 * Addresses that nobody submitted come from an alias whose name the log did
 * not tell: with one recipient it can only be that one; with several, which
 * one is not known.
 */
static void
assign_strays(struct deriving *d)
{
	size_t known = 0, last = 0, kept = 0;

	for (size_t i = 0; i < d->group_count; i++)
		if (was_submitted(&d->groups[i])) {
			known++;
			last = i;
		}
	if (known == 1) {
		d->groups[0] = (struct group){ d->sorted, d->count,
			d->groups[last].original, d->groups[last].first };
		d->group_count = 1;
	}
	if (known < 2 || d->view->reveal_aliases)
		return;
	for (size_t i = 0; i < d->group_count; i++)
		if (was_submitted(&d->groups[i]))
			d->groups[kept++] = d->groups[i];
	d->group_count = kept;
}

/*
 * What tells of the whole message stands apart, only the latest of it: a row
 * for each recipient would have all of it.
 */
static void
sort_out(struct deriving *d, const struct history_event *events, size_t count)
{
	size_t whole = count;

	for (size_t i = count; i-- > 0;)
		if (status_is_whole(&events[i]))
			d->sorted[--whole] = &events[i];
	d->whole = d->sorted + whole;
	d->whole_count = count - whole;
	if (d->whole_count > 0)
		qsort(d->whole, d->whole_count, sizeof(*d->whole), by_time);
	if (d->whole_count > WHOLE_MAX) {
		d->whole += d->whole_count - WHOLE_MAX;
		d->whole_count = WHOLE_MAX;
	}
	for (size_t i = 0; i < count; i++)
		if (!status_is_whole(&events[i]))
			d->sorted[d->count++] = &events[i];
}

static uint64_t
queued_until(const struct status_view *view, const struct history_event *events,
    size_t count)
{
	for (size_t i = 0; view->queue_lifetime != 0 && i < count; i++)
		if (events[i].source == SOURCE_PROXY)
			return events[i].time + view->queue_lifetime;
	return 0;
}

static void
derive_groups(struct deriving *d)
{
	split_groups(d);
	assign_strays(d);
	qsort(
	    d->groups, d->group_count, sizeof(*d->groups), groups_by_position);
	for (size_t i = 0; i < d->group_count; i++)
		derive_group(d, &d->groups[i]);
}

int
status_derive(const struct history_event *events, size_t count,
    const struct status_view *view, struct status_list *list)
{
	struct deriving d = { .view = view, .list = list };
	bool failed;

	*list = (struct status_list){ NULL, 0, NULL };
	if (count == 0)
		return 0;
	d.queued_until = queued_until(view, events, count);
	d.sorted = calloc(count, sizeof(*d.sorted));
	d.line = calloc(count + WHOLE_MAX, sizeof(*d.line));
	d.groups = calloc(count, sizeof(*d.groups));
	d.branches = calloc(count, sizeof(*d.branches));
	/* A row for each group and each branch. */
	list->rows = calloc(2 * count, sizeof(*list->rows));
	failed = d.sorted == NULL || d.line == NULL || d.groups == NULL ||
	    d.branches == NULL || list->rows == NULL;
	if (!failed) {
		sort_out(&d, events, count);
		/* Each branch may have what tells of all. */
		list->events =
		    calloc(count * (1 + d.whole_count), sizeof(*list->events));
		failed = list->events == NULL;
	}
	if (!failed)
		derive_groups(&d);
	free(d.branches);
	free(d.groups);
	free(d.line);
	free(d.sorted);
	if (failed)
		status_list_free(list);
	return failed ? -1 : 0;
}

void
status_list_free(struct status_list *list)
{
	free(list->events);
	free(list->rows);
	*list = (struct status_list){ NULL, 0, NULL };
}
