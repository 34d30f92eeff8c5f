/*
 * SHOW: what is known of one message of the asking user, and what happened
 * to it since.
 */
#include "secrets/lookup.h"

static void
show_put(struct wire_out *body, const struct mail_record *m, bool revoked)
{
	wire_put_u8(body, KEEPER_OK);
	mail_body_put(body, m);
	wire_put_u8(body, revoked);
}

static void
show_fail(struct wire_out *body, uint8_t status)
{
	const struct mail_record nothing = { 0 };

	show_put(body, &nothing, false);
	if (!body->failed)
		body->data[0] = status;
	wire_put_u32(body, 0);
}

static void
show_events(void *arg, struct events *es, enum store_status status)
{
	struct lookup *l = arg;
	struct wire_out body = { 0 };

	(void)status; /* of what is damaged, what can be read is served */
	wire_begin(&body);
	show_put(&body, &l->mail, l->revoked);
	events_answer(es, &body, WIRE_BODY_MAX - body.len);
	lookup_end(l, &body);
	wire_free(&body);
}

static void
show_found(struct lookup *l)
{
	struct events_of of = { l->job.vault, l->job.account,
		l->tries[l->next] };

	l->events = (struct events){ .done = show_events, .arg = l };
	events_read(&l->events, &of);
}

int
vault_show(struct vault *v, struct question from, struct wire_in *body)
{
	static const struct lookup_kind kind = { MSG_SHOWN, false, show_found,
		show_fail };

	return lookup_start(v, from, body, &kind);
}
