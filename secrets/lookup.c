/*
 * One message of the asking user, by ENVID or Message-ID. A message of
 * somebody else's is as unknown as one that never was.
 */
#include "secrets/lookup.h"

#include <string.h>
#include <strings.h>

#include "common/log.h"

void
lookup_end(struct lookup *l, const struct wire_out *body)
{
	if (l->job.account != NULL)
		l->job.account->slow--;
	events_free(&l->events);
	mail_record_free(&l->mail);
	wire_free(&l->plain);
	job_answer(&l->job, l->kind->answer, body);
}

void
lookup_fail(struct lookup *l, uint8_t status)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	l->kind->fail(&body, status);
	lookup_end(l, &body);
	wire_free(&body);
}

void
lookup_log(const struct lookup *l, const char *event)
{
	struct log_line line;

	log_begin(&line, LOG_IS_INFO, event);
	log_session(&line, l->query.ticket.session);
	log_text(&line, "user", l->query.ticket.account);
	log_octets(&line, "envid", l->mail.envid);
	log_octets(&line, "client", l->query.client);
	log_end(&line);
}

static void
lookup_revoked(void *arg, enum store_status status, struct octets value)
{
	struct lookup *l = arg;

	(void)value;
	/* Where that is damaged, the user is served what can be read. */
	l->revoked = status == STORE_OK;
	l->kind->found(l);
}

static void
lookup_found(struct lookup *l)
{
	const struct envid_parts *p = &l->tries[l->next];
	uint8_t key[RECORD_KEY_LEN];

	record_revoked(p, key);
	store_get(l->job.vault->store, record_day(p->time),
	    (struct octets){ key, sizeof(key) }, lookup_revoked, l);
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

	if (l->kind->unsettled && l->minted[l->next] &&
	    (p->kind == ENVID_DERIVED || secret.len != 0) &&
	    envid_parse(l->query.id, handle, &fqhn) == 0 &&
	    fqhn.len == strlen(v->fqhn) &&
	    strncasecmp((const char *)fqhn.data, v->fqhn, fqhn.len) == 0 &&
	    p->time + v->retention >= vault_now(v)) {
		l->mail = (struct mail_record){ .envid = l->query.id };
		l->secret = secret;
		lookup_found(l);
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
	if (record_mail(r, &l->mail) == -1 || !is_named(l, &l->mail)) {
		mail_record_free(&l->mail);
		l->next++;
		lookup_try(l);
		return;
	}
	l->secret = r->secret;
	lookup_found(l);
}

static void
lookup_open(struct lookup *l, struct octets value)
{
	struct record_sealed sealed = { l->handle, l->tries[l->next], value };
	struct octets none = { NULL, 0 };
	struct record r;

	if (record_open(l->job.account->seal, &sealed, &r, &l->plain) == -1) {
		log_error("vault-damaged", "a record cannot be opened");
		l->failed = true;
		lookup_unsettled(l, none);
	} else if (r.settled) {
		lookup_settled(l, &r);
	} else {
		lookup_unsettled(l, r.secret);
	}
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

int
lookup_start(struct vault *v, struct question from, struct wire_in *body,
    const struct lookup_kind *kind)
{
	struct lookup *l = job_start(v, from, sizeof(*l), body);
	struct accounts_want want = { NULL, false, lookup_account, l };
	struct wire_in in;

	if (l == NULL)
		return -1;
	l->kind = kind;
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
