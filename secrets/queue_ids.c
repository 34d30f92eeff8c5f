/*
 * Which message an MSA's queue id means at a time.
 */
#include "secrets/queue_ids.h"

#include <stdlib.h>
#include <string.h>

#define NEAR_MS	  2000u /* a log's second, and a clock a little behind */
#define VALUE_LEN 16

int
queue_id_hash(const struct vault *v, struct octets msa, struct octets queue_id,
    uint8_t hash[SEAL_HASH_LEN])
{
	uint8_t both[MSA_NAME_MAX + 1 + QUEUE_ID_MAX];

	if (msa.len > MSA_NAME_MAX || queue_id.len > QUEUE_ID_MAX)
		return -1;
	if (msa.len != 0)
		memcpy(both, msa.data, msa.len);
	both[msa.len] = '\0';
	memcpy(both + msa.len + 1, queue_id.data, queue_id.len);
	return seal_hash(v->index_key, "queue id",
	    (struct octets){ both, msa.len + 1 + queue_id.len }, hash);
}

void
queue_search_start(struct queue_search *q, struct slow *slow,
    const struct queue_pendings *pendings, const uint8_t hash[SEAL_HASH_LEN])
{
	q->vault = slow->vault;
	q->slow = slow;
	q->pendings = pendings;
	q->prefix[0] = RECORD_BY_QUEUE_ID;
	memcpy(q->prefix + 1, hash, SEAL_HASH_LEN);
	q->day = UINT32_MAX;
	q->finished = q->failed = false;
	q->count = 0;
}

static struct queue_window *
window_of(struct queue_search *q, const struct envid_parts *parts)
{
	for (size_t i = 0; i < q->count; i++)
		if (record_is_same(&q->windows[i].parts, parts))
			return &q->windows[i];
	return NULL;
}

static uint64_t
get_u64(const uint8_t *in)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value = value << 8 | in[i];
	return value;
}

/* The window of a message comes before its index, and says more. */
static bool
search_row(void *arg, struct octets key, struct octets value)
{
	struct queue_search *q = arg;
	bool is_window = key.len == RECORD_WINDOW_LEN && value.len == VALUE_LEN;
	struct octets index = { key.data, RECORD_INDEX_LEN };
	uint8_t record[RECORD_KEY_LEN];
	struct queue_window w = { .until = 0 };

	if ((!is_window && key.len != RECORD_INDEX_LEN) ||
	    record_indexed(index, record) == -1 ||
	    record_parts((struct octets){ record, sizeof(record) }, &w.parts) ==
		-1 ||
	    window_of(q, &w.parts) != NULL)
		return true;
	w.since = value.len >= 8 ? get_u64(value.data) : w.parts.time;
	w.until = is_window ? get_u64(value.data + 8) : 0;
	q->windows[q->count++] = w;
	return q->count < QUEUE_IDS_MAX;
}

static void
search_done(void *arg, enum store_status status)
{
	struct queue_search *q = arg;

	q->slow->waiting = false;
	if (status != STORE_OK)
		q->failed = true;
}

static void
search_pendings(struct queue_search *q)
{
	for (size_t i = 0; i < q->pendings->count; i++) {
		const struct queue_pending *p = &q->pendings->list[i];
		struct queue_window *w;

		if (memcmp(p->hash, q->prefix + 1, SEAL_HASH_LEN) != 0)
			continue;
		w = window_of(q, &p->window.parts);
		if (w == NULL && q->count < QUEUE_IDS_MAX)
			w = &q->windows[q->count++];
		if (w != NULL)
			*w = p->window;
	}
}

void
queue_search_step(struct queue_search *q)
{
	struct store_scan scan = { .row = search_row, .done = search_done };

	q->day = vault_day_below(q->vault, q->day);
	if (q->day == 0 || q->count == QUEUE_IDS_MAX) {
		search_pendings(q);
		q->finished = true;
		return;
	}
	scan.family = q->day;
	scan.prefix = (struct octets){ q->prefix, sizeof(q->prefix) };
	scan.arg = q;
	q->slow->waiting = true;
	store_scan(q->vault->store, &scan);
}

const struct queue_window *
queue_search_at(const struct queue_search *q, uint64_t time)
{
	const struct queue_window *found = NULL, *near = NULL;

	for (size_t i = 0; i < q->count; i++) {
		const struct queue_window *w = &q->windows[i];

		if (w->until != 0 && time > w->until)
			continue;
		if (w->since > time) {
			if (w->since - time <= NEAR_MS &&
			    (near == NULL || w->since < near->since))
				near = w;
		} else if (found == NULL || w->since > found->since) {
			found = w;
		}
	}
	if (found == NULL)
		return near;
	/* One ended, another began: this may be either's. */
	if (near != NULL && found->until != 0 && found->until - time <= NEAR_MS)
		return NULL;
	return found;
}

static void
put_u64(uint8_t *out, uint64_t value)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static int
pending_add(struct queue_pendings *all, const uint8_t *hash,
    const struct queue_window *w)
{
	struct queue_pending *p;

	if (all->count == all->size) {
		size_t size = all->size == 0 ? 16 : 2 * all->size;

		p = reallocarray(all->list, size, sizeof(*p));
		if (p == NULL)
			return -1;
		all->list = p;
		all->size = size;
	}
	p = &all->list[all->count++];
	memcpy(p->hash, hash, SEAL_HASH_LEN);
	p->window = *w;
	return 0;
}

void
queue_id_put(struct vault *v, const struct envid_parts *parts,
    const uint8_t hash[SEAL_HASH_LEN], uint64_t since)
{
	uint8_t record[RECORD_KEY_LEN], index[RECORD_INDEX_LEN], value[8];

	record_key(parts, record);
	record_index(RECORD_BY_QUEUE_ID, hash, record, index);
	put_u64(value, since < parts->time ? since : parts->time);
	group_put(&v->group, record_day(parts->time),
	    (struct octets){ index, sizeof(index) },
	    (struct octets){ value, sizeof(value) });
}

int
queue_window_put(struct vault *v, struct queue_pendings *pendings,
    const uint8_t hash[SEAL_HASH_LEN], const struct queue_window *w)
{
	uint8_t record[RECORD_KEY_LEN], index[RECORD_INDEX_LEN];
	uint8_t key[RECORD_WINDOW_LEN], value[VALUE_LEN];

	if (pending_add(pendings, hash, w) == -1)
		return -1;
	record_key(&w->parts, record);
	record_index(RECORD_BY_QUEUE_ID, hash, record, index);
	record_window(index, key);
	put_u64(value, w->since);
	put_u64(value + 8, w->until);
	group_put(&v->group, record_day(w->parts.time),
	    (struct octets){ key, sizeof(key) },
	    (struct octets){ value, sizeof(value) });
	return 0;
}
