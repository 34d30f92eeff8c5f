/*
 * LIST: an account's messages, newest first, in slices. What is damaged is
 * passed over; what can be read is served.
 */
#include <string.h>

#include "common/log.h"
#include "secrets/finder.h"

#define SLOW_PER_ACCOUNT 8
#define ROWS_A_STEP	 32
#define OCTETS_A_STEP	 (128u << 10) /* about as long as a slice */
#define ROWS_OCTETS_MAX	 (WIRE_BODY_MAX - 8192u)
#define TRANSACTION_MS	 14400000u /* longest from mint to end */
#define SKIP_FIRST_MS	 1000u

struct listing {
	struct job job; /* first */
	struct slow slow;
	struct list_query query;
	struct finder finder;
	bool finding;		       /* where AFTER is */
	uint32_t day;		       /* 0: all were read */
	uint8_t below[RECORD_KEY_LEN]; /* rows under it are next */
	bool more;		       /* the day has more under `below` */
	uint64_t skip;		       /* ms, past what is damaged */
	unsigned rows_left;	       /* of this step */
	size_t octets;		       /* that it read */
	bool full; /* a row more was there than may be given */
	uint16_t count;
	struct wire_out rows;
};

static void
listing_end(struct listing *l, uint8_t status)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u8(&body, status);
	wire_put_u8(&body, l->full);
	wire_put_u16(&body, l->count);
	wire_put_raw(&body, l->rows.data, l->rows.len);
	wire_free(&l->rows);
	if (l->job.account != NULL)
		l->job.account->slow--;
	if (status == KEEPER_OK)
		l->job.vault->lists++;
	job_answer(&l->job, MSG_LISTED, &body);
	wire_free(&body);
}

static void
row_put(struct listing *l, const struct mail_record *m)
{
	struct list_row row = { .envid = m->envid,
		.time = m->time,
		.message_id = m->message_id,
		.recipient_count = m->recipient_count,
		.subject = m->subject,
		.size = m->size,
		.outcome = m->outcome };

	if (l->count >= l->query.limit || l->rows.len >= ROWS_OCTETS_MAX) {
		l->full = true;
		return;
	}
	if (m->recipient_count != 0)
		row.recipient = m->recipients[0].address;
	list_row_put(&l->rows, &row);
	l->count++;
}

static void
row_add(struct listing *l, struct octets key, struct octets value)
{
	struct vault *v = l->job.vault;
	struct record_sealed sealed = { .value = value };
	uint8_t handle[HANDLE_LEN];
	struct wire_out plain = { 0 };
	struct mail_record m = { 0 };
	struct record r;
	struct wire_in in;

	sealed.handle = handle;
	if (record_parts(key, &sealed.parts) == -1 ||
	    record_kind(value, &sealed.parts.kind) == -1 ||
	    envid_close(v->cipher, &sealed.parts, handle) == -1 ||
	    record_open(l->job.account->seal, &sealed, &r, &plain) == -1) {
		log_error("vault-damaged", "a record cannot be opened");
	} else if (r.settled) {
		wire_read(&in, r.body.data, r.body.len);
		mail_body_get(&in, &m);
		if (wire_end(&in) == 0 && m.time >= l->query.since)
			row_put(l, &m);
		mail_record_free(&m);
	}
	wire_free(&plain);
}

static bool
listing_row(void *arg, struct octets key, struct octets value)
{
	struct listing *l = arg;
	struct envid_parts parts;

	if (record_parts(key, &parts) == -1)
		return true;
	if (parts.time + TRANSACTION_MS < l->query.since) {
		l->more = false;
		l->day = 0;
		return false;
	}
	memcpy(l->below, key.data, RECORD_KEY_LEN);
	row_add(l, key, value);
	l->skip = SKIP_FIRST_MS;
	l->octets += value.len;
	l->more = --l->rows_left == 0 || l->octets >= OCTETS_A_STEP;
	return !l->more && !l->full;
}

/* Go on some time before what cannot be read, each time further. */
static void
listing_skip(struct listing *l)
{
	struct octets below = { l->below, sizeof(l->below) };
	struct envid_parts parts;
	uint64_t start = (uint64_t)l->day * TIMELINE_DAY_MS;

	if (record_parts(below, &parts) == -1 || parts.time < start + l->skip)
		return;
	parts.time -= l->skip;
	l->skip *= 2;
	record_key(&parts, l->below);
	l->more = true;
}

static void
listing_done(void *arg, enum store_status status)
{
	struct listing *l = arg;

	l->slow.waiting = false;
	if (status == STORE_DAMAGED)
		listing_skip(l);
}

static void
scan_day(struct listing *l)
{
	struct store_scan scan = { .row = listing_row, .done = listing_done };

	l->rows_left = ROWS_A_STEP;
	l->octets = 0;
	l->more = false;
	scan.family = l->day;
	scan.prefix = (struct octets){ l->below, 1 + RECORD_ACCOUNT_LEN };
	scan.below = (struct octets){ l->below, sizeof(l->below) };
	scan.arg = l;
	l->slow.waiting = true;
	store_scan(l->job.vault->store, &scan);
}

/* Stand above the last message that day may have. */
static void
day_start(struct listing *l)
{
	struct envid_parts top = { .account = l->job.account->number,
		.time = ((uint64_t)l->day + 1) * TIMELINE_DAY_MS };

	record_key(&top, l->below);
	l->skip = SKIP_FIRST_MS;
	l->more = true;
}

static void
listing_next(struct listing *l)
{
	if (!l->more) {
		l->day =
		    l->day == 0 ? 0 : vault_day_below(l->job.vault, l->day);
		if (l->day != 0)
			day_start(l);
	}
	if (l->day != 0 && !l->full) {
		scan_day(l);
		return;
	}
	slow_end(&l->slow);
	listing_end(l, KEEPER_OK);
}

/* Where AFTER is has been found, or not. */
static void
listing_found(struct listing *l)
{
	struct envid_parts own;
	bool minted =
	    finder_is_own(l->job.vault, l->job.account, l->query.after, &own);

	if (l->finder.found && (!minted || l->finder.parts.time > own.time)) {
		own = l->finder.parts;
		minted = true;
	}
	if (!minted) {
		slow_end(&l->slow);
		listing_end(l, KEEPER_NOT_FOUND);
		return;
	}
	l->finding = false;
	l->day = record_day(own.time);
	record_key(&own, l->below);
	l->skip = SKIP_FIRST_MS;
	l->more = true;
}

static void
listing_step(struct slow *slow)
{
	struct listing *l = (struct listing *)(void *)((char *)slow -
	    offsetof(struct listing, slow));

	if (!l->finding) {
		listing_next(l);
		return;
	}
	if (!l->finder.finished)
		finder_step(&l->finder);
	if (l->finder.finished && !slow->waiting)
		listing_found(l);
}

static void
listing_account(void *arg, struct account *account, enum store_status status)
{
	struct listing *l = arg;

	if (account == NULL) {
		/* who never sent anything has an empty list */
		listing_end(l,
		    status == STORE_NOT_FOUND && !l->finding
			? KEEPER_OK
			: vault_status_of(status));
		return;
	}
	if (account->slow >= SLOW_PER_ACCOUNT) {
		accounts_release(account);
		listing_end(l, KEEPER_LIMITED);
		return;
	}
	l->job.account = account;
	account->slow++;
	slow_start(l->job.vault, &l->slow, listing_step);
	if (l->finding &&
	    finder_start(&l->finder, &l->slow, account, l->query.after) == -1) {
		slow_end(&l->slow);
		listing_end(l, KEEPER_UNAVAILABLE);
	}
}

int
vault_list(struct vault *v, struct question from, struct wire_in *body)
{
	struct listing *l = job_start(v, from, sizeof(*l), body);
	struct accounts_want want = { NULL, false, listing_account, l };
	struct wire_in in;

	if (l == NULL)
		return -1;
	job_read(&l->job, &in);
	list_query_get(&in, &l->query);
	if (wire_end(&in) == -1) {
		job_end(&l->job);
		return -1;
	}
	l->finding = l->query.after.len != 0;
	l->day = UINT32_MAX;
	wire_begin(&l->rows);
	if (!vault_knows(v, &l->query.ticket)) {
		listing_end(l, KEEPER_REFUSED);
		return 0;
	}
	want.name = l->query.ticket.account;
	accounts_want(&v->accounts, &want);
	return 0;
}
