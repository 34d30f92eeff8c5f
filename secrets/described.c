/*
 * Messages whose end was sent and whose outcome is not known yet: in memory
 * only, and bounded. They are written when their proxy is lost, so that a
 * message that may have been accepted can be found.
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "secrets/vault_inside.h"

#define COUNT_MOST   200000
#define OCTETS_MOST  (64u << 20)
#define SHARE	     4 /* an asker has at most that part of both */
#define WRITE_A_STEP 16
#define DUE	     0 /* since: it is at the head, to be written */

/* What one asker has here. */
struct described_asker {
	LIST_ENTRY(described_asker) next;
	uint64_t asker;
	size_t count;
	size_t octets;
};

struct described {
	TAILQ_ENTRY(described) next;
	LIST_ENTRY(described) chain;
	uint8_t handle[HANDLE_LEN];
	struct described_asker *asker;
	uint64_t since; /* ms */
	uint8_t outcome;
	size_t len;
	uint8_t body[];
};

void
described_start(struct vault *v)
{
	TAILQ_INIT(&v->described.list);
	LIST_INIT(&v->described.askers);
	for (size_t i = 0; i < DESCRIBED_CHAINS; i++)
		LIST_INIT(&v->described.chains[i]);
}

static struct described_chain *
chain_of(struct vault *v, const uint8_t *handle)
{
	size_t place = handle[1] | (size_t)handle[2] << 8;

	return &v->described.chains[place % DESCRIBED_CHAINS];
}

static bool
is_of(const struct described *d, const char *account)
{
	struct ticket ticket;
	struct wire_in in;

	wire_read(&in, d->body, d->len);
	ticket_get(&in, &ticket);
	return strcmp(ticket.account, account) == 0;
}

/*
 * Whose a handle is, is looked at when it is written: until then who names
 * another's must not reach what the other described.
 */
static struct described *
find(struct vault *v, const uint8_t *handle, const char *account)
{
	struct described *d;

	LIST_FOREACH(d, chain_of(v, handle), chain)
		if (memcmp(d->handle, handle, HANDLE_LEN) == 0 &&
		    is_of(d, account))
			return d;
	return NULL;
}

static struct described_asker *
asker_get(struct described_set *set, uint64_t asker)
{
	struct described_asker *a;

	LIST_FOREACH(a, &set->askers, next)
		if (a->asker == asker)
			return a;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return NULL;
	a->asker = asker;
	LIST_INSERT_HEAD(&set->askers, a, next);
	return a;
}

static void
asker_put(struct described_asker *a)
{
	if (a == NULL || a->count != 0)
		return;
	LIST_REMOVE(a, next);
	free(a);
}

static void
unlink_one(struct vault *v, struct described *d)
{
	d->asker->count--;
	d->asker->octets -= d->len;
	asker_put(d->asker);
	TAILQ_REMOVE(&v->described.list, d, next);
	LIST_REMOVE(d, chain);
	v->described.count--;
	v->described.octets -= d->len;
}

static void
wipe(struct described *d)
{
	explicit_bzero(d->body, d->len);
	free(d);
}

void
described_forget(
    struct vault *v, const uint8_t handle[HANDLE_LEN], const char *account)
{
	struct described *d = find(v, handle, account);

	if (d == NULL)
		return;
	unlink_one(v, d);
	wipe(d);
}

/*
 * One asker that is mad, or not ours any more, leaves the others their room.
 * What nobody in particular has was counted when it came, and is kept.
 */
static bool
has_room(const struct described_set *set, const struct described_asker *a,
    size_t len)
{
	if (set->count >= COUNT_MOST || len > OCTETS_MOST - set->octets)
		return false;
	return a->asker == 0 ||
	    (a->count < COUNT_MOST / SHARE &&
		a->octets + len <= OCTETS_MOST / SHARE);
}

static void
tell_full(struct vault *v)
{
	uint64_t withheld;

	if (seldom_may(&v->described.full_lines, vault_now(v), &withheld))
		log_warning("described-full",
		    "too many messages wait for their outcome: were this "
		    "asker lost now, one of them could not be found");
}

static void
put_one(struct vault *v, struct described *d, struct described_asker *a)
{
	struct described_set *set = &v->described;

	TAILQ_INSERT_TAIL(&set->list, d, next);
	LIST_INSERT_HEAD(chain_of(v, d->handle), d, chain);
	d->asker = a;
	a->count++;
	a->octets += d->len;
	set->count++;
	set->octets += d->len;
}

void
described_keep(struct vault *v, uint64_t asker,
    const struct mail_record *record, struct octets body)
{
	struct described_asker *a;
	struct described *d;

	d = find(v, record->handle, record->ticket.account);
	if (d != NULL && d->outcome > record->outcome)
		return;
	described_forget(v, record->handle, record->ticket.account);
	a = asker_get(&v->described, asker);
	if (a == NULL || !has_room(&v->described, a, body.len) ||
	    (d = malloc(sizeof(*d) + body.len)) == NULL) {
		asker_put(a);
		tell_full(v);
		return;
	}
	memcpy(d->handle, record->handle, HANDLE_LEN);
	d->since = vault_now(v);
	d->outcome = record->outcome;
	d->len = body.len;
	memcpy(d->body, body.data, body.len);
	put_one(v, d, a);
}

bool
described_find(struct vault *v, const uint8_t handle[HANDLE_LEN],
    const char *account, struct octets *body, uint8_t *outcome)
{
	const struct described *d = find(v, handle, account);

	if (d == NULL)
		return false;
	*body = (struct octets){ d->body, d->len };
	*outcome = d->outcome;
	return true;
}

int
vault_describe(struct vault *v, struct question from, struct wire_in *body)
{
	struct octets copy = { body->next, (size_t)(body->end - body->next) };
	struct mail_record record = { 0 };
	struct envid_parts parts;
	int rc;

	mail_record_get(body, &record);
	rc = wire_end(body);
	record.outcome = OUTCOME_UNKNOWN;
	if (rc == 0 && vault_knows(v, &record.ticket) &&
	    envid_open(v->cipher, record.handle, &parts) == 0)
		described_keep(v, from.asker, &record, copy);
	mail_record_free(&record);
	return rc;
}

static void
write_some(struct slow *slow)
{
	struct vault *v = slow->vault;
	struct described *d;

	for (int i = 0; i < WRITE_A_STEP; i++) {
		d = TAILQ_FIRST(&v->described.list);
		if (d == NULL || d->since != DUE) {
			slow_end(slow);
			v->described.writing = false;
			return;
		}
		/* What cannot be written is kept again, after the last. */
		unlink_one(v, d);
		settle_described(v, d->body, d->len, d->outcome);
		wipe(d);
	}
}

void
described_write(struct vault *v, uint64_t asker, uint64_t before)
{
	struct described_set *set = &v->described;
	struct described *d, *next;

	for (d = TAILQ_FIRST(&set->list); d != NULL; d = next) {
		next = TAILQ_NEXT(d, next);
		if ((asker != 0 && d->asker->asker != asker) ||
		    d->since > before)
			continue;
		TAILQ_REMOVE(&set->list, d, next);
		TAILQ_INSERT_HEAD(&set->list, d, next);
		d->since = DUE;
		if (!set->writing)
			slow_start(v, &set->slow, write_some);
		set->writing = true;
	}
}

void
described_free(struct vault *v)
{
	struct described *d, *next;

	for (d = TAILQ_FIRST(&v->described.list); d != NULL; d = next) {
		next = TAILQ_NEXT(d, next);
		unlink_one(v, d);
		wipe(d);
	}
	described_start(v);
}
