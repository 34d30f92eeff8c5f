/*
 * EVENTS: what the MSA's log says of messages by its queue ids, item by item
 * in their order, and one message of the feed at a time, so that each item
 * finds what those before it changed.
 */
#include <stdlib.h>
#include <string.h>

#include "secrets/events.h"
#include "secrets/queue_ids.h"

enum { FEED_JOBS_MAX = 64, ROOM_AGAIN = 256 };

/* What an item waits for. */
enum feed_state { STATE_NEXT, STATE_SEARCH, STATE_SEARCH_OTHER };

struct feed_job {
	struct job job; /* first */
	TAILQ_ENTRY(feed_job) next;
	struct slow slow;
	enum feed_state state;
	struct octets msa;
	struct wire_in items; /* those to come */
	uint16_t total, count;
	uint8_t results[FEED_ITEMS_MAX];
	bool written;
	struct feed_item item;
	uint8_t hash[SEAL_HASH_LEN]; /* of the id that was searched last */
	bool searched;
	struct queue_search search;
	struct queue_pendings pendings;
	struct queue_window
	    *found;		  /* of the search: what the item's id means */
	struct envid_parts parts; /* the message that the item is about */
	struct envid_parts counted; /* the message whose events were */
	size_t events, room_at;
	uint64_t lost;	    /* of the group, when it began */
	struct events full; /* being read, to make room */
};

static void feed_begin(struct vault *);

static void
feed_answer(struct feed_job *f, enum store_status status)
{
	struct vault *v = f->job.vault;
	struct wire_out body = { 0 };

	/* It puts over several turns: one of their commits may have failed. */
	if (f->lost != v->group.lost)
		status = STORE_FAILED;
	wire_begin(&body);
	wire_put_u16(&body, f->count);
	for (uint16_t i = 0; i < f->count; i++)
		wire_put_u8(&body,
		    status != STORE_OK && f->results[i] == FEED_STORED
			? FEED_UNAVAILABLE
			: f->results[i]);
	TAILQ_REMOVE(&v->feeds, f, next);
	v->feed_count--;
	free(f->pendings.list);
	job_answer(&f->job, MSG_EVENTS_ARE, &body);
	wire_free(&body);
	feed_begin(v);
}

static void
feed_durable(struct group_waiter *w, enum store_status status)
{
	feed_answer((struct feed_job *)(void *)w, status);
}

static void
feed_end(struct feed_job *f)
{
	slow_end(&f->slow);
	if (!f->written) {
		feed_answer(f, STORE_OK);
		return;
	}
	f->job.waiter.done = feed_durable;
	group_wait(&f->job.vault->group, &f->job.waiter);
}

static void
item_end(struct feed_job *f, enum feed_result result)
{
	f->results[f->count++] = (uint8_t)result;
	f->state = STATE_NEXT;
	if (result == FEED_STORED && f->item.kind == FEED_STATUS)
		f->job.vault->events++;
}

static struct events_of
events_here(const struct feed_job *f)
{
	return (struct events_of){ f->job.vault, f->job.account, f->parts };
}

/* The log speaks of the message under this id: who claims it later waits. */
static int
tell(struct feed_job *f)
{
	if (f->found->told)
		return 0;
	f->found->told = true;
	f->written = true;
	return queue_window_put(f->job.vault, &f->pendings, f->hash, f->found);
}

static void
status_put(struct feed_job *f)
{
	struct events_of of = events_here(f);

	if (f->events >= EVENTS_MAX_HARD) {
		item_end(f, FEED_FULL);
		return;
	}
	if (tell(f) == -1 || events_put(&of, &f->item.event) == -1) {
		item_end(f, FEED_UNAVAILABLE);
		return;
	}
	f->written = true;
	f->events++;
	item_end(f, FEED_STORED);
}

static void
status_room(void *arg, struct events *es, enum store_status status)
{
	struct feed_job *f = arg;

	f->slow.waiting = false;
	if (status != STORE_OK) {
		events_free(es);
		item_end(f, FEED_UNAVAILABLE);
		return;
	}
	f->events = events_make_room(es);
	f->written |= f->events < es->count;
	events_free(es);
	f->room_at = f->events + ROOM_AGAIN;
	if (f->room_at < EVENTS_MAX)
		f->room_at = EVENTS_MAX;
	status_put(f);
}

static void
status_counted(void *arg, enum store_status status, size_t count)
{
	struct feed_job *f = arg;
	struct events_of of = events_here(f);

	f->slow.waiting = false;
	if (status != STORE_OK) {
		item_end(f, FEED_UNAVAILABLE);
		return;
	}
	f->counted = f->parts;
	f->events = count;
	if (count < f->room_at) {
		status_put(f);
		return;
	}
	f->slow.waiting = true;
	f->full = (struct events){ .done = status_room, .arg = f };
	events_read(&f->full, &of);
}

static void
status_account(void *arg, struct account *account, enum store_status status)
{
	struct feed_job *f = arg;
	struct events_of of;

	f->slow.waiting = false;
	f->job.account = account;
	if (account == NULL) {
		item_end(f,
		    status == STORE_NOT_FOUND ? FEED_UNKNOWN
					      : FEED_UNAVAILABLE);
		return;
	}
	if (record_is_same(&f->counted, &f->parts) && f->events < f->room_at) {
		status_put(f);
		return;
	}
	f->room_at = EVENTS_MAX;
	of = events_here(f);
	f->slow.waiting = true;
	events_count(&of, status_counted, f);
}

static void
item_status(struct feed_job *f)
{
	struct vault *v = f->job.vault;
	struct accounts_want want = { NULL, false, status_account, f };

	/* Events name recipients: they are remembered together or not. */
	if (!v->remember_recipients) {
		item_end(f, FEED_STORED);
		return;
	}
	if (f->job.account != NULL &&
	    f->job.account->number == f->parts.account) {
		status_account(f, f->job.account, STORE_OK);
		return;
	}
	accounts_release(f->job.account);
	f->job.account = NULL;
	f->slow.waiting = true;
	accounts_want_number(&v->accounts, f->parts.account, &want);
}

static void
window_put(struct feed_job *f, const struct queue_window *w)
{
	f->searched = false;
	if (queue_window_put(f->job.vault, &f->pendings, f->hash, w) == -1) {
		item_end(f, FEED_UNAVAILABLE);
		return;
	}
	f->written = true;
	item_end(f, FEED_STORED);
}

static void
item_end_of_id(struct feed_job *f, const struct queue_window *w)
{
	struct queue_window ended = *w;

	ended.until = f->item.time > w->since ? f->item.time : w->since;
	if (w->until != 0)
		item_end(f, FEED_STORED);
	else
		window_put(f, &ended);
}

static void
search_start(struct feed_job *f, struct octets queue_id, enum feed_state state)
{
	uint8_t hash[SEAL_HASH_LEN];
	bool known;

	if (queue_id_hash(f->job.vault, f->msa, queue_id, hash) == -1) {
		item_end(f, FEED_UNAVAILABLE);
		return;
	}
	known = f->searched && memcmp(hash, f->hash, sizeof(hash)) == 0;
	memcpy(f->hash, hash, sizeof(hash));
	f->state = state;
	if (known)
		return;
	f->searched = true;
	queue_search_start(&f->search, &f->slow, &f->pendings, hash);
}

/* The message of the first id is known, and what the other id means. */
static void
item_join(struct feed_job *f)
{
	/* The MSA says so itself: what was claimed before counts for less. */
	struct queue_window w = { .parts = f->parts,
		.since = f->item.time,
		.claimed = f->item.time };

	for (size_t i = 0; i < f->search.count; i++)
		if (f->search.windows[i].told &&
		    record_is_same(&f->search.windows[i].parts, &f->parts)) {
			item_end(f, FEED_STORED);
			return;
		}
	window_put(f, &w);
}

/* What the id means is known. */
static void
item_found(struct feed_job *f)
{
	struct queue_window *w = queue_search_at(&f->search, f->item.time);
	struct vault *v = f->job.vault;

	if (w == NULL || w->parts.time + v->retention < vault_now(v)) {
		item_end(f, f->search.failed ? FEED_UNAVAILABLE : FEED_UNKNOWN);
		return;
	}
	f->found = w;
	f->parts = w->parts;
	switch ((enum feed_kind)f->item.kind) {
	case FEED_STATUS:
		item_status(f);
		break;
	case FEED_JOIN:
		search_start(f, f->item.other_id, STATE_SEARCH_OTHER);
		break;
	case FEED_END:
		item_end_of_id(f, w);
		break;
	}
}

static void
item_begin(struct feed_job *f)
{
	if (f->count == f->total) {
		feed_end(f);
		return;
	}
	feed_item_get(&f->items, &f->item);
	if (vault_is_writable(f->job.vault))
		search_start(f, f->item.queue_id, STATE_SEARCH);
	else
		item_end(f, FEED_UNAVAILABLE);
}

static void
feed_step(struct slow *slow)
{
	struct feed_job *f = (struct feed_job *)(void *)((char *)slow -
	    offsetof(struct feed_job, slow));

	if (f->state == STATE_NEXT) {
		item_begin(f);
		return;
	}
	if (!f->search.finished)
		queue_search_step(&f->search);
	if (!f->search.finished || slow->waiting)
		return;
	if (f->search.failed)
		f->searched = false;
	if (f->state == STATE_SEARCH)
		item_found(f);
	else if (f->search.failed)
		item_end(f, FEED_UNAVAILABLE);
	else
		item_join(f);
}

/* The oldest goes on, unless it waits for its group already. */
static void
feed_begin(struct vault *v)
{
	struct feed_job *f = TAILQ_FIRST(&v->feeds);

	if (f == NULL)
		return;
	f->lost = v->group.lost;
	slow_start(v, &f->slow, feed_step);
}

/* Read to its end, to see that all of it is well. */
static int
feed_check(struct feed_job *f)
{
	struct feed_item item;
	struct wire_in in;

	job_read(&f->job, &in);
	f->msa = wire_get_octets(&in, MSA_NAME_MAX);
	f->total = wire_get_u16(&in);
	f->items = in;
	if (f->total > FEED_ITEMS_MAX)
		return -1;
	for (uint16_t i = 0; i < f->total; i++)
		feed_item_get(&in, &item);
	return wire_end(&in);
}

static void
feed_refuse(struct feed_job *f)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u16(&body, f->total);
	for (uint16_t i = 0; i < f->total; i++)
		wire_put_u8(&body, FEED_UNAVAILABLE);
	job_answer(&f->job, MSG_EVENTS_ARE, &body);
	wire_free(&body);
}

int
vault_feed(struct vault *v, struct question from, struct wire_in *body)
{
	struct feed_job *f = job_start(v, from, sizeof(*f), body);

	if (f == NULL)
		return -1;
	if (feed_check(f) == -1) {
		job_end(&f->job);
		return -1;
	}
	if (v->feed_count >= FEED_JOBS_MAX || !claims_ready(v)) {
		feed_refuse(f);
		return 0;
	}
	TAILQ_INSERT_TAIL(&v->feeds, f, next);
	if (v->feed_count++ == 0)
		feed_begin(v);
	return 0;
}
