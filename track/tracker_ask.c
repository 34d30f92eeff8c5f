/*
 * What the tracking server asks of the keeper, and when its answers leave:
 * what was found at once, refusals on a grid of time (RFC 3887 4, 11).
 */
#include "track/tracker.h"

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/stream.h"
#include "common/tracking_messages.h"
#include "conf/conf.h"
#include "track/tracker_grid.h"

static void
log_track(const struct tracker_session *s, const char *result)
{
	SSL *ssl = stream_ssl(s->client);
	struct log_line l;

	log_begin(&l, LOG_IS_INFO, "track");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_text(&l, "result", result);
	/* Whoever does not know A may have mistyped it as the ENVID. */
	if (strcmp(result, "found") == 0)
		log_text(&l, "envid", s->mtqp.envid);
	log_text(&l, "tls", ssl == NULL ? "none" : SSL_get_version(ssl));
	log_end(&l);
}

/*
 * An alarm at a point of time, not after a while: how long the work took
 * must not show in the fraction of a millisecond that is left.
 */
static void
set_tick(struct tracker *t, uint64_t due)
{
	struct itimerspec at = { .it_value = { .tv_sec = (time_t)(due / 1000),
				     .tv_nsec =
					 (long)(due % 1000) * 1000000 } };

	t->tick_due = due;
	if (timerfd_settime(t->tick_fd, TFD_TIMER_ABSTIME, &at, NULL) == -1)
		fatal("the clock of refusals cannot be set");
}

static void
refuse_later(struct tracker_session *s, enum mtqp_refusal refusal)
{
	struct tracker *t = s->t;

	s->refusal = refusal;
	s->due = tracker_grid_due(s->asked, clock_ms());
	if (t->tick_due == 0 || s->due < t->tick_due)
		set_tick(t, s->due);
}

static void
refuse_now(struct tracker_session *s)
{
	bool noinfo = s->refusal == MTQP_NOINFO;

	tracker_ask_cancel(s);
	s->t->refused += noinfo;
	s->t->unavailable += !noinfo;
	s->unavailable += !noinfo;
	log_track(s, noinfo ? "noinfo" : "unavailable");
	mtqp_session_refuse(&s->mtqp, s->refusal);
	tracker_session_go_on(s);
}

/* In the order they were asked: that of the answers would tell something. */
static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct tracker *t = arg;
	struct tracker_session *s, *next;
	uint64_t now = clock_ms(), due = 0, times;

	(void)what;
	if (read(fd, &times, sizeof(times)) == -1)
		return;
	t->tick_due = 0;
	for (s = TAILQ_FIRST(&t->waiting); s != NULL; s = next) {
		next = TAILQ_NEXT(s, waiting);
		if (s->due != 0 && s->due <= now)
			refuse_now(s);
		else if (s->due != 0 && (due == 0 || s->due < due))
			due = s->due;
	}
	if (due != 0 && (t->tick_due == 0 || due < t->tick_due))
		set_tick(t, due);
}

static void
answer_found(struct tracker_session *s, const struct buffer *report)
{
	tracker_ask_cancel(s);
	s->t->found++;
	s->found++;
	log_track(s, "found");
	mtqp_session_found(&s->mtqp, buffer_at(report), buffer_len(report));
	tracker_session_go_on(s);
}

static void
on_status(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct tracker *t = arg;
	struct tracker_session *s = tracker_session_find(t, who);
	enum tracker_result result = TRACKER_UNAVAILABLE;
	struct buffer report = { 0 };

	if (s == NULL || s->mtqp.effect != MTQP_LOOK_UP || s->due != 0)
		return;
	if (type != 0)
		result = type == MSG_STATUS_IS
		    ? tracker_answer(t, body, &report)
		    : TRACKER_MALFORMED;
	if (result == TRACKER_MALFORMED) {
		log_error("keeper_malformed",
		    "the keeper's answer (type %u) is malformed", type);
		link_reset(t->keeper);
	}
	if (result == TRACKER_FOUND)
		answer_found(s, &report);
	else
		refuse_later(
		    s, result == TRACKER_NOINFO ? MTQP_NOINFO : MTQP_TEMPORARY);
	buffer_free(&report);
}

void
tracker_ask(struct tracker_session *s)
{
	struct status_query query = { .envid = { (const uint8_t *)s->mtqp.envid,
					  strlen(s->mtqp.envid) } };
	struct tracker *t = s->t;
	struct wire_out body = { 0 };

	s->asked = clock_ms();
	s->due = 0;
	TAILQ_INSERT_TAIL(&t->waiting, s, waiting);
	memcpy(query.certifier, s->mtqp.certifier, sizeof(query.certifier));
	wire_begin(&body);
	status_query_put(&body, &query);
	if (link_ask(t->keeper, MSG_STATUS, &body,
		(unsigned)t->conf->track.keeper_timeout, on_status, s->id) == 0)
		refuse_later(s, MTQP_TEMPORARY);
	wire_free(&body);
}

void
tracker_ask_cancel(struct tracker_session *s)
{
	TAILQ_REMOVE(&s->t->waiting, s, waiting);
}

void
tracker_ask_open(struct tracker *t)
{
	char path[256];

	TAILQ_INIT(&t->waiting);
	snprintf(path, sizeof(path), "%s/%s", t->conf->run_dir,
	    DOOR_KEEPER_TRACK_PATH);
	t->keeper = link_new(t->base, path, t);
	t->tick_fd =
	    timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t->keeper == NULL || t->tick_fd == -1)
		fatal("no memory or descriptor for the keeper's door");
	t->tick =
	    event_new(t->base, t->tick_fd, EV_READ | EV_PERSIST, on_tick, t);
	if (t->tick == NULL || event_add(t->tick, NULL) == -1)
		fatal("out of memory");
}

void
tracker_ask_close(struct tracker *t)
{
	link_free(t->keeper);
	event_free(t->tick);
	close(t->tick_fd);
}
