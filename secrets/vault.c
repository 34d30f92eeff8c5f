/*
 * The vault between its questions: what all of them share, the end of a turn,
 * the hour, and what the operator may ask.
 */
#include "secrets/vault.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "secrets/vault_inside.h"

#define DESCRIBED_MS 9000000u /* longer than an MSA is waited for */

uint64_t
vault_now(const struct vault *v)
{
	return v->owner.now();
}

bool
vault_knows(struct vault *v, const struct ticket *ticket)
{
	struct log_line line;
	uint64_t withheld;

	if (tickets_know(v->tickets, ticket, vault_now(v) / 1000))
		return true;
	if (!seldom_may(&v->ticket_lines, vault_now(v), &withheld))
		return false;
	log_begin(&line, LOG_IS_WARNING, "ticket-refused");
	log_session(&line, ticket->session);
	log_text(&line, "user", ticket->account);
	if (withheld != 0)
		log_number(&line, "withheld", (int64_t)withheld);
	log_end(&line);
	return false;
}

/* Asked once a turn: the disk does not fill within one. */
bool
vault_is_writable(struct vault *v)
{
	bool was = v->writable;

	if (v->writable_known)
		return v->writable;
	v->writable = store_is_writable(v->store);
	v->writable_known = true;
	if (was && !v->writable)
		log_error("vault-full",
		    "less than vault.min_free is free: nothing is written; "
		    "free_bytes=%" PRId64,
		    store_free_octets(v->store));
	else if (!was && v->writable)
		log_info("vault-writable", "there is room again");
	return v->writable;
}

uint8_t
vault_status_of(enum store_status status)
{
	switch (status) {
	case STORE_OK:
		return KEEPER_OK;
	case STORE_NOT_FOUND:
		return KEEPER_NOT_FOUND;
	case STORE_FULL:
	case STORE_DAMAGED:
	case STORE_FAILED:
		break;
	}
	return KEEPER_UNAVAILABLE;
}

uint32_t
vault_day_below(const struct vault *v, uint32_t day)
{
	size_t count;
	const uint32_t *days = store_days(v->store, &count);

	while (count > 0 && days[count - 1] >= day)
		count--;
	return count > 0 ? days[count - 1] : 0;
}

static void
reservation_done(struct group_waiter *w, enum store_status status)
{
	struct vault *v = (struct vault *)(void *)((char *)w -
	    offsetof(struct vault, reservation));

	if (status == STORE_OK)
		timeline_reserve(&v->timeline, v->reserving);
	v->reserving = 0;
}

void
vault_put_clock(struct vault *v, uint64_t reserved)
{
	uint8_t value[9];

	for (int i = 0; i < 8; i++)
		value[i] = (uint8_t)(reserved >> (56 - 8 * i));
	value[8] = v->timeline.doubted;
	group_put(&v->group, STORE_META,
	    (struct octets){ (const uint8_t *)"clock", 5 },
	    (struct octets){ value, sizeof(value) });
}

static void
warn_of_clock(void)
{
	log_warning("clock",
	    "the clock is more than a day ahead of what it was: "
	    "nothing expires until you agree by: "
	    "waybillctl accept-clock");
}

/* Was a clock believed, perhaps a new vault's first, that was far ahead? */
static bool
is_behind(const struct vault *v, uint64_t now)
{
	return v->timeline.time > now + TIMELINE_DAY_MS;
}

void
vault_reserve(struct vault *v)
{
	uint64_t now = vault_now(v);
	uint64_t wanted = timeline_wants(&v->timeline, now);

	/* A run that begins with the time of a leap must know of its doubt. */
	if (timeline_watch(&v->timeline, now))
		warn_of_clock();
	if (wanted == 0 || v->reserving != 0)
		return;
	v->reserving = wanted;
	vault_put_clock(v, wanted);
	v->reservation.done = reservation_done;
	/* First of all who wait: they may have been given this time. */
	STAILQ_INSERT_HEAD(&v->group.waiters, &v->reservation, next);
	v->group.waiting++;
}

size_t
vault_gathered(const struct vault *v)
{
	/* Soon settled by their proxies; those of a lost one come in slices. */
	if (v->described.count == 0 || v->described.writing ||
	    v->group.waiting < MANY_WAIT)
		return 0;
	return v->group.waiting;
}

void
vault_commit(struct vault *v)
{
	bool facts = v->facts_due && vault_is_writable(v);
	uint64_t lost = v->group.lost;

	if (group_is_wanted(&v->group)) {
		if (facts)
			vault_put_facts(v);
		vault_reserve(v);
		group_commit(&v->group, false);
		if (facts && v->group.lost == lost)
			v->facts_due = false;
	}
	v->writable_known = false;
}

bool
vault_slices(struct vault *v)
{
	return slow_run(v) || group_is_wanted(&v->group);
}

static void
day_made(void *arg, enum store_status status)
{
	(void)arg;
	if (status != STORE_OK)
		log_error("vault", "the family of a day cannot be made");
}

static void
day_dropped(void *arg, enum store_status status)
{
	uint32_t *day = arg;

	if (status == STORE_OK)
		log_info("vault-expired", "day=%" PRIu32, *day);
}

/* Days all of whose messages are past retention, oldest first. */
static void
expire(struct vault *v, uint64_t now)
{
	size_t count;
	const uint32_t *days = store_days(v->store, &count);

	while (count > 0 &&
	    ((uint64_t)days[0] + 1) * TIMELINE_DAY_MS + v->retention < now) {
		uint32_t day = days[0];

		/* What this turn put into it would make its batch void. */
		group_commit(&v->group, true);
		store_day_drop(v->store, day, day_dropped, &day);
		days = store_days(v->store, &count);
		if (count > 0 && days[0] == day)
			return; /* it could not be dropped */
	}
}

void
vault_hour(struct vault *v)
{
	uint64_t now = vault_now(v);
	uint32_t today = record_day(now);

	if (timeline_watch(&v->timeline, now) || v->timeline.doubted)
		warn_of_clock();
	else if (is_behind(v, now))
		log_warning("clock",
		    "the clock is more than a day behind what it was: "
		    "messages get a time ahead of it until you agree by: "
		    "waybillctl accept-clock");
	for (uint32_t day = today; day <= today + 2; day++)
		store_day_make(v->store, day, day_made, v);
	if (!v->timeline.doubted)
		expire(v, now);
	if (now > DESCRIBED_MS)
		described_write(v, 0, now - DESCRIBED_MS);
	/* Durable once an hour even where nobody sends: a leap shows by it. */
	vault_reserve(v);
}

/*
 * The clock was far ahead for a while and ENVIDs were given for that time: go
 * back to the present under another node's number, so that none comes twice.
 */
static void
start_over(struct vault *v)
{
	uint8_t value[2];

	v->node = (uint16_t)((v->node + 1) & 0xfff);
	value[0] = (uint8_t)(v->node >> 8);
	value[1] = (uint8_t)v->node;
	group_put(&v->group, STORE_META,
	    (struct octets){ (const uint8_t *)"node", 4 },
	    (struct octets){ value, sizeof(value) });
	/* nothing leaves before the next reservation is durable, and this */
	timeline_start(&v->timeline, 0, false, vault_now(v));
	v->reserving = 0;
	vault_put_clock(v, vault_now(v));
}

bool
vault_accept_clock(struct vault *v, char *out, size_t size)
{
	uint64_t now = vault_now(v);

	if (!v->timeline.doubted && !is_behind(v, now)) {
		snprintf(out, size, "the clock was not in doubt");
		return true;
	}
	/* Who waits now was given a time that start_over() takes back. */
	vault_commit(v);
	v->timeline.doubted = false;
	v->timeline.seen = now;
	if (is_behind(v, now))
		start_over(v);
	else
		vault_put_clock(v,
		    v->timeline.reserved > v->reserving ? v->timeline.reserved
							: v->reserving);
	group_commit(&v->group, true);
	vault_hour(v);
	log_info("clock", "the operator agrees with the clock");
	snprintf(out, size,
	    "the clock is accepted; what is past retention was dropped");
	return true;
}

void
vault_asker_gone(struct vault *v, uint64_t asker)
{
	described_write(v, asker, UINT64_MAX);
}

void
vault_status(const struct vault *v, char *out, size_t size)
{
	size_t days;

	store_days(v->store, &days);
	snprintf(out, size,
	    "mints=%" PRIu64 " settles=%" PRIu64 " forgets=%" PRIu64
	    " lists=%" PRIu64 " tokens=%" PRIu64 " events=%" PRIu64
	    " statuses=%" PRIu64 " contested_ids=%" PRIu64 " accounts=%" PRIu64
	    " batches=%" PRIu64 " largest_batch=%" PRIu64
	    " described=%zu families=%zu free_bytes=%" PRId64
	    " clock_doubted=%d",
	    v->mints, v->settles, v->forgets, v->lists, v->tokens, v->events,
	    v->statuses, v->contested, v->accounts.next_number - 1,
	    v->group.batches, v->group.largest, v->described.count, days,
	    store_free_octets(v->store),
	    v->timeline.doubted || is_behind(v, vault_now(v)));
}

bool
vault_is_busy(const struct vault *v)
{
	return v->jobs != 0 || v->described.writing ||
	    group_is_wanted(&v->group);
}

bool
vault_is_broken(const struct vault *v)
{
	/* what worked once may work again; else what can be read is served */
	return store_is_broken(v->store) && v->group.batches > 1;
}
