/*
 * STATUS: one message for whoever proves to know A (RFC 3887 4). Unknown,
 * wrong, revoked and expired are one answer; their work differs by some
 * microseconds, less than the grid that the tracker's refusals leave on. A
 * message that is still queued is never denied (RFC 3885 3.1).
 */
#include <string.h>

#include <openssl/crypto.h>

#include "common/log.h"
#include "common/status.h"
#include "secrets/events.h"

enum { TRACKS_MAX = 1024, TRIES_MAX = 8 };

struct track_job {
	struct job job; /* first */
	struct slow slow;
	struct status_query query;
	uint8_t prefix[1 + SEAL_HASH_LEN];
	uint32_t day;				 /* the last one searched */
	struct envid_parts tries[1 + TRIES_MAX]; /* the ENVID's own first */
	unsigned count, next;
	unsigned proved; /* place of the first that is, from 1 on */
	bool answering;	 /* none of them is revoked: from there again */
	bool failed;	 /* something could not be read */
	uint8_t handle[HANDLE_LEN];
	struct wire_out plain; /* the record that is tried */
	uint8_t secret[SECRET_MAX];
	struct mail_record mail;
	struct events events;
};

static void
track_end(struct track_job *t, uint8_t status)
{
	const struct mail_record nothing = { 0 };
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u8(&body, status);
	mail_body_put(&body, status == KEEPER_OK ? &t->mail : &nothing);
	if (status == KEEPER_OK) {
		t->job.vault->statuses++;
		events_answer(&t->events, &body, WIRE_BODY_MAX - body.len);
	} else {
		wire_put_u32(&body, 0);
	}
	t->job.vault->tracks--;
	events_free(&t->events);
	mail_record_free(&t->mail);
	wire_free(&t->plain);
	job_answer(&t->job, MSG_STATUS_IS, &body);
	wire_free(&body);
}

static void track_try(struct track_job *);

static void
track_next(struct track_job *t)
{
	events_free(&t->events);
	mail_record_free(&t->mail);
	accounts_release(t->job.account);
	t->job.account = NULL;
	t->next++;
	track_try(t);
}

/* Is there a recipient for whom it is not over, as far as is known? */
static bool
is_queued(const struct track_job *t)
{
	const struct status_view view = { .reveal_aliases = true };
	struct history stored = { NULL, 0 }, all;
	struct octets nowhere = { NULL, 0 };
	struct status_list list;
	bool queued = false;
	int rc;

	stored.events = events_plain(&t->events);
	stored.count = stored.events == NULL ? 0 : t->events.count;
	rc = history_of_record(&t->mail, &stored, nowhere, &all);
	if (rc == 0 &&
	    status_derive(all.events, all.count, &view, &list) == 0) {
		for (size_t i = 0; i < list.count; i++)
			queued |= list.rows[i].action <= ACTION_DELAYED;
		status_list_free(&list);
	}
	history_free(&all);
	history_free(&stored);
	return queued;
}

/* The client's own time is over, and nothing waits here any more. */
static bool
is_expired(const struct track_job *t)
{
	const struct mail_record *m = &t->mail;

	return (m->flags & MAIL_CLIENT_MTRK) != 0 && m->timeout != 0 &&
	    m->time + (uint64_t)m->timeout * 1000 < vault_now(t->job.vault) &&
	    !is_queued(t);
}

static void
track_events(void *arg, struct events *es, enum store_status status)
{
	struct track_job *t = arg;
	struct octets none = { NULL, 0 };

	(void)es;
	if (status != STORE_OK) {
		t->failed = true;
		track_next(t);
		return;
	}
	if (is_expired(t)) {
		track_next(t);
		return;
	}
	/* Who tracks learns what became of it, not what it is about. */
	t->mail.message_id = t->mail.subject = t->mail.sender = none;
	memset(t->mail.certifier, 0, sizeof(t->mail.certifier));
	track_end(t, KEEPER_OK);
}

/*
 * A client that submits once more brings the same ENVID and B again, and so
 * may somebody who saw them: what the first one's account revoked is revoked
 * with all that they prove.
 */
static bool
ends_all(const struct track_job *t)
{
	return t->proved == 0 ||
	    t->tries[t->proved - 1].account == t->tries[t->next].account;
}

static void
track_revoked(void *arg, enum store_status status, struct octets value)
{
	struct track_job *t = arg;
	struct events_of of = { t->job.vault, t->job.account,
		t->tries[t->next] };

	(void)value;
	if (status != STORE_NOT_FOUND) {
		t->failed |= status != STORE_OK;
		if (ends_all(t)) {
			t->proved = 0;
			t->count = t->next + 1;
		}
		track_next(t);
		return;
	}
	if (!t->answering && (t->proved != 0 || t->next + 1 < t->count)) {
		if (t->proved == 0)
			t->proved = t->next + 1;
		track_next(t);
		return;
	}
	t->events = (struct events){ .done = track_events, .arg = t };
	events_read(&t->events, &of);
}

/* What was described and could not be written yet is known all the same. */
static bool
read_described(struct track_job *t)
{
	struct vault *v = t->job.vault;
	struct octets body;
	struct wire_in in;
	uint8_t outcome;

	if (!v->remember_recipients ||
	    !described_find(
		v, t->handle, t->job.account->name, &body, &outcome))
		return false;
	wire_begin(&t->plain);
	wire_put_raw(&t->plain, body.data, body.len);
	if (t->plain.failed)
		return false;
	wire_read(&in, t->plain.data, t->plain.len);
	mail_record_get(&in, &t->mail);
	t->mail.outcome = outcome;
	return wire_end(&in) == 0 &&
	    strcmp(t->mail.ticket.account, t->job.account->name) == 0;
}

/* Read the message that is tried; secret is its A, where that is stored. */
static bool
read_mail(struct track_job *t, struct octets value, struct octets *secret)
{
	struct record_sealed sealed = { t->handle, t->tries[t->next], value };
	struct record r = { .secret = { t->secret, 0 } };

	memset(&t->mail, 0, sizeof(t->mail));
	if (value.len != 0 &&
	    record_open(t->job.account->seal, &sealed, &r, &t->plain) == -1) {
		log_error("vault-damaged", "a record cannot be opened");
		t->failed = true;
		return false;
	}
	if (!r.settled) {
		if (r.secret.len != 0)
			memcpy(t->secret, r.secret.data, r.secret.len);
		*secret = (struct octets){ t->secret, r.secret.len };
		return read_described(t);
	}
	*secret = r.secret;
	return record_mail(&r, &t->mail) == 0;
}

static void
track_got(void *arg, enum store_status status, struct octets value)
{
	static const struct account nobody;
	struct track_job *t = arg;
	const struct envid_parts *p = &t->tries[t->next];
	const struct account *a = t->job.account;
	uint8_t certifier[CERTIFIER_LEN], key[RECORD_KEY_LEN];
	struct octets secret = { NULL, 0 };
	bool known;

	if (status != STORE_OK)
		value.len = 0;
	if (status != STORE_OK && status != STORE_NOT_FOUND)
		t->failed = true;
	known = a != NULL && read_mail(t, value, &secret) &&
	    (t->mail.flags & MAIL_UNTRACKED) == 0 &&
	    record_has_envid(&t->mail, t->query.envid) &&
	    p->time + t->job.vault->retention >= vault_now(t->job.vault);
	if (record_certifier(
		known ? a : &nobody, &t->mail, secret, certifier) == -1)
		known = false;
	if (CRYPTO_memcmp(certifier, t->query.certifier, CERTIFIER_LEN) != 0)
		known = false;
	if (!known) {
		track_next(t);
		return;
	}
	record_revoked(p, key);
	store_get(t->job.vault->store, record_day(p->time),
	    (struct octets){ key, sizeof(key) }, track_revoked, t);
}

static void
track_kind(void *arg, enum store_status status, struct octets value)
{
	struct track_job *t = arg;
	struct envid_parts *p = &t->tries[t->next];

	/* Of an ENVID that was not drawn here only the record knows it. */
	if (status == STORE_OK && t->next != 0 &&
	    record_kind(value, &p->kind) == -1)
		status = STORE_DAMAGED;
	if (t->next != 0 &&
	    envid_close(t->job.vault->cipher, p, t->handle) == -1)
		status = STORE_DAMAGED;
	track_got(t, status, value);
}

static void
track_account(void *arg, struct account *account, enum store_status status)
{
	struct track_job *t = arg;
	const struct envid_parts *p = &t->tries[t->next];
	uint8_t key[RECORD_KEY_LEN];

	t->job.account = account;
	if (account == NULL && status != STORE_NOT_FOUND)
		t->failed = true;
	record_key(p, key);
	store_get(t->job.vault->store, record_day(p->time),
	    (struct octets){ key, sizeof(key) }, track_kind, t);
}

static void
track_try(struct track_job *t)
{
	struct accounts_want want = { NULL, false, track_account, t };

	if (t->next == t->count && t->proved != 0 && !t->answering) {
		t->answering = true;
		t->next = t->proved - 1;
	}
	if (t->next == t->count)
		track_end(t, t->failed ? KEEPER_UNAVAILABLE : KEEPER_NOT_FOUND);
	else
		accounts_want_number(
		    &t->job.vault->accounts, t->tries[t->next].account, &want);
}

/* The oldest come first: B is out only once its own message is. */
static bool
track_row(void *arg, struct octets index, struct octets value)
{
	struct track_job *t = arg;
	uint8_t key[RECORD_KEY_LEN];
	struct envid_parts parts = { 0 };
	unsigned at = t->count;

	(void)value;
	if (record_indexed(index, key) == -1 ||
	    record_parts((struct octets){ key, sizeof(key) }, &parts) == -1)
		return true;
	while (at > 1 && t->tries[at - 1].time > parts.time)
		at--;
	if (at == 1 + TRIES_MAX)
		return true;
	if (t->count == 1 + TRIES_MAX)
		t->count--;
	memmove(
	    &t->tries[at + 1], &t->tries[at], (t->count - at) * sizeof(parts));
	t->tries[at] = parts;
	t->count++;
	return true;
}

static void
track_searched(void *arg, enum store_status status)
{
	struct track_job *t = arg;

	t->slow.waiting = false;
	t->failed |= status != STORE_OK;
}

static void
track_step(struct slow *slow)
{
	struct track_job *t = (struct track_job *)(void *)((char *)slow -
	    offsetof(struct track_job, slow));
	struct store_scan scan = { .row = track_row, .done = track_searched };

	t->day = vault_day_below(slow->vault, t->day);
	if (t->day == 0) {
		slow_end(slow);
		track_try(t);
		return;
	}
	scan.family = t->day;
	scan.prefix = (struct octets){ t->prefix, sizeof(t->prefix) };
	scan.arg = t;
	slow->waiting = true;
	store_scan(slow->vault->store, &scan);
}

/* The message that the ENVID itself names, or one that there never was. */
static void
track_own(struct track_job *t)
{
	struct vault *v = t->job.vault;
	struct octets fqhn;

	if (envid_parse(t->query.envid, t->handle, &fqhn) == -1 ||
	    envid_open(v->cipher, t->handle, &t->tries[0]) == -1)
		t->tries[0] = (struct envid_parts){ .time = vault_now(v) };
	t->count = 1;
}

int
vault_track(struct vault *v, struct question from, struct wire_in *body)
{
	struct track_job *t = job_start(v, from, sizeof(*t), body);
	uint8_t hash[SEAL_HASH_LEN];
	struct wire_in in;

	if (t == NULL)
		return -1;
	job_read(&t->job, &in);
	status_query_get(&in, &t->query);
	if (wire_end(&in) == -1) {
		job_end(&t->job);
		return -1;
	}
	track_own(t);
	t->day = UINT32_MAX;
	if (v->tracks++ >= TRACKS_MAX ||
	    record_hash_certifier(
		v, t->query.envid, t->query.certifier, hash) == -1) {
		track_end(t, KEEPER_UNAVAILABLE);
		return 0;
	}
	t->prefix[0] = RECORD_BY_CERTIFIER;
	memcpy(t->prefix + 1, hash, SEAL_HASH_LEN);
	slow_start(v, &t->slow, track_step);
	return 0;
}
