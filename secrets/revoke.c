/*
 * REVOKE: from now on nobody tracks a message with its A. It is durable
 * before it is answered, and goes with the message's day.
 */
#include "secrets/lookup.h"

static void
revoke_fail(struct wire_out *body, uint8_t status)
{
	struct revoke_answer answer = { .status = status };

	revoke_answer_put(body, &answer);
}

static void
revoke_end(struct lookup *l)
{
	struct revoke_answer answer = { .status = KEEPER_OK,
		.envid = l->mail.envid,
		.mtrk_sent = (l->mail.flags & MAIL_MTRK_SENT) != 0 };
	struct wire_out body = { 0 };

	lookup_log(l, "revoke");
	wire_begin(&body);
	revoke_answer_put(&body, &answer);
	lookup_end(l, &body);
	wire_free(&body);
}

static void
revoke_durable(struct group_waiter *w, enum store_status status)
{
	struct lookup *l = (struct lookup *)(void *)w;

	if (status == STORE_OK)
		revoke_end(l);
	else
		lookup_fail(l, vault_status_of(status));
}

static void
revoke_found(struct lookup *l)
{
	struct vault *v = l->job.vault;
	const struct envid_parts *p = &l->tries[l->next];
	uint8_t key[RECORD_KEY_LEN];
	static const uint8_t revoked[] = { 1 };

	if ((l->mail.flags & MAIL_UNTRACKED) != 0) {
		lookup_fail(l, KEEPER_NO_SECRET);
		return;
	}
	if (l->revoked) {
		revoke_end(l);
		return;
	}
	if (!vault_is_writable(v) ||
	    !store_has_day(v->store, record_day(p->time))) {
		lookup_fail(l, KEEPER_UNAVAILABLE);
		return;
	}
	record_revoked(p, key);
	group_put(&v->group, record_day(p->time),
	    (struct octets){ key, sizeof(key) },
	    (struct octets){ revoked, sizeof(revoked) });
	l->job.waiter.done = revoke_durable;
	group_wait(&v->group, &l->job.waiter);
}

int
vault_revoke(struct vault *v, struct question from, struct wire_in *body)
{
	static const struct lookup_kind kind = { MSG_REVOKED, true,
		revoke_found, revoke_fail };

	return lookup_start(v, from, body, &kind);
}
