/*
 * Asks the tracking server of a message, and those it was passed on to.
 */
#include "token/track_follow.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "token/dial.h"
#include "token/srv.h"

enum { LOOK_TIMEOUTS = 3 }; /* of one server, for all of them together */

/* One look under way. */
struct look {
	struct track_follow *f;
	struct track *t;
	int64_t deadline;
};

static void
warn_clear(struct track_follow *f, const char *server)
{
	if (!f->warned)
		fprintf(stderr,
		    "waybill: WARNING: the secret of the message went to %s "
		    "without TLS; whoever was in between can track it, too\n",
		    server);
	f->warned = true;
}

/* Host names without the root's dot, or address literals without brackets. */
static int
clean_name(const char *name, char out[RESOLVER_NAME_MAX + 1])
{
	size_t len = strlen(name);

	if (len > 2 && name[0] == '[' && name[len - 1] == ']') {
		name++;
		len -= 2;
	} else if (len > 1 && name[len - 1] == '.') {
		len--;
	}
	if (len > RESOLVER_NAME_MAX)
		return -1;
	memcpy(out, name, len);
	out[len] = '\0';
	return srv_is_host(out) ? 0 : -1;
}

static struct track_server *
find_server(const struct track *t, const char *name)
{
	for (size_t i = 0; i < t->server_count; i++)
		if (strcasecmp(t->servers[i]->name, name) == 0)
			return t->servers[i];
	return NULL;
}

/* Ask name; NULL without memory. */
static struct track_server *
ask_server(struct look *l, const char *name, bool first)
{
	struct track_follow *f = l->f;
	struct track_server *s = calloc(1, sizeof(*s));
	struct mtqp_question q = { .options = f->options,
		.resolver = f->resolver,
		.port = first ? f->uri->port : 0,
		.use_connect = first && f->options->connect != NULL,
		.envid = f->uri->envid,
		.secret = f->uri->secret };

	if (s == NULL)
		return NULL;
	q.answer_max = TRACK_OCTETS_MAX - l->t->octets;
	if (q.answer_max > REPORT_SIZE_MAX)
		q.answer_max = REPORT_SIZE_MAX;
	strcpy(s->name, name);
	q.server = s->name;
	s->outcome = mtqp_ask(&q, &s->report, &s->problem);
	l->t->octets += q.answer_len;
	if (q.went_clear)
		warn_clear(f, s->name);
	l->t->servers[l->t->server_count++] = s;
	return s;
}

/* Was this server one of those that the row came through? */
static bool
came_through(const struct track_row *row, const struct track_server *s)
{
	for (size_t i = 0; i < row->count; i++)
		if (row->steps[i].server == s)
			return true;
	return false;
}

static void
end_row(struct track_row *row, const char *why, bool later)
{
	row->dead_end = why;
	row->later = later;
	row->due = NULL;
}

static bool
may_follow(const struct track_row *row)
{
	return row->dead_end == NULL &&
	    track_row_now(row)->said->action == ACTION_TRANSFERRED;
}

/* The next hop of row into name; false where there is none to be asked. */
static bool
next_hop(struct track_row *row, char *name)
{
	const struct report_recipient *said = track_row_now(row)->said;

	if (row->count == TRACK_STEPS_MAX)
		end_row(row, "too many hops", false);
	else if (said->remote_mta[0] == '\0')
		end_row(row, "the next hop is not named", false);
	else if (clean_name(said->remote_mta, name) != 0)
		end_row(row, "the next hop has no good name", false);
	return row->dead_end == NULL;
}

/* Mark all rows that wait for s; a loop ends. */
static void
mark_due(struct look *l, const struct track_server *s)
{
	char name[RESOLVER_NAME_MAX + 1];

	for (size_t i = 0; i < l->t->count; i++) {
		struct track_row *row = &l->t->rows[i];

		row->due = NULL;
		if (!may_follow(row) || !next_hop(row, name) ||
		    strcasecmp(name, s->name) != 0)
			continue;
		if (came_through(row, s))
			end_row(row, "it went round in a circle", false);
		else
			row->due = s;
	}
}

/* Give the answer of s to the rows that wait for it. */
static int
apply(struct look *l, struct track_server *s)
{
	int taken = 0;

	mark_due(l, s);
	if (s->outcome == MTQP_ANSWERED)
		taken = track_take(l->t, s, l->f->envid);
	if (taken < 0)
		return -1;
	for (size_t i = 0; i < l->t->count; i++) {
		struct track_row *row = &l->t->rows[i];

		if (row->due != s)
			continue;
		if (track_row_now(row)->server == s)
			row->due = NULL;
		else if (s->outcome != MTQP_ANSWERED)
			end_row(row, s->problem.text, s->outcome == MTQP_LATER);
		else if (taken == 0)
			end_row(
			    row, "the answer is about another message", false);
		else
			end_row(
			    row, "its next hop does not speak of it", false);
	}
	return 0;
}

static int
follow_row(struct look *l, struct track_row *row)
{
	char name[RESOLVER_NAME_MAX + 1];
	struct track_server *s;

	if (!next_hop(row, name))
		return 0;
	s = find_server(l->t, name);
	if (s == NULL && l->t->server_count == TRACK_SERVERS_MAX) {
		end_row(row, "too many servers", false);
		return 0;
	}
	if (s == NULL && dial_clock() > l->deadline) {
		end_row(row, "no time was left to ask its next hop", true);
		return 0;
	}
	if (s == NULL)
		s = ask_server(l, name, false);
	return s == NULL ? -1 : apply(l, s);
}

static int
no_memory(struct problem *p)
{
	return problem_set(p, PROBLEM_SERVER, "no memory for the answer");
}

/* The first server: without its answer there is none. */
static int
ask_first(struct look *l, enum mtqp_outcome *outcome, struct problem *p)
{
	char name[RESOLVER_NAME_MAX + 1];
	struct track_server *s;
	int taken;

	*outcome = MTQP_NEVER;
	if (clean_name(l->f->uri->server, name) != 0)
		return problem_set(p, PROBLEM_USAGE, "that URI names no host");
	s = ask_server(l, name, true);
	if (s == NULL)
		return no_memory(p);
	*outcome = s->outcome;
	if (s->outcome != MTQP_ANSWERED)
		return problem_set(p, s->problem.exit, "%s", s->problem.text);
	taken = track_take(l->t, s, l->f->envid);
	if (taken < 0)
		return no_memory(p);
	if (taken > 0 && l->t->count > 0)
		return 0;
	*outcome = MTQP_NEVER;
	return problem_set(p, PROBLEM_SERVER,
	    "the answer of the tracking server %s is not about this message",
	    s->name);
}

int
track_follow(struct track_follow *f, struct track *t,
    enum mtqp_outcome *outcome, struct problem *p)
{
	struct look l = { .f = f,
		.t = t,
		.deadline = dial_clock() +
		    (int64_t)f->options->timeout * 1000 * LOOK_TIMEOUTS };

	if (ask_first(&l, outcome, p) != 0)
		return -1;
	for (size_t i = 0; i < t->count && !f->options->no_follow;) {
		if (!may_follow(&t->rows[i]))
			i++;
		else if (follow_row(&l, &t->rows[i]) != 0)
			return no_memory(p);
	}
	return 0;
}
