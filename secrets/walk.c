/*
 * An account's messages, newest first. What is damaged is passed over; what
 * can be read is served.
 */
#include "secrets/walk.h"

#include <string.h>

#include "common/log.h"
#include "secrets/vault_inside.h"

#define ROWS_A_STEP   32
#define OCTETS_A_STEP (128u << 10) /* about as long as a slice */
#define SKIP_FIRST_MS 1000u

static void
stand_below(struct walk *w, const struct envid_parts *parts)
{
	record_key(parts, w->below);
	w->skip = SKIP_FIRST_MS;
	w->more = true;
}

void
walk_start(struct walk *w, struct slow *slow, const struct account *a)
{
	memset(w, 0, sizeof(*w));
	w->slow = slow;
	w->account = a;
	w->day = UINT32_MAX;
}

void
walk_below(struct walk *w, const struct envid_parts *parts)
{
	w->day = record_day(parts->time);
	stand_below(w, parts);
}

static int
open_found(const struct walk *w, struct octets value, struct envid_parts *parts,
    struct record *r, struct wire_out *plain)
{
	uint8_t handle[HANDLE_LEN];
	struct record_sealed sealed = { .handle = handle, .value = value };

	if (record_kind(value, &parts->kind) == -1 ||
	    envid_close(w->slow->vault->cipher, parts, handle) == -1)
		return -1;
	sealed.parts = *parts;
	return record_open(w->account->seal, &sealed, r, plain);
}

/* Give a record to who walks. Returns whether to go on. */
static bool
record_give(struct walk *w, struct envid_parts *parts, struct octets value)
{
	struct wire_out plain = { 0 };
	struct mail_record m = { 0 };
	struct record r = { .settled = false };
	bool on = true;

	if (open_found(w, value, parts, &r, &plain) == -1 ||
	    (r.settled && record_mail(&r, &m) == -1)) {
		if (!w->failed)
			log_error("vault-damaged", "a record cannot be opened");
		w->failed = true;
	} else if (r.settled) {
		on = w->mail(w->arg, parts, &r, &m);
	}
	mail_record_free(&m);
	wire_free(&plain);
	return on;
}

static bool
walk_row(void *arg, struct octets key, struct octets value)
{
	struct walk *w = arg;
	struct envid_parts parts;

	if (record_parts(key, &parts) == -1)
		return true;
	if (parts.time < w->oldest) {
		w->finished = true;
		return false;
	}
	memcpy(w->below, key.data, RECORD_KEY_LEN);
	w->finished = !record_give(w, &parts, value);
	w->skip = SKIP_FIRST_MS;
	w->octets += value.len;
	w->more = --w->rows_left == 0 || w->octets >= OCTETS_A_STEP;
	return !w->more && !w->finished;
}

/* Go on some time before what cannot be read, each time further. */
static void
skip_damage(struct walk *w)
{
	struct octets below = { w->below, sizeof(w->below) };
	struct envid_parts parts;
	uint64_t start = (uint64_t)w->day * TIMELINE_DAY_MS;

	if (record_parts(below, &parts) == -1 || parts.time < start + w->skip)
		return;
	parts.time -= w->skip;
	w->skip *= 2;
	record_key(&parts, w->below);
	w->more = true;
}

static void
walk_done(void *arg, enum store_status status)
{
	struct walk *w = arg;

	w->slow->waiting = false;
	if (status != STORE_OK)
		w->failed = true;
	if (status == STORE_DAMAGED)
		skip_damage(w);
}

static void
scan_day(struct walk *w)
{
	struct store_scan scan = { .family = w->day,
		.prefix = { w->below, 1 + RECORD_ACCOUNT_LEN },
		.below = { w->below, sizeof(w->below) },
		.row = walk_row,
		.done = walk_done,
		.arg = w };

	w->rows_left = ROWS_A_STEP;
	w->octets = 0;
	w->more = false;
	w->slow->waiting = true;
	store_scan(w->slow->vault->store, &scan);
}

/* Stand above the last message of the day before; its number is 0 for none. */
static void
day_next(struct walk *w)
{
	struct envid_parts top = { .account = w->account->number };

	w->day = vault_day_below(w->slow->vault, w->day);
	top.time = ((uint64_t)w->day + 1) * TIMELINE_DAY_MS;
	stand_below(w, &top);
}

void
walk_step(struct walk *w)
{
	if (!w->more)
		day_next(w);
	if (w->day == 0)
		w->finished = true;
	else
		scan_day(w);
}
