/*
 * Search of one message of an account, by Message-ID or ENVID. Few ask by a
 * Message-ID, and each message would pay for an index of it: so its account's
 * records are read.
 */
#include "secrets/finder.h"

#include <string.h>

#define PATIENCE_MS 10000u /* that of who asks */

/* The first that has this Message-ID ends the walk: it is the newest. */
static bool
finder_mail(void *arg, const struct envid_parts *parts, const struct record *r,
    const struct mail_record *m)
{
	struct finder *f = arg;

	(void)r;
	if (m->message_id.len != f->id.len ||
	    memcmp(m->message_id.data, f->id.data, f->id.len) != 0)
		return true;
	f->parts = *parts;
	f->found = true;
	return false;
}

int
finder_start(struct finder *f, struct slow *slow, const struct account *a,
    struct octets id)
{
	struct envid_parts parts = { .account = a->number };
	uint8_t hash[SEAL_HASH_LEN], key[RECORD_KEY_LEN];
	uint8_t index[RECORD_INDEX_LEN];

	memset(f, 0, sizeof(*f));
	f->slow = slow;
	f->started = vault_now(slow->vault);
	f->id = id;
	f->day = UINT32_MAX;
	f->by_message_id = id.len != 0 && id.data[0] == '<';
	if (f->by_message_id) {
		walk_start(&f->walk, slow, a);
		f->walk.mail = finder_mail;
		f->walk.arg = f;
		return 0;
	}
	if (seal_hash(f->slow->vault->index_key, "envid", id, hash) == -1)
		return -1;
	record_key(&parts, key);
	record_index(RECORD_BY_ENVID, hash, key, index);
	/* Records of others may share an ENVID; they are passed over. */
	memcpy(f->prefix, index, sizeof(f->prefix));
	return 0;
}

static bool
finder_row(void *arg, struct octets index, struct octets value)
{
	struct finder *f = arg;
	uint8_t key[RECORD_KEY_LEN];

	(void)value;
	if (record_indexed(index, key) == 0 &&
	    record_parts((struct octets){ key, sizeof(key) }, &f->parts) == 0)
		f->found = true;
	return false;
}

static void
finder_done(void *arg, enum store_status status)
{
	struct finder *f = arg;

	f->slow->waiting = false;
	if (status != STORE_OK)
		f->failed = true;
	if (f->found)
		f->finished = true;
}

static void
search_day(struct finder *f)
{
	struct store_scan scan = { .row = finder_row, .done = finder_done };

	f->day = vault_day_below(f->slow->vault, f->day);
	if (f->day == 0) {
		f->finished = true;
		return;
	}
	scan.family = f->day;
	scan.prefix = (struct octets){ f->prefix, sizeof(f->prefix) };
	scan.arg = f;
	f->slow->waiting = true;
	store_scan(f->slow->vault->store, &scan);
}

void
finder_step(struct finder *f)
{
	if (!f->by_message_id) {
		search_day(f);
		return;
	}
	if (!f->walk.finished)
		walk_step(&f->walk);
	f->failed = f->walk.failed;
	f->finished = f->walk.finished;
	if (vault_now(f->slow->vault) > f->started + PATIENCE_MS)
		f->failed = f->finished = true;
}

bool
finder_is_own(struct vault *v, const struct account *a, struct octets id,
    struct envid_parts *parts)
{
	uint8_t handle[HANDLE_LEN];
	struct octets fqhn;

	return envid_parse(id, handle, &fqhn) == 0 &&
	    envid_open(v->cipher, handle, parts) == 0 &&
	    parts->account == a->number;
}
