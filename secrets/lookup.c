/*
 * SHOW and TOKEN: one message of the asking user, by ENVID or Message-ID. A
 * message of somebody else's is as unknown as one that never was.
 */
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>

#include "common/log.h"
#include "secrets/finder.h"

#define SLOW_PER_ACCOUNT 8

struct lookup {
	struct job job; /* first */
	struct slow slow;
	unsigned answer; /* MSG_SHOWN or MSG_TOKEN_IS */
	struct one_query query;
	struct finder finder;
	struct envid_parts tries[2]; /* newest first */
	bool minted[2];		     /* named by an ENVID of ours */
	unsigned count, next;
	bool failed; /* something could not be read */
	uint8_t handle[HANDLE_LEN];
};

static void
lookup_end(struct lookup *l, const struct wire_out *body)
{
	if (l->job.account != NULL)
		l->job.account->slow--;
	job_answer(&l->job, l->answer, body);
}

static void
lookup_fail(struct lookup *l, uint8_t status)
{
	struct token_answer token = { .status = status };
	struct mail_record none = { 0 };
	struct wire_out body = { 0 };

	wire_begin(&body);
	if (l->answer == MSG_TOKEN_IS) {
		token_answer_put(&body, &token);
	} else {
		wire_put_u8(&body, status);
		mail_body_put(&body, &none);
	}
	lookup_end(l, &body);
	wire_free(&body);
}

/* Who took which token, never its value. */
static void
lookup_log(const struct lookup *l, struct octets envid)
{
	struct log_line line;

	log_begin(&line, LOG_IS_INFO, "token");
	log_session(&line, l->query.ticket.session);
	log_text(&line, "user", l->query.ticket.account);
	log_octets(&line, "envid", envid);
	log_octets(&line, "client", l->query.client);
	log_end(&line);
}

static void
token_send(
    struct lookup *l, struct octets envid, struct octets secret, uint64_t keep)
{
	const struct envid_parts *p = &l->tries[l->next];
	struct token_answer token = { .status = KEEPER_OK, .envid = envid };
	uint8_t drawn[CERTIFIER_SECRET_LEN], certifier[CERTIFIER_LEN];
	struct wire_out body = { 0 };
	int rc;

	if (secret.len != 0) {
		rc = certifier_of(secret.data, secret.len, certifier);
	} else {
		rc = certifier_derive(
		    l->job.account->certify, l->handle, drawn, certifier);
		secret = (struct octets){ drawn, sizeof(drawn) };
	}
	if (rc == -1) {
		lookup_fail(l, KEEPER_UNAVAILABLE);
		return;
	}
	token.secret = secret;
	certifier_text(certifier, token.certifier);
	token.expires = (p->time + keep) / 1000;
	lookup_log(l, envid);
	l->job.vault->tokens++;
	wire_begin(&body);
	token_answer_put(&body, &token);
	OPENSSL_cleanse(drawn, sizeof(drawn));
	lookup_end(l, &body);
	wire_free(&body);
}

static void
token_of_record(
    struct lookup *l, const struct mail_record *m, struct octets secret)
{
	if ((m->flags & (MAIL_CLIENT_MTRK | MAIL_UNTRACKED)) != 0)
		lookup_fail(l, KEEPER_NO_SECRET);
	else
		token_send(l, m->envid, secret, l->job.vault->retention);
}

static void
show_record(struct lookup *l, const struct mail_record *m)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u8(&body, KEEPER_OK);
	mail_body_put(&body, m);
	lookup_end(l, &body);
	wire_free(&body);
}

static void lookup_try(struct lookup *);

/* Nothing is stored, but an ENVID of ours names it: A is known all the same. */
static void
lookup_unsettled(struct lookup *l, struct octets secret)
{
	struct vault *v = l->job.vault;
	const struct envid_parts *p = &l->tries[l->next];
	uint8_t handle[HANDLE_LEN];
	struct octets fqhn;

	if (l->answer == MSG_TOKEN_IS && l->minted[l->next] &&
	    (p->kind == ENVID_DERIVED || secret.len != 0) &&
	    envid_parse(l->query.id, handle, &fqhn) == 0 &&
	    fqhn.len == strlen(v->fqhn) &&
	    strncasecmp((const char *)fqhn.data, v->fqhn, fqhn.len) == 0 &&
	    p->time + v->retention >= vault_now(v)) {
		token_send(l, l->query.id, secret, v->retention);
		return;
	}
	l->next++;
	lookup_try(l);
}

static bool
is_named(const struct lookup *l, const struct mail_record *m)
{
	return l->query.id.data[0] == '<' ||
	    (m->envid.len == l->query.id.len &&
		memcmp(m->envid.data, l->query.id.data, m->envid.len) == 0);
}

static void
lookup_settled(struct lookup *l, const struct record *r)
{
	struct mail_record m = { 0 };
	struct wire_in in;

	wire_read(&in, r->body.data, r->body.len);
	mail_body_get(&in, &m);
	if (wire_end(&in) == -1 || !is_named(l, &m)) {
		l->next++;
		lookup_try(l);
	} else if (l->answer == MSG_TOKEN_IS) {
		token_of_record(l, &m, r->secret);
	} else {
		show_record(l, &m);
	}
	mail_record_free(&m);
}

static void
lookup_open(struct lookup *l, struct octets value)
{
	struct record_sealed sealed = { l->handle, l->tries[l->next], value };
	struct octets none = { NULL, 0 };
	struct wire_out plain = { 0 };
	struct record r;

	if (record_open(l->job.account->seal, &sealed, &r, &plain) == -1) {
		log_error("vault-damaged", "a record cannot be opened");
		l->failed = true;
		lookup_unsettled(l, none);
	} else if (r.settled) {
		lookup_settled(l, &r);
	} else {
		lookup_unsettled(l, r.secret);
	}
	wire_free(&plain);
}

static void
lookup_got(void *arg, enum store_status status, struct octets value)
{
	struct lookup *l = arg;
	struct envid_parts *p = &l->tries[l->next];
	struct octets none = { NULL, 0 };

	if (status == STORE_OK && !l->minted[l->next] &&
	    record_kind(value, &p->kind) == -1)
		status = STORE_DAMAGED;
	if (envid_close(l->job.vault->cipher, p, l->handle) == -1)
		status = STORE_DAMAGED;
	if (status == STORE_OK) {
		lookup_open(l, value);
		return;
	}
	if (status != STORE_NOT_FOUND)
		l->failed = true;
	lookup_unsettled(l, none);
}

static void
lookup_try(struct lookup *l)
{
	uint8_t key[RECORD_KEY_LEN];

	if (l->next >= l->count) {
		lookup_fail(
		    l, l->failed ? KEEPER_UNAVAILABLE : KEEPER_NOT_FOUND);
		return;
	}
	record_key(&l->tries[l->next], key);
	store_get(l->job.vault->store, record_day(l->tries[l->next].time),
	    (struct octets){ key, sizeof(key) }, lookup_got, l);
}

/* Both that were found, the newer one first. */
static void
lookup_choose(struct lookup *l)
{
	struct envid_parts own;
	bool minted =
	    finder_is_own(l->job.vault, l->job.account, l->query.id, &own);

	l->failed = l->finder.failed;
	if (minted && (!l->finder.found || own.time > l->finder.parts.time)) {
		l->minted[l->count] = true;
		l->tries[l->count++] = own;
		minted = false;
	}
	if (l->finder.found)
		l->tries[l->count++] = l->finder.parts;
	if (minted) {
		l->minted[l->count] = true;
		l->tries[l->count++] = own;
	}
	lookup_try(l);
}

static void
lookup_step(struct slow *slow)
{
	struct lookup *l = (struct lookup *)(void *)((char *)slow -
	    offsetof(struct lookup, slow));

	if (!l->finder.finished)
		finder_step(&l->finder);
	if (!l->finder.finished || slow->waiting)
		return;
	slow_end(slow);
	lookup_choose(l);
}

static void
lookup_account(void *arg, struct account *account, enum store_status status)
{
	struct lookup *l = arg;

	if (account == NULL) {
		lookup_fail(l, vault_status_of(status));
		return;
	}
	if (account->slow >= SLOW_PER_ACCOUNT || l->query.id.len == 0) {
		uint8_t why =
		    l->query.id.len == 0 ? KEEPER_NOT_FOUND : KEEPER_LIMITED;

		accounts_release(account);
		lookup_fail(l, why);
		return;
	}
	l->job.account = account;
	account->slow++;
	slow_start(l->job.vault, &l->slow, lookup_step);
	if (finder_start(&l->finder, &l->slow, account, l->query.id) == -1) {
		slow_end(&l->slow);
		lookup_fail(l, KEEPER_UNAVAILABLE);
	}
}

static int
lookup_start(struct vault *v, struct question from, struct wire_in *body,
    unsigned answer)
{
	struct lookup *l = job_start(v, from, sizeof(*l), body);
	struct accounts_want want = { NULL, false, lookup_account, l };
	struct wire_in in;

	if (l == NULL)
		return -1;
	l->answer = answer;
	job_read(&l->job, &in);
	one_query_get(&in, &l->query);
	if (wire_end(&in) == -1) {
		job_end(&l->job);
		return -1;
	}
	if (!vault_knows(v, &l->query.ticket)) {
		lookup_fail(l, KEEPER_REFUSED);
		return 0;
	}
	want.name = l->query.ticket.account;
	accounts_want(&v->accounts, &want);
	return 0;
}

int
vault_show(struct vault *v, struct question from, struct wire_in *body)
{
	return lookup_start(v, from, body, MSG_SHOWN);
}

int
vault_token(struct vault *v, struct question from, struct wire_in *body)
{
	return lookup_start(v, from, body, MSG_TOKEN_IS);
}
