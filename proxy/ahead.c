/*
 * A mint for the next message; see ahead.h. The keeper takes an ENVID that was
 * given some seconds ago for its message (RFC 3885 3.2 wants it unique, no
 * more), and counts it as unfinished until it is used or forgotten.
 */
#include "proxy/ahead.h"

#include <stdlib.h>
#include <sys/queue.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "proxy/keeper.h"
#include "proxy/session.h"
#include "proxy/worker.h"

enum { AHEAD_FRESH_MS = 5000 };

struct ahead {
	struct worker *w;
	uint64_t who; /* the session's id */
	bool here;    /* minted is good */
	bool wanted;  /* a transaction waits for it */
	uint64_t asked;
	struct minted minted;
	struct ticket ticket; /* of an orphan */
	TAILQ_ENTRY(ahead) next;
};

TAILQ_HEAD(ahead_list, ahead);

/* What no transaction wants yet; what none wants any more, but still comes. */
static struct ahead_list aheads = TAILQ_HEAD_INITIALIZER(aheads);
static struct ahead_list orphans = TAILQ_HEAD_INITIALIZER(orphans);
static struct event *timer; /* goes off when the oldest is no longer fresh */

static uint64_t
ahead_age(const struct ahead *a)
{
	return clock_ms() - a->asked;
}

static void
ahead_arm(void)
{
	const struct ahead *oldest = TAILQ_FIRST(&aheads);
	struct timeval tv = { 0, 0 };
	uint64_t age;

	if (oldest == NULL || evtimer_pending(timer, NULL))
		return;
	age = ahead_age(oldest);
	if (age < AHEAD_FRESH_MS) {
		tv.tv_sec = (time_t)((AHEAD_FRESH_MS - age) / 1000);
		tv.tv_usec =
		    (suseconds_t)((AHEAD_FRESH_MS - age) % 1000) * 1000;
	}
	evtimer_add(timer, &tv);
}

static void
ahead_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct ahead *a;

	(void)fd;
	(void)what;
	while ((a = TAILQ_FIRST(&aheads)) != NULL &&
	    ahead_age(a) >= AHEAD_FRESH_MS)
		ahead_forget(session_find(arg, a->who));
	ahead_arm();
}

/* Out of its list: what a transaction waits for has the mint's own clock. */
static void
ahead_unlist(struct ahead *a)
{
	if (!a->wanted)
		TAILQ_REMOVE(&aheads, a, next);
}

static void
ahead_free(struct session *s)
{
	ahead_unlist(s->ahead);
	free(s->ahead);
	s->ahead = NULL;
}

void
ahead_ask(struct session *s)
{
	struct mint mint = { .ticket = s->ticket, .ahead = 1 };
	bool first = !s->sent_before;

	s->sent_before = true;
	if (first || s->ahead != NULL || s->client == NULL || s->w->draining)
		return;
	if (timer == NULL)
		timer = evtimer_new(s->w->base, ahead_on_timer, s->w);
	s->ahead = calloc(1, sizeof(*s->ahead));
	if (s->ahead == NULL || timer == NULL)
		fatal("out of memory");
	s->ahead->w = s->w;
	s->ahead->who = s->id;
	s->ahead->asked = clock_ms();
	TAILQ_INSERT_TAIL(&aheads, s->ahead, next);
	if (keeper_mint_ahead(&s->w->keeper, &mint, s->id))
		ahead_arm();
	else
		ahead_free(s);
}

void
ahead_take(struct session *s)
{
	struct ahead *a = s->ahead;

	if (a == NULL)
		return;
	if (ahead_age(a) >= AHEAD_FRESH_MS) {
		ahead_forget(s);
	} else if (a->here) {
		s->mail->mint = MINT_DONE;
		s->mail->minted = a->minted;
		ahead_free(s);
	} else {
		ahead_unlist(a);
		a->wanted = true;
		s->mail->mint = MINT_ASKED;
	}
}

void
ahead_forget(struct session *s)
{
	struct ahead *a = s->ahead;

	if (a == NULL)
		return;
	if (a->here) {
		keeper_forget_ahead(
		    &s->w->keeper, &s->ticket, a->minted.handle);
		ahead_free(s);
		return;
	}
	ahead_unlist(a);
	s->ahead = NULL;
	a->ticket = s->ticket;
	TAILQ_INSERT_TAIL(&orphans, a, next);
}

void
ahead_end(void)
{
	struct ahead *a;

	while ((a = TAILQ_FIRST(&orphans)) != NULL) {
		TAILQ_REMOVE(&orphans, a, next);
		free(a);
	}
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
}

/* Returns false where the answer is for the session itself. */
static bool
ahead_is_orphan(uint64_t who, const struct minted *minted)
{
	struct ahead *a;

	TAILQ_FOREACH(a, &orphans, next) {
		if (a->who == who)
			break;
	}
	if (a == NULL)
		return false;
	if (minted->status == KEEPER_OK)
		keeper_forget_ahead(&a->w->keeper, &a->ticket, minted->handle);
	TAILQ_REMOVE(&orphans, a, next);
	free(a);
	return true;
}

/* A transaction waited for it; it is not to suffer for having been early. */
static void
ahead_tell(struct session *s, const struct minted *minted)
{
	struct mint mint = { .ticket = s->ticket };

	if (minted->status == KEEPER_OK ||
	    !keeper_mint(&s->w->keeper, &mint, s->id))
		tracking_answers.minted(s->w, s->id, minted);
}

void
ahead_on_minted(void *arg, uint64_t who, const struct minted *minted)
{
	struct session *s = session_find(arg, who);
	struct ahead *a = s == NULL ? NULL : s->ahead;

	if (ahead_is_orphan(who, minted) || a == NULL)
		return;
	if (a->wanted) {
		ahead_free(s);
		ahead_tell(s, minted);
	} else if (minted->status == KEEPER_OK) {
		a->here = true;
		a->minted = *minted;
	} else {
		ahead_free(s); /* MAIL asks, and says what is wrong */
	}
}
