/*
 * A new message: its handle, ENVID and certifier (RFC 3885 3.1 and 3.2). What
 * leaves could be proved later: the account's secret is durable, or A is.
 */
#include <string.h>

#include <openssl/crypto.h>

#include "secrets/vault_inside.h"

struct mint_job {
	struct job job; /* first */
	struct mint mint;
	struct minted minted;
	struct envid_parts parts;
	uint8_t secret[CERTIFIER_SECRET_LEN]; /* random only */
};

static void
mint_end(struct mint_job *m, uint8_t status)
{
	struct wire_out body = { 0 };

	if (status != KEEPER_OK)
		memset(&m->minted, 0, sizeof(m->minted));
	else
		m->job.vault->mints++;
	m->minted.status = status;
	wire_begin(&body);
	minted_put(&body, &m->minted);
	job_answer(&m->job, MSG_MINTED, &body);
	wire_free(&body);
}

static void
mint_durable(struct group_waiter *w, enum store_status status)
{
	struct mint_job *m = (struct mint_job *)(void *)w;
	struct vault *v = m->job.vault;

	if (status == STORE_OK && !timeline_covers(&v->timeline, m->parts.time))
		group_wait(&v->group, w);
	else
		mint_end(m, vault_status_of(status));
}

/* A random A is kept under the record's key from before it is used. */
static int
mint_pending(struct mint_job *m)
{
	struct vault *v = m->job.vault;
	struct record r = { .settled = false };
	struct wire_out value = { 0 };
	uint8_t key[RECORD_KEY_LEN];
	int rc;

	r.secret = (struct octets){ m->secret, sizeof(m->secret) };
	rc = record_close(
	    m->job.account->seal, m->minted.handle, &m->parts, &r, &value);
	record_key(&m->parts, key);
	if (rc == 0)
		group_put(&v->group, record_day(m->parts.time),
		    (struct octets){ key, sizeof(key) },
		    (struct octets){ value.data, value.len });
	wire_free(&value);
	return rc;
}

static int
mint_certify(struct mint_job *m)
{
	uint8_t secret[CERTIFIER_SECRET_LEN], certifier[CERTIFIER_LEN];
	int rc;

	if (m->mint.untracked)
		return 0;
	if (m->mint.own_certifier) {
		certifier_text(m->mint.certifier, m->minted.certifier);
		return 0;
	}
	if (m->parts.kind == ENVID_RANDOM) {
		rc = certifier_draw(m->secret, certifier);
		if (rc == 0)
			rc = mint_pending(m);
	} else {
		rc = certifier_derive(m->job.account->certify, m->minted.handle,
		    secret, certifier);
		OPENSSL_cleanse(secret, sizeof(secret));
	}
	certifier_text(certifier, m->minted.certifier);
	return rc;
}

static void
mint_name(struct mint_job *m)
{
	struct vault *v = m->job.vault;
	uint64_t keep = v->retention / 1000;

	if (m->mint.envid.len != 0)
		memcpy(m->minted.envid, m->mint.envid.data, m->mint.envid.len);
	else
		envid_text(m->minted.handle, v->fqhn, m->minted.envid);
	if (m->mint.own_certifier && m->mint.timeout != 0 &&
	    m->mint.timeout < keep)
		keep = m->mint.timeout;
	m->minted.timeout = (uint32_t)keep;
}

/* Draw its handle. Returns 0, or -1. */
static int
mint_draw(struct mint_job *m)
{
	struct vault *v = m->job.vault;
	bool drawn = !m->mint.untracked && !m->mint.own_certifier;

	m->parts.account = m->job.account->number;
	m->parts.node = v->node;
	m->parts.kind = v->random && drawn ? ENVID_RANDOM : ENVID_DERIVED;
	return envid_draw(
	    v->cipher, &v->timeline, vault_now(v), &m->parts, m->minted.handle);
}

/* The day of the message is there: certify, and wait where that is due. */
static void
mint_day(void *arg, enum store_status status)
{
	struct mint_job *m = arg;
	struct vault *v = m->job.vault;
	bool random = m->parts.kind == ENVID_RANDOM;

	if (status != STORE_OK) {
		mint_end(m, vault_status_of(status));
		return;
	}
	mint_name(m);
	if (mint_certify(m) == -1) {
		mint_end(m, KEEPER_UNAVAILABLE);
		return;
	}
	if (m->job.account->durable && !random &&
	    timeline_covers(&v->timeline, m->parts.time)) {
		mint_end(m, KEEPER_OK);
		return;
	}
	m->job.waiter.done = mint_durable;
	group_wait(&v->group, &m->job.waiter);
}

static void
mint_account(void *arg, struct account *account, enum store_status status)
{
	struct mint_job *m = arg;
	struct vault *v = m->job.vault;

	m->job.account = account;
	if (account == NULL)
		mint_end(m, vault_status_of(status));
	else if (!accounts_begin(account, v->mints_unfinished, vault_now(v)))
		mint_end(m, KEEPER_LIMITED);
	else if (mint_draw(m) == -1)
		mint_end(m, KEEPER_UNAVAILABLE);
	else
		store_day_make(
		    v->store, record_day(m->parts.time), mint_day, m);
}

bool
mint_next(struct vault *v, struct account *account, struct next_mint *next)
{
	struct mint_job m = { .job = { .vault = v, .account = account } };
	bool made;

	/*
	 * Half of the room is for messages that have come; the one that is
	 * being settled is still counted.
	 */
	if (!account->durable ||
	    account->unfinished > v->mints_unfinished / 2 ||
	    !accounts_begin(account, v->mints_unfinished, vault_now(v)))
		return false;
	made = mint_draw(&m) == 0 &&
	    store_has_day(v->store, record_day(m.parts.time));
	if (made) {
		mint_name(&m);
		made = mint_certify(&m) == 0;
	}
	OPENSSL_cleanse(m.secret, sizeof(m.secret));
	if (!made) {
		accounts_ended(account);
		return false;
	}
	next->minted = m.minted;
	next->time = m.parts.time;
	return true;
}

int
vault_mint(struct vault *v, struct question from, struct wire_in *body)
{
	struct mint_job *m = job_start(v, from, sizeof(*m), body);
	struct accounts_want want = { NULL, true, mint_account, m };
	struct wire_in in;

	if (m == NULL)
		return -1;
	job_read(&m->job, &in);
	mint_get(&in, &m->mint);
	if (wire_end(&in) == -1) {
		job_end(&m->job);
		return -1;
	}
	if (!vault_knows(v, &m->mint.ticket)) {
		mint_end(m, KEEPER_REFUSED);
	} else if (!vault_is_writable(v)) {
		mint_end(m, KEEPER_UNAVAILABLE);
	} else {
		want.name = m->mint.ticket.account;
		accounts_want(&v->accounts, &want);
	}
	return 0;
}
