/*
 * The end of a message: its record is sealed and stored before anybody is
 * told. What comes twice is stored once; what was only described never
 * writes over what was settled.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "secrets/queue_ids.h"
#include "secrets/vault_inside.h"

struct settle_job {
	struct job job; /* first */
	struct mail_record record;
	struct envid_parts parts;
	uint8_t key[RECORD_KEY_LEN];
	bool again; /* it may be stored already */
	struct queue_claim claim;
	bool go_on; /* the session may send another */
	bool has_next;
	struct next_mint next;
};

static void
settle_end(struct settle_job *s, uint8_t status)
{
	struct wire_out body = { 0 };

	if (status == KEEPER_OK)
		s->job.vault->settles++;
	else if (status == KEEPER_UNAVAILABLE)
		described_keep(s->job.vault, s->job.from.asker, &s->record,
		    (struct octets){ s->job.body, s->job.body_len });
	mail_record_free(&s->record);
	wire_begin(&body);
	wire_put_u8(&body, status);
	if (s->has_next)
		minted_put(&body, &s->next.minted);
	job_answer(&s->job, MSG_SETTLED, &body);
	wire_free(&body);
}

static void
settle_durable(struct group_waiter *w, enum store_status status)
{
	struct settle_job *s = (struct settle_job *)(void *)w;
	struct vault *v = s->job.vault;

	if (status == STORE_OK)
		accounts_ended(s->job.account);
	/* What leaves is covered, as a mint that was asked for is. */
	if (s->has_next &&
	    (status != STORE_OK ||
		!timeline_covers(&v->timeline, s->next.time))) {
		accounts_ended(s->job.account);
		s->has_next = false;
	}
	v->mints += s->has_next;
	settle_end(s, vault_status_of(status));
}

/* Only what the configuration wants remembered. */
static void
settle_reduce(struct settle_job *s)
{
	struct vault *v = s->job.vault;

	if (!v->remember_message_id)
		s->record.message_id.len = 0;
	if (!v->remember_subject)
		s->record.subject.len = 0;
	if (!v->remember_recipients)
		s->record.recipient_count = 0;
}

static void
index_put(struct settle_job *s, uint8_t tag, const uint8_t *hash)
{
	uint8_t index[RECORD_INDEX_LEN];
	struct octets none = { index, 0 };

	record_index(tag, hash, s->key, index);
	group_put(&s->job.vault->group, record_day(s->parts.time),
	    (struct octets){ index, sizeof(index) }, none);
}

/* A client's own ENVID is found by itself, and by itself and B. */
static int
settle_index(struct settle_job *s, struct octets secret)
{
	const struct vault *v = s->job.vault;
	const struct mail_record *r = &s->record;
	uint8_t hash[SEAL_HASH_LEN], certifier[CERTIFIER_LEN];

	if ((r->flags & MAIL_CLIENT_ENVID) == 0 || r->envid.len == 0)
		return 0;
	if (seal_hash(v->index_key, "envid", r->envid, hash) == -1)
		return -1;
	index_put(s, RECORD_BY_ENVID, hash);
	if (record_certifier(s->job.account, r, secret, certifier) == -1 ||
	    record_hash_certifier(v, r->envid, certifier, hash) == -1)
		return -1;
	index_put(s, RECORD_BY_CERTIFIER, hash);
	return 0;
}

/* Put the record, with an A that cannot be computed, and wait. */
static void
settle_write(struct settle_job *s, struct octets secret)
{
	struct vault *v = s->job.vault;
	struct wire_out value = { 0 };
	struct record r = {
		.settled = true, .secret = secret, .mail = &s->record
	};
	int rc;

	settle_reduce(s);
	if (s->claim.claimed == 0)
		s->claim = queue_claim_now(v, &s->parts, s->record.time);
	r.claim = s->claim;
	rc = record_close(
	    s->job.account->seal, s->record.handle, &s->parts, &r, &value);
	if (rc == 0)
		rc = settle_index(s, secret);
	if (rc == 0)
		group_put(&v->group, record_day(s->parts.time),
		    (struct octets){ s->key, sizeof(s->key) },
		    (struct octets){ value.data, value.len });
	if (rc == 0 && v->claims.state != CLAIMS_IN_RECORDS)
		queue_claim_put(v, &s->parts, &s->record, &r.claim);
	wire_free(&value);
	if (rc == -1) {
		settle_end(s, KEEPER_UNAVAILABLE);
		return;
	}
	s->has_next = s->go_on && mint_next(v, s->job.account, &s->next);
	s->job.waiter.done = settle_durable;
	group_wait(&v->group, &s->job.waiter);
}

/* A queue id stays claimed since it first was: another may have come since. */
static void
settle_anew(struct settle_job *s, const struct record *stored)
{
	struct mail_record mail = { 0 };

	if (stored->settled && record_mail(stored, &mail) == 0 &&
	    octets_compare(mail.msa, s->record.msa) == 0 &&
	    octets_compare(mail.queue_id, s->record.queue_id) == 0)
		s->claim = stored->claim;
	mail_record_free(&mail);
	settle_write(s, stored->secret);
}

/* No A is lost with what cannot be read, where A can be computed. */
static void
settle_unread(struct settle_job *s)
{
	struct octets none = { NULL, 0 };

	if (s->parts.kind == ENVID_DERIVED &&
	    s->record.outcome != OUTCOME_UNKNOWN)
		settle_write(s, none);
	else
		settle_end(s, KEEPER_UNAVAILABLE);
}

/* What an earlier turn stored: A, and perhaps the outcome already. */
static void
settle_over(struct settle_job *s, struct octets value)
{
	struct record_sealed sealed = { s->record.handle, s->parts, value };
	struct wire_out plain = { 0 };
	struct record r;

	if (record_open(s->job.account->seal, &sealed, &r, &plain) == -1)
		settle_unread(s);
	else if (r.settled && s->record.outcome == OUTCOME_UNKNOWN)
		settle_end(s, KEEPER_OK);
	else
		settle_anew(s, &r);
	wire_free(&plain);
}

static void
settle_known(void *arg, enum store_status status, struct octets value)
{
	struct settle_job *s = arg;
	struct octets none = { NULL, 0 };
	bool own = (s->record.flags & (MAIL_CLIENT_MTRK | MAIL_UNTRACKED)) != 0;

	if (status == STORE_OK)
		settle_over(s, value);
	else if (status != STORE_NOT_FOUND)
		settle_unread(s);
	else if (s->parts.kind == ENVID_RANDOM && !own)
		settle_end(s, KEEPER_NOT_FOUND); /* forgotten */
	else
		settle_write(s, none);
}

static void
settle_account(void *arg, struct account *account, enum store_status status)
{
	struct settle_job *s = arg;
	struct vault *v = s->job.vault;
	struct octets none = { NULL, 0 };
	uint32_t day = record_day(s->parts.time);

	s->job.account = account;
	if (account == NULL || account->number != s->parts.account) {
		settle_end(s,
		    account == NULL && status != STORE_NOT_FOUND
			? vault_status_of(status)
			: KEEPER_REFUSED);
		return;
	}
	described_forget(v, s->record.handle, account->name);
	if (!store_has_day(v->store, day)) {
		settle_end(s, KEEPER_NOT_FOUND); /* expired */
		return;
	}
	record_key(&s->parts, s->key);
	if (s->parts.kind == ENVID_DERIVED && !s->again &&
	    s->record.outcome != OUTCOME_UNKNOWN)
		settle_write(s, none);
	else
		store_get(v->store, day,
		    (struct octets){ s->key, sizeof(s->key) }, settle_known, s);
}

static void
settle_begin(struct settle_job *s)
{
	struct vault *v = s->job.vault;
	struct accounts_want want = { s->record.ticket.account, false,
		settle_account, s };

	if (envid_open(v->cipher, s->record.handle, &s->parts) == -1)
		settle_end(s, KEEPER_REFUSED);
	else if (!vault_is_writable(v))
		settle_end(s, KEEPER_UNAVAILABLE);
	else
		accounts_want(&v->accounts, &want);
}

/* Read the record of a new job. Returns NULL where it is malformed. */
static struct settle_job *
settle_read(struct vault *v, struct question from, struct wire_in *body)
{
	struct settle_job *s = job_start(v, from, sizeof(*s), body);
	struct wire_in in;

	if (s == NULL)
		return NULL;
	job_read(&s->job, &in);
	mail_record_get(&in, &s->record);
	if (wire_end(&in) == 0)
		return s;
	mail_record_free(&s->record);
	job_end(&s->job);
	return NULL;
}

enum settle_kind { SETTLE_LAST, SETTLE_NEXT, SETTLE_AGAIN };

static int
settle_asked(struct vault *v, struct question from, struct wire_in *body,
    enum settle_kind kind)
{
	struct settle_job *s = settle_read(v, from, body);

	if (s == NULL)
		return -1;
	s->again = kind == SETTLE_AGAIN;
	s->go_on = kind == SETTLE_NEXT;
	if (vault_knows(v, &s->record.ticket))
		settle_begin(s);
	else
		settle_end(s, KEEPER_REFUSED);
	return 0;
}

int
vault_settle(struct vault *v, struct question from, struct wire_in *body)
{
	return settle_asked(v, from, body, SETTLE_LAST);
}

int
vault_settle_next(struct vault *v, struct question from, struct wire_in *body)
{
	return settle_asked(v, from, body, SETTLE_NEXT);
}

int
vault_settle_again(struct vault *v, struct question from, struct wire_in *body)
{
	return settle_asked(v, from, body, SETTLE_AGAIN);
}

void
settle_described(
    struct vault *v, const uint8_t *body, size_t len, uint8_t outcome)
{
	struct question nobody = { 0, 0 };
	struct settle_job *s;
	struct wire_in in;

	wire_read(&in, body, len);
	s = settle_read(v, nobody, &in);
	if (s == NULL)
		return;
	/* Its ticket was good when the record came. */
	s->again = true;
	s->record.outcome = outcome;
	settle_begin(s);
}

struct forget_job {
	struct job job; /* first */
	struct ticket ticket;
	uint8_t handle[HANDLE_LEN];
	uint8_t ahead; /* no MAIL came */
	struct envid_parts parts;
	uint8_t key[RECORD_KEY_LEN];
};

/* A record that has no body yet may go; one that was settled stays. */
static void
forget_known(void *arg, enum store_status status, struct octets value)
{
	struct forget_job *f = arg;
	struct record_sealed sealed = { f->handle, f->parts, value };
	struct wire_out plain = { 0 };
	struct record r;

	if (status == STORE_OK &&
	    record_open(f->job.account->seal, &sealed, &r, &plain) == 0 &&
	    !r.settled)
		group_delete(&f->job.vault->group, record_day(f->parts.time),
		    (struct octets){ f->key, sizeof(f->key) });
	wire_free(&plain);
	job_end(&f->job);
}

/* What this turn settled is in the store now: it may be this one. */
static void
forget_durable(struct group_waiter *w, enum store_status status)
{
	struct forget_job *f = (struct forget_job *)(void *)w;

	if (status == STORE_OK)
		store_get(f->job.vault->store, record_day(f->parts.time),
		    (struct octets){ f->key, sizeof(f->key) }, forget_known, f);
	else
		job_end(&f->job);
}

static void
forget_account(void *arg, struct account *account, enum store_status status)
{
	struct forget_job *f = arg;
	struct vault *v = f->job.vault;

	(void)status;
	f->job.account = account;
	if (account == NULL || account->number != f->parts.account) {
		job_end(&f->job);
		return;
	}
	v->forgets++;
	if (f->ahead != 0)
		accounts_ended(account);
	described_forget(v, f->handle, account->name);
	if (f->parts.kind != ENVID_RANDOM) {
		job_end(&f->job);
		return;
	}
	record_key(&f->parts, f->key);
	f->job.waiter.done = forget_durable;
	group_wait(&v->group, &f->job.waiter);
}

int
vault_forget(struct vault *v, struct question from, struct wire_in *body)
{
	struct forget_job *f = job_start(v, from, sizeof(*f), body);
	struct accounts_want want = { NULL, false, forget_account, f };
	struct wire_in in;
	int rc;

	if (f == NULL)
		return -1;
	job_read(&f->job, &in);
	ticket_get(&in, &f->ticket);
	wire_get_raw(&in, f->handle, HANDLE_LEN);
	f->ahead = wire_get_u8(&in);
	rc = wire_end(&in);
	if (rc == -1 || !vault_knows(v, &f->ticket) ||
	    envid_open(v->cipher, f->handle, &f->parts) == -1) {
		job_end(&f->job);
		return rc;
	}
	want.name = f->ticket.account;
	accounts_want(&v->accounts, &want);
	return 0;
}
