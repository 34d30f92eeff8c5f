/*
 * The claims of queue ids. Only a feed reads their rows, so none is put before
 * a feed has come. When the first one does, those of all messages there are
 * come from their records, account by account and in slices; it is told to
 * come again until they are durable.
 */
#include <string.h>

#include "common/log.h"
#include "secrets/queue_ids.h"

#define CLAIMS_A_COMMIT 256

static void
claims_rest(struct claims *c)
{
	slow_end(&c->slow);
	accounts_release(c->account);
	c->account = NULL;
	c->running = false;
}

/* The next feed that comes has it go on behind what is durable. */
static void
claims_pause(struct claims *c)
{
	claims_rest(c);
	c->number = c->from;
	log_warning("queue-ids",
	    "the queue ids of earlier messages cannot be written now: the "
	    "log waits");
}

/* Was it committed, and is it still wanted? */
static bool
claims_go_on(struct claims *c, enum store_status status)
{
	if (c->running && status != STORE_OK)
		claims_pause(c);
	return c->running;
}

static void
claims_kept(struct group_waiter *w, enum store_status status)
{
	struct claims *c = (struct claims *)(void *)w;

	if (!claims_go_on(c, status))
		return;
	claims_rest(c);
	c->state = CLAIMS_KEPT;
	log_info("queue-ids",
	    "the queue ids of earlier messages are gathered%s",
	    c->failed ? "; some could not be read" : "");
}

static void
claims_durable(struct group_waiter *w, enum store_status status)
{
	struct claims *c = (struct claims *)(void *)w;

	if (!claims_go_on(c, status))
		return;
	c->slow.waiting = false;
	c->unwritten = 0;
	c->from = c->account == NULL ? c->number : c->number - 1;
}

static void
claims_commit(
    struct claims *c, void (*done)(struct group_waiter *, enum store_status))
{
	c->slow.waiting = true;
	c->waiter.done = done;
	group_wait(&c->slow.vault->group, &c->waiter);
}

/* What could not be read is tried again by the keeper's next run. */
static void
claims_keep(struct claims *c)
{
	struct octets key = { (const uint8_t *)CLAIMS_KEPT_KEY,
		strlen(CLAIMS_KEPT_KEY) };

	if (c->account != NULL)
		c->failed |= c->walk.failed;
	if (!c->failed)
		group_put(&c->slow.vault->group, STORE_META, key,
		    (struct octets){ (const uint8_t *)"1", 1 });
	claims_commit(c, claims_kept);
}

static bool
claims_mail(void *arg, const struct envid_parts *parts, const struct record *r,
    const struct mail_record *m)
{
	struct claims *c = arg;

	/* Older vaults put their claims with the record. */
	if (r->claim.claimed == 0 || m->queue_id.len == 0)
		return true;
	queue_claim_put(c->slow.vault, parts, m, &r->claim);
	c->unwritten++;
	return true;
}

static void
claims_account(void *arg, struct account *account, enum store_status status)
{
	struct claims *c = arg;

	c->slow.waiting = false;
	c->account = account;
	if (account == NULL) {
		c->failed |= status != STORE_NOT_FOUND;
		return;
	}
	walk_start(&c->walk, &c->slow, account);
	c->walk.mail = claims_mail;
	c->walk.arg = c;
}

static void
account_next(struct claims *c)
{
	struct accounts_want want = { NULL, false, claims_account, c };

	if (c->account != NULL)
		c->failed |= c->walk.failed;
	accounts_release(c->account);
	c->account = NULL;
	c->slow.waiting = true;
	accounts_want_number(&c->slow.vault->accounts, c->number++, &want);
}

static void
claims_step(struct slow *slow)
{
	struct claims *c = &slow->vault->claims;

	/* Somebody else's commit may have had some with it, and failed. */
	if (c->lost != slow->vault->group.lost)
		claims_pause(c);
	else if (c->unwritten >= CLAIMS_A_COMMIT)
		claims_commit(c, claims_durable);
	else if (c->account != NULL && !c->walk.finished)
		walk_step(&c->walk);
	else if (c->number < slow->vault->accounts.next_number)
		account_next(c);
	else
		claims_keep(c);
}

bool
claims_ready(struct vault *v)
{
	struct claims *c = &v->claims;

	if (c->state == CLAIMS_KEPT || c->running || !vault_is_writable(v))
		return c->state == CLAIMS_KEPT;
	if (c->state == CLAIMS_IN_RECORDS) {
		log_info("queue-ids",
		    "a log is read for the first time: the queue ids of "
		    "earlier messages are gathered");
		c->state = CLAIMS_MAKING;
		c->number = c->from = 1;
	}
	c->running = true;
	c->lost = v->group.lost;
	slow_start(v, &c->slow, claims_step);
	/* What this turn settled before is in the store then. */
	claims_commit(c, claims_durable);
	return false;
}

void
claims_stop(struct vault *v)
{
	if (v->claims.running)
		claims_rest(&v->claims);
}
