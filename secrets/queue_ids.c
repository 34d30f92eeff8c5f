/*
 * Which message an MSA's queue id means at a time.
 */
#include "secrets/queue_ids.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define NEAR_MS	   2000u     /* a log's second, and a clock a little behind */
#define SILENT_MS  86400000u /* how long a claim holds that no log confirms */
#define WINDOW_LEN 24	     /* since, until, claimed */
#define CLAIM_LEN  8	     /* since */

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
	q->finished = q->failed = q->contested = false;
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

/* What is told is never left out for what is only claimed. */
static bool
is_worth_more(const struct queue_window *a, const struct queue_window *b)
{
	return a->told != b->told ? a->told : a->claimed < b->claimed;
}

static void
search_take(struct queue_search *q, const struct queue_window *w)
{
	struct queue_window *least = &q->windows[0];

	if (q->count < QUEUE_IDS_MAX) {
		q->windows[q->count++] = *w;
		return;
	}
	for (size_t i = 1; i < q->count; i++)
		if (is_worth_more(least, &q->windows[i]))
			least = &q->windows[i];
	if (is_worth_more(w, least))
		*least = *w;
}

/* The windows of all messages come before the claims, and say more. */
static bool
search_row(void *arg, struct octets key, struct octets value)
{
	struct queue_search *q = arg;
	struct queue_window w = { .until = 0 };
	uint8_t record[RECORD_KEY_LEN];
	size_t form = record_queue_key(key, record, &w.claimed);

	if (form == 0 ||
	    record_parts((struct octets){ record, sizeof(record) }, &w.parts) ==
		-1)
		return true;
	w.told = form == RECORD_WINDOW_LEN;
	if (value.len != (w.told ? WINDOW_LEN : CLAIM_LEN))
		return true;
	w.since = get_u64(value.data);
	if (w.told) {
		w.until = get_u64(value.data + 8);
		w.claimed = get_u64(value.data + 16);
	}
	if (window_of(q, &w.parts) == NULL)
		search_take(q, &w);
	return w.told || ++q->claims < QUEUE_IDS_MAX;
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
		if (w != NULL)
			*w = p->window;
		else
			search_take(q, &p->window);
	}
}

void
queue_search_step(struct queue_search *q)
{
	struct store_scan scan = { .row = search_row, .done = search_done };

	q->day = vault_day_below(q->vault, q->day);
	if (q->day == 0) {
		search_pendings(q);
		q->finished = true;
		return;
	}
	scan.family = q->day;
	scan.prefix = (struct octets){ q->prefix, sizeof(q->prefix) };
	scan.arg = q;
	q->claims = 0;
	q->slow->waiting = true;
	store_scan(q->vault->store, &scan);
}

enum standing { STANDS_NOT, STANDS_OLD, STANDS_SILENT, STANDS_TOLD };

static enum standing
standing_at(
    const struct queue_search *q, const struct queue_window *w, uint64_t time)
{
	uint64_t holds = w->told ? q->vault->queue_lifetime : SILENT_MS;

	if (w->since > time + NEAR_MS || (w->until != 0 && time > w->until))
		return STANDS_NOT;
	if (w->until == 0 && time > w->claimed + holds)
		return STANDS_OLD;
	return w->told ? STANDS_TOLD : STANDS_SILENT;
}

static bool
comes_before(const struct queue_window *a, const struct queue_window *b,
    enum standing both)
{
	if (a->claimed != b->claimed)
		return (a->claimed < b->claimed) == (both != STANDS_OLD);
	return a->parts.time < b->parts.time;
}

/* One ended, another began: what is between may be either's. */
static bool
is_either(
    const struct queue_search *q, const struct queue_window *w, uint64_t time)
{
	if (w->until == 0 || w->until - time > NEAR_MS)
		return false;
	for (size_t i = 0; i < q->count; i++)
		if (&q->windows[i] != w && q->windows[i].since > time &&
		    standing_at(q, &q->windows[i], time) != STANDS_NOT)
			return true;
	return false;
}

static void
tell_contested(struct queue_search *q)
{
	struct vault *v = q->vault;
	uint64_t withheld;

	v->contested++;
	if (seldom_may(&v->contested_lines, vault_now(v), &withheld))
		log_warning("queue-id-contested",
		    "a queue id was claimed for a second message while the "
		    "first is under way: its events stay with the first; "
		    "so far %" PRIu64,
		    v->contested);
}

struct queue_window *
queue_search_at(struct queue_search *q, uint64_t time)
{
	struct queue_window *found = NULL;
	enum standing best = STANDS_NOT;
	size_t living = 0;

	for (size_t i = 0; i < q->count; i++) {
		struct queue_window *w = &q->windows[i];
		enum standing stands = standing_at(q, w, time);

		if (stands >= STANDS_SILENT && w->until == 0)
			living++;
		if (stands > best ||
		    (stands == best && found != NULL &&
			comes_before(w, found, best))) {
			found = w;
			best = stands;
		}
	}
	if (found == NULL || is_either(q, found, time))
		return NULL;
	if (living > 1 && !q->contested)
		tell_contested(q);
	q->contested |= living > 1;
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
	p->window.told = true;
	return 0;
}

struct queue_claim
queue_claim_now(
    const struct vault *v, const struct envid_parts *parts, uint64_t sent)
{
	uint64_t now = vault_now(v);
	struct queue_claim claim = { now, parts->time };

	if (claim.since > now && sent < claim.since)
		claim.since = sent;
	/* An earlier place is not to be had by a clock that is set back. */
	if (claim.claimed < v->timeline.time)
		claim.claimed = v->timeline.time;
	return claim;
}

void
queue_claim_put(struct vault *v, const struct envid_parts *parts,
    const struct mail_record *mail, const struct queue_claim *claim)
{
	uint8_t record[RECORD_KEY_LEN], key[RECORD_CLAIM_LEN];
	uint8_t value[CLAIM_LEN], hash[SEAL_HASH_LEN];

	if (mail->queue_id.len == 0 ||
	    queue_id_hash(v, mail->msa, mail->queue_id, hash) == -1)
		return;
	record_key(parts, record);
	record_claim(hash, claim->claimed, record, key);
	put_u64(value, claim->since);
	group_put(&v->group, record_day(parts->time),
	    (struct octets){ key, sizeof(key) },
	    (struct octets){ value, sizeof(value) });
}

int
queue_window_put(struct vault *v, struct queue_pendings *pendings,
    const uint8_t hash[SEAL_HASH_LEN], const struct queue_window *w)
{
	uint8_t record[RECORD_KEY_LEN], key[RECORD_WINDOW_LEN];
	uint8_t value[WINDOW_LEN];

	if (pending_add(pendings, hash, w) == -1)
		return -1;
	record_key(&w->parts, record);
	record_window(hash, record, key);
	put_u64(value, w->since);
	put_u64(value + 8, w->until);
	put_u64(value + 16, w->claimed);
	group_put(&v->group, record_day(w->parts.time),
	    (struct octets){ key, sizeof(key) },
	    (struct octets){ value, sizeof(value) });
	return 0;
}
