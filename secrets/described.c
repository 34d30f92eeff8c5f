/*
 * Messages whose end was sent and whose outcome is not known yet: in memory
 * only, and bounded. They are written when their proxy is lost, so that a
 * message that may have been accepted can be found.
 */
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "secrets/vault_inside.h"

#define COUNT_MOST   200000
#define OCTETS_MOST  (64u << 20)
#define WRITE_A_STEP 16
#define DUE	     0 /* since: it is at the head, to be written */

struct described {
	TAILQ_ENTRY(described) next;
	LIST_ENTRY(described) chain;
	uint8_t handle[HANDLE_LEN];
	uint64_t asker;
	uint64_t since; /* ms */
	size_t len;
	uint8_t body[];
};

void
described_start(struct vault *v)
{
	TAILQ_INIT(&v->described.list);
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

static void
unlink_one(struct vault *v, struct described *d)
{
	TAILQ_REMOVE(&v->described.list, d, next);
	LIST_REMOVE(d, chain);
	v->described.count--;
	v->described.octets -= d->len;
}

static void
wipe(struct described *d)
{
	OPENSSL_cleanse(d->body, d->len);
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

void
described_keep(struct vault *v, uint64_t asker,
    const struct mail_record *record, struct octets body)
{
	struct described_set *set = &v->described;
	struct described *d;

	described_forget(v, record->handle, record->ticket.account);
	if (set->count >= COUNT_MOST || body.len > OCTETS_MOST - set->octets)
		return;
	d = malloc(sizeof(*d) + body.len);
	if (d == NULL)
		return;
	memcpy(d->handle, record->handle, HANDLE_LEN);
	d->asker = asker;
	d->since = vault_now(v);
	d->len = body.len;
	memcpy(d->body, body.data, body.len);
	TAILQ_INSERT_TAIL(&set->list, d, next);
	LIST_INSERT_HEAD(chain_of(v, record->handle), d, chain);
	set->count++;
	set->octets += d->len;
}

bool
described_find(struct vault *v, const uint8_t handle[HANDLE_LEN],
    const char *account, struct octets *body)
{
	const struct described *d = find(v, handle, account);

	if (d == NULL)
		return false;
	*body = (struct octets){ d->body, d->len };
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
		settle_unknown(v, d->body, d->len);
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
		if ((asker != 0 && d->asker != asker) || d->since > before)
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
		wipe(d);
	}
	described_start(v);
}
