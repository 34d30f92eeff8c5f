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
	struct session *session;
	uint64_t since;
	struct minted minted;
	TAILQ_ENTRY(ahead) next;
};

static TAILQ_HEAD(ahead_list, ahead) aheads = TAILQ_HEAD_INITIALIZER(aheads);
static struct event *timer; /* goes off when the oldest is no longer fresh */

static uint64_t
ahead_age(const struct ahead *a)
{
	return clock_ms() - a->since;
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
	(void)arg;
	while ((a = TAILQ_FIRST(&aheads)) != NULL &&
	    ahead_age(a) >= AHEAD_FRESH_MS)
		ahead_forget(a->session);
	ahead_arm();
}

static void
ahead_free(struct session *s)
{
	TAILQ_REMOVE(&aheads, s->ahead, next);
	free(s->ahead);
	s->ahead = NULL;
}

bool
ahead_is_wanted(const struct session *s)
{
	return s->sent_before && s->ahead == NULL && s->client != NULL &&
	    !s->w->draining;
}

bool
ahead_keep(struct session *s, const struct minted *minted)
{
	if (s->client == NULL)
		return false;
	if (timer == NULL)
		timer = evtimer_new(s->w->base, ahead_on_timer, NULL);
	s->ahead = malloc(sizeof(*s->ahead));
	if (s->ahead == NULL || timer == NULL)
		fatal("out of memory");
	*s->ahead = (struct ahead){
		.session = s, .since = clock_ms(), .minted = *minted
	};
	TAILQ_INSERT_TAIL(&aheads, s->ahead, next);
	ahead_arm();
	return true;
}

void
ahead_take(struct session *s)
{
	if (s->ahead == NULL)
		return;
	if (ahead_age(s->ahead) >= AHEAD_FRESH_MS) {
		ahead_forget(s);
		return;
	}
	s->mail->mint = MINT_DONE;
	s->mail->minted = s->ahead->minted;
	ahead_free(s);
}

void
ahead_forget(struct session *s)
{
	if (s->ahead == NULL)
		return;
	keeper_forget_ahead(&s->w->keeper, &s->ticket, s->ahead->minted.handle);
	ahead_free(s);
}

void
ahead_end(void)
{
	if (timer != NULL)
		event_free(timer);
	timer = NULL;
}
