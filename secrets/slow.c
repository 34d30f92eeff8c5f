/*
 * Listings, searches and feeds go in slices of a millisecond, in turn, after
 * what else a turn of the keeper had to do: mints never wait for them.
 */
#include <time.h>

#include "secrets/vault_inside.h"

#define SLICE_NS 1000000

static int64_t
nanoseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

void
slow_start(struct vault *v, struct slow *s, void (*step)(struct slow *))
{
	s->vault = v;
	s->step = step;
	s->waiting = false;
	TAILQ_INSERT_TAIL(&v->slow, s, next);
	v->slow_count++;
}

void
slow_end(struct slow *s)
{
	TAILQ_REMOVE(&s->vault->slow, s, next);
	s->vault->slow_count--;
}

static struct slow *
first_ready(struct vault *v)
{
	struct slow *s;

	TAILQ_FOREACH(s, &v->slow, next)
		if (!s->waiting)
			return s;
	return NULL;
}

bool
slow_run(struct vault *v)
{
	int64_t end;
	struct slow *s;

	if (TAILQ_EMPTY(&v->slow))
		return false;
	end = nanoseconds() + SLICE_NS;
	while ((s = first_ready(v)) != NULL && nanoseconds() < end) {
		/* to the end of the queue before it may end itself */
		TAILQ_REMOVE(&v->slow, s, next);
		TAILQ_INSERT_TAIL(&v->slow, s, next);
		s->step(s);
	}
	return first_ready(v) != NULL;
}
