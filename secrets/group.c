/*
 * Group commit: one batch and one sync for all who wait.
 */
#include "secrets/group.h"

#include <stdlib.h>
#include <string.h>

/* A batch under way. */
struct commit {
	struct group *group;
	struct group_waiters waiters;
};

void
group_start(struct group *g, struct store *store)
{
	memset(g, 0, sizeof(*g));
	g->store = store;
	STAILQ_INIT(&g->waiters);
}

static bool
batch_ready(struct group *g)
{
	if (g->batch == NULL)
		g->batch = store_batch_new(g->store);
	if (g->batch == NULL)
		g->failed = true;
	return g->batch != NULL;
}

void
group_put(
    struct group *g, uint32_t family, struct octets key, struct octets value)
{
	if (batch_ready(g))
		store_batch_put(g->batch, family, key, value);
}

void
group_delete(struct group *g, uint32_t family, struct octets key)
{
	if (batch_ready(g))
		store_batch_delete(g->batch, family, key);
}

void
group_wait(struct group *g, struct group_waiter *w)
{
	STAILQ_INSERT_TAIL(&g->waiters, w, next);
	g->waiting++;
}

bool
group_is_wanted(const struct group *g)
{
	return g->waiting != 0;
}

static void
tell(struct group_waiters *waiters, enum store_status status)
{
	struct group_waiter *w;

	while ((w = STAILQ_FIRST(waiters)) != NULL) {
		STAILQ_REMOVE_HEAD(waiters, next);
		w->done(w, status);
	}
}

static void
committed(void *arg, enum store_status status)
{
	struct commit *c = arg;

	if (status == STORE_OK)
		c->group->batches++;
	else
		c->group->lost++;
	tell(&c->waiters, status);
	free(c);
}

static void
give_up(struct group *g)
{
	struct group_waiters waiters = STAILQ_HEAD_INITIALIZER(waiters);

	STAILQ_CONCAT(&waiters, &g->waiters);
	store_batch_free(g->batch);
	g->batch = NULL;
	g->failed = false;
	g->waiting = 0;
	g->lost++;
	tell(&waiters, STORE_FAILED);
}

void
group_commit(struct group *g, bool flush)
{
	struct store_batch *batch = g->batch;
	struct commit *c;

	if (g->waiting == 0 && (!flush || batch == NULL))
		return;
	c = calloc(1, sizeof(*c));
	if (c == NULL || g->failed || !batch_ready(g)) {
		free(c);
		give_up(g);
		return;
	}
	batch = g->batch;
	c->group = g;
	STAILQ_INIT(&c->waiters);
	STAILQ_CONCAT(&c->waiters, &g->waiters);
	if (g->waiting > g->largest)
		g->largest = g->waiting;
	g->batch = NULL;
	g->waiting = 0;
	store_submit(g->store, batch, committed, c);
}
