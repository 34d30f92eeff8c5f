/*
 * waybill track: what became of a message, once or until it is settled
 * (RFC 3888 4, RFC 3887).
 */
#include "token/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "token/track_follow.h"
#include "token/track_show.h"
#include "token/track_source.h"

enum { INTERVAL_FIRST = 5, INTERVAL_MOST = 300, DNS_TIMEOUT = 20 };

/* A watch over one message. */
struct watch {
	struct command_run *run;
	struct track_follow follow;
	char envid[ENVID_MAX + 1];
	char *shown; /* the JSON of the last look */
	unsigned long interval;
	size_t settled; /* of the recipients, at the last look */
	size_t recipients;
	bool over;
};

/* Its JSON, in memory to be freed; NULL without memory. */
static char *
render(const struct track *t, const char *envid)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	track_show_json(out, t, envid);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static void
show(const struct watch *w, const struct track *t, const char *json)
{
	if (!w->run->options->json && w->shown != NULL)
		putchar('\n');
	if (w->run->options->json)
		fputs(json, stdout);
	else if (w->over)
		track_show_text(stdout, t, w->envid);
	else
		track_show_rows(stdout, t);
	fflush(stdout);
}

static void
clear_progress(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\x1b[K", stderr);
}

static void
note_progress(struct watch *w, const struct track *t)
{
	w->settled = 0;
	w->recipients = t->count;
	for (size_t i = 0; i < t->count; i++)
		w->settled += !track_row_is_open(&t->rows[i]);
}

static void
show_progress(const struct watch *w, unsigned long seconds)
{
	clear_progress();
	fprintf(stderr, "%zu of %zu settled, ", w->settled, w->recipients);
	if (seconds > 0)
		fprintf(stderr, "looking again in %lu s ", seconds);
	else
		fputs("looking ... ", stderr);
}

/* Show what is new, or at the end all of it. */
static int
take_look(struct watch *w, const struct track *t)
{
	const struct options *o = w->run->options;
	char *json = render(t, w->envid);
	bool changed;

	if (json == NULL)
		return problem_set(w->run->problem, PROBLEM_SERVER,
		    "no memory for the answer");
	w->run->status = (int)track_state(t);
	w->over = !o->watch || !track_is_open(t);
	changed = w->shown == NULL || strcmp(w->shown, json) != 0;
	if (changed || (w->over && !o->json))
		show(w, t, json);
	if (changed && o->interval == 0)
		w->interval = INTERVAL_FIRST;
	free(w->shown);
	w->shown = json;
	note_progress(w, t);
	return 0;
}

/* Of a server that answered before, silence is worth a word and patience. */
static int
take_failure(
    struct watch *w, enum mtqp_outcome outcome, const struct problem *why)
{
	if (w->run->own && (outcome == MTQP_LATER || outcome == MTQP_NO_INFO) &&
	    w->shown == NULL)
		return problem_set(w->run->problem, why->exit,
		    "%s\nwaybill: what your submission server knows, "
		    "\"waybill show %s\" tells",
		    why->text, w->envid);
	if (w->shown == NULL || outcome != MTQP_LATER)
		return problem_set(w->run->problem, why->exit, "%s", why->text);
	fprintf(stderr, "waybill: %s; asking again in %lu s\n", why->text,
	    w->interval);
	return 0;
}

static int
look(struct watch *w)
{
	struct track t = { 0 };
	struct problem problem = { 0 };
	enum mtqp_outcome outcome;
	int rc = track_follow(&w->follow, &t, &outcome, &problem);

	clear_progress();
	if (w->run->options->interval != 0)
		w->interval = w->run->options->interval;
	if (rc == 0)
		rc = take_look(w, &t);
	else
		rc = take_failure(w, outcome, &problem);
	track_free(&t);
	return rc;
}

static void
rest(struct watch *w)
{
	const struct timespec second = { .tv_sec = 1 };
	bool terminal = isatty(STDERR_FILENO);

	for (unsigned long left = w->interval; left > 0; left--) {
		if (terminal)
			show_progress(w, left);
		nanosleep(&second, NULL);
	}
	if (terminal)
		show_progress(w, 0);
	w->interval += w->interval / 2;
	if (w->interval > INTERVAL_MOST)
		w->interval = INTERVAL_MOST;
}

static int
watch(struct command_run *run, const struct mtqp_uri *uri)
{
	struct watch w = { .run = run, .interval = INTERVAL_FIRST };
	const struct options *o = run->options;
	unsigned long dns = o->timeout < DNS_TIMEOUT ? o->timeout : DNS_TIMEOUT;
	const char *error = "";
	int rc;

	memcpy(w.envid, uri->envid.data, uri->envid.len);
	w.follow = (struct track_follow){ .options = o,
		.resolver = resolver_new(o->resolver, (int)dns * 1000, &error),
		.uri = uri,
		.envid = w.envid };
	if (w.follow.resolver == NULL)
		return problem_set(run->problem, PROBLEM_USAGE,
		    "cannot ask the name server %s: %s",
		    o->resolver != NULL ? o->resolver : "of this machine",
		    error);
	while ((rc = look(&w)) == 0 && !w.over)
		rest(&w);
	resolver_free(w.follow.resolver);
	free(w.shown);
	return rc;
}

int
command_track(struct command_run *run)
{
	struct mtqp_uri_parsed from = { 0 };
	int rc = track_source_find(run, &from);

	if (rc == 0)
		rc = watch(run, &from.uri);
	mtqp_uri_wipe(&from);
	return rc;
}
