/*
 * Search of one message of an account, by Message-ID or ENVID.
 */
#include "secrets/finder.h"

#include <string.h>

int
finder_start(struct finder *f, struct slow *slow, const struct account *a,
    struct octets id)
{
	bool message_id = id.len != 0 && id.data[0] == '<';
	struct envid_parts parts = { .account = a->number };
	uint8_t hash[SEAL_HASH_LEN], key[RECORD_KEY_LEN];
	uint8_t index[RECORD_INDEX_LEN];
	int rc;

	memset(f, 0, sizeof(*f));
	f->vault = slow->vault;
	f->slow = slow;
	f->day = UINT32_MAX;
	if (message_id)
		rc = seal_hash(a->index, "message id", id, hash);
	else
		rc = seal_hash(f->vault->index_key, "envid", id, hash);
	if (rc == -1)
		return -1;
	record_key(&parts, key);
	record_index(message_id ? RECORD_BY_MESSAGE_ID : RECORD_BY_ENVID, hash,
	    key, index);
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

void
finder_step(struct finder *f)
{
	struct store_scan scan = { .row = finder_row, .done = finder_done };

	f->day = vault_day_below(f->vault, f->day);
	if (f->day == 0) {
		f->finished = true;
		return;
	}
	scan.family = f->day;
	scan.prefix = (struct octets){ f->prefix, sizeof(f->prefix) };
	scan.arg = f;
	f->slow->waiting = true;
	store_scan(f->vault->store, &scan);
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
