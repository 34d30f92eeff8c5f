/*
 * LIST: an account's messages, newest first, in slices.
 */
#include <string.h>

#include "secrets/finder.h"

#define ROWS_OCTETS_MAX (WIRE_BODY_MAX - 8192u)
#define TRANSACTION_MS	14400000u /* longest from mint to end */

struct listing {
	struct job job; /* first */
	struct slow slow;
	struct list_query query;
	struct finder finder;
	bool finding; /* where AFTER is */
	struct walk walk;
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

static bool
listing_mail(void *arg, const struct envid_parts *parts, const struct record *r,
    const struct mail_record *m)
{
	struct listing *l = arg;

	(void)parts;
	(void)r;
	if (m->time >= l->query.since)
		row_put(l, m);
	return !l->full;
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
		listing_end(l,
		    l->finder.failed ? KEEPER_UNAVAILABLE : KEEPER_NOT_FOUND);
		return;
	}
	l->finding = false;
	walk_below(&l->walk, &own);
}

static void
listing_step(struct slow *slow)
{
	struct listing *l = (struct listing *)(void *)((char *)slow -
	    offsetof(struct listing, slow));

	if (l->finding) {
		if (!l->finder.finished)
			finder_step(&l->finder);
		if (l->finder.finished && !slow->waiting)
			listing_found(l);
		return;
	}
	if (!l->walk.finished)
		walk_step(&l->walk);
	if (l->walk.finished && !slow->waiting) {
		slow_end(slow);
		listing_end(l, KEEPER_OK);
	}
}

static void
listing_start(struct listing *l)
{
	slow_start(l->job.vault, &l->slow, listing_step);
	walk_start(&l->walk, &l->slow, l->job.account);
	l->walk.mail = listing_mail;
	l->walk.arg = l;
	if (l->query.since > TRANSACTION_MS)
		l->walk.oldest = l->query.since - TRANSACTION_MS;
	if (l->finding &&
	    finder_start(
		&l->finder, &l->slow, l->job.account, l->query.after) == -1) {
		slow_end(&l->slow);
		listing_end(l, KEEPER_UNAVAILABLE);
	}
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
	listing_start(l);
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
	wire_begin(&l->rows);
	if (!vault_knows(v, &l->query.ticket)) {
		listing_end(l, KEEPER_REFUSED);
		return 0;
	}
	want.name = l->query.ticket.account;
	accounts_want(&v->accounts, &want);
	return 0;
}
