/*
 * How a process that serves clients leaves; see drain.h.
 */
#include "common/drain.h"

#include <event2/event.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stream.h"

enum {
	TICK_MS = 50,
	LINGER_MS = 2000 /* for farewells and answers not yet read */
};

static struct drain_state {
	const struct drain_owner *owner;
	struct event *timer;
	uint64_t end;	      /* clock_ms() when the time is over */
	uint64_t empty_since; /* 0: there are sessions */
	bool begun;
	bool over;
} drain;

static bool
is_empty(uint64_t now)
{
	if (drain.owner->sessions() > 0)
		drain.empty_since = 0;
	else if (drain.empty_since == 0)
		drain.empty_since = now;
	return drain.empty_since != 0 &&
	    (!stream_any_lingers() || now >= drain.empty_since + LINGER_MS);
}

static bool
is_held(uint64_t now)
{
	return drain.owner->holds != NULL &&
	    drain.owner->holds(now > drain.end ? now - drain.end : 0);
}

static void
on_tick(evutil_socket_t fd, short what, void *arg)
{
	const struct timeval tv = { 0, TICK_MS * 1000 };
	uint64_t now = clock_ms();

	(void)fd;
	(void)what;
	(void)arg;
	drain.owner->tick(now >= drain.end);
	if (is_empty(now) && !is_held(now))
		drain.over = true;
	else
		evtimer_add(drain.timer, &tv);
}

void
drain_open(struct event_base *base, const struct drain_owner *owner)
{
	drain = (struct drain_state){ .owner = owner };
	drain.timer = evtimer_new(base, on_tick, NULL);
	if (drain.timer == NULL)
		fatal("out of memory");
}

void
drain_begin(uint64_t ms)
{
	uint64_t now = clock_ms();

	if (!drain.begun)
		log_info("drain", "%zu sessions have %llu ms",
		    drain.owner->sessions(), (unsigned long long)ms);
	drain.begun = true;
	drain.end = ms > UINT64_MAX - now ? UINT64_MAX : now + ms;
	on_tick(-1, 0, NULL);
}

bool
drain_is_over(void)
{
	return drain.over;
}

void
drain_close(void)
{
	event_free(drain.timer);
	drain.timer = NULL;
}
