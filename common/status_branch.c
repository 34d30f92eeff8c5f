/*
 * One final address: what its events come to, weighed by one table, and what
 * of them a viewer may see (RFC 3886 3.3.3 to 3.3.7).
 */
#include "common/status_branch.h"

#include <string.h>

#include "common/status_hide.h"

/*
 * A refusal at submission weighs no more than the acceptance that may follow
 * it in the same transaction (a second RCPT). What the log says was given to
 * somebody who does not tell, or thrown away, waits no longer.
 */
static const uint8_t certainties[][ACTION_FAILED + 1] = {
	[SOURCE_PROXY] = { [ACTION_DELAYED] = KNOWN_ACCEPTED,
	    [ACTION_RELAYED] = KNOWN_RELAYED,
	    [ACTION_TRANSFERRED] = KNOWN_TRANSFERRED,
	    [ACTION_DELIVERED] = KNOWN_FINAL,
	    [ACTION_EXPANDED] = KNOWN_FINAL,
	    [ACTION_FAILED] = KNOWN_ACCEPTED },
	[SOURCE_LOG] = { [ACTION_OPAQUE] = KNOWN_WAITING,
	    [ACTION_DELAYED] = KNOWN_WAITING,
	    [ACTION_RELAYED] = KNOWN_RELAYED,
	    [ACTION_TRANSFERRED] = KNOWN_TRANSFERRED,
	    [ACTION_DELIVERED] = KNOWN_FINAL,
	    [ACTION_EXPANDED] = KNOWN_FINAL,
	    [ACTION_FAILED] = KNOWN_FINAL },
	[SOURCE_CHAIN] = { [ACTION_DELAYED] = KNOWN_CHAINED,
	    [ACTION_RELAYED] = KNOWN_CHAINED,
	    [ACTION_TRANSFERRED] = KNOWN_CHAINED,
	    [ACTION_DELIVERED] = KNOWN_FINAL,
	    [ACTION_EXPANDED] = KNOWN_FINAL,
	    [ACTION_FAILED] = KNOWN_FINAL },
};

/* Codes that go with an action (RFC 3886 3.3.4), and the one to fall back. */
static const struct {
	const char *classes;
	const char *fallback;
} codes[ACTION_FAILED + 1] = {
	[ACTION_OPAQUE] = { "", "4.0.0" },
	[ACTION_DELAYED] = { "4", "4.0.0" },
	[ACTION_RELAYED] = { "", "2.1.9" }, /* and nothing else has it */
	[ACTION_TRANSFERRED] = { "", "2.4.0" },
	[ACTION_DELIVERED] = { "2", "2.5.0" },
	[ACTION_EXPANDED] = { "2", "2.5.0" },
	[ACTION_FAILED] = { "45", "5.0.0" },
};

int
status_compare_addresses(struct octets a, struct octets b)
{
	size_t len = a.len < b.len ? a.len : b.len;

	/* MTAs fold case as they like, so addresses are equal without it. */
	for (size_t i = 0; i < len; i++) {
		uint8_t x = a.data[i], y = b.data[i];

		x = x >= 'A' && x <= 'Z' ? (uint8_t)(x | 0x20) : x;
		y = y >= 'A' && y <= 'Z' ? (uint8_t)(y | 0x20) : y;
		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.len < b.len ? -1 : a.len > b.len;
}

struct octets
status_final(const struct history_event *e)
{
	return e->recipient.len > 0 ? e->recipient : e->original;
}

static bool
is_hidden_hop(const struct status_view *v, const struct history_event *e)
{
	if (v->reveal_hosts || v->is_inner == NULL ||
	    (e->remote_mta.len == 0 && e->remote_address.len == 0))
		return false;
	return v->is_inner(v->arg, e->remote_mta, e->remote_address);
}

static struct octets
domain_of(struct octets address)
{
	const uint8_t *at =
	    address.len > 0 ? memrchr(address.data, '@', address.len) : NULL;

	if (at == NULL)
		return (struct octets){ (const uint8_t *)"", 0 };
	return (struct octets){ at + 1,
		address.len - (size_t)(at + 1 - address.data) };
}

/* An alias that leads to another domain, where nobody may see that. */
static bool
is_hidden_domain(const struct status_view *v, const struct history_event *e,
    struct octets original)
{
	return !v->reveal_aliases && original.len > 0 &&
	    status_compare_addresses(
		domain_of(status_final(e)), domain_of(original)) != 0;
}

/*
 * RFC 3886 4.2: automatic forwarding that is private ends as relayed.
 * RFC 3887 2.4: who asks from outside cannot ask a hop that is not named, so
 * for them the message is still here.
 */
static uint8_t
action_of(const struct status_view *v, const struct history_event *e)
{
	if (e->action > ACTION_FAILED)
		return ACTION_OPAQUE;
	if (e->action != ACTION_TRANSFERRED)
		return e->action;
	if (is_hidden_domain(v, e, e->original))
		return ACTION_RELAYED;
	return is_hidden_hop(v, e) ? ACTION_DELAYED : ACTION_TRANSFERRED;
}

static bool
is_attempt(const struct status_view *v, const struct history_event *e)
{
	uint8_t action = action_of(v, e);

	if (action == ACTION_OPAQUE)
		return false;
	if (action != ACTION_DELAYED)
		return true;
	if (e->source == SOURCE_PROXY || e->action != action)
		return false;
	return e->status[0] != '\0' || e->remote_mta.len > 0 ||
	    e->remote_address.len > 0 || e->reply.len > 0;
}

static enum certainty
certainty_of(const struct status_view *v, const struct history_event *e)
{
	uint8_t action = action_of(v, e);

	if (e->source > SOURCE_CHAIN || e->action > ACTION_FAILED)
		return KNOWN_NOTHING;
	if (action == ACTION_DELAYED && e->action != action)
		return e->source == SOURCE_PROXY ? KNOWN_ACCEPTED
						 : KNOWN_TRANSFERRED;
	if (e->source == SOURCE_LOG && action == ACTION_DELAYED &&
	    !is_attempt(v, e))
		return KNOWN_QUEUED;
	return certainties[e->source][action];
}

bool
status_is_whole(const struct history_event *e)
{
	return e->original.len == 0 && e->recipient.len == 0;
}

static void
weigh_event(const struct status_view *v, struct branch *b,
    const struct history_event *e)
{
	enum certainty certainty = certainty_of(v, e);
	bool whole = status_is_whole(e);

	/* To put it aside, or to give it up, is no attempt. */
	if (is_attempt(v, e) &&
	    (!whole ||
		(e->action != ACTION_DELAYED && e->action != ACTION_FAILED))) {
		b->last_attempt = e->time;
		b->attempts += e->source != SOURCE_CHAIN;
	}
	if (e->source != SOURCE_CHAIN && e->retry_until != 0)
		b->retry_until = e->retry_until;
	/* All are by time, but what tells of the whole message comes last. */
	if (b->best == NULL || certainty > b->certainty ||
	    (certainty == b->certainty &&
		(!whole || e->time >= b->best->time))) {
		b->best = e;
		b->certainty = certainty;
	}
}

static void
weigh_end(const struct status_view *v, struct branch *b)
{
	b->action = action_of(v, b->best);
	b->attempted = is_attempt(v, b->best);
	if (!b->attempted) {
		b->last_attempt = 0;
		b->attempts = 0;
	}
	if (b->action != ACTION_DELAYED || b->best->source == SOURCE_CHAIN)
		b->retry_until = 0;
}

void
status_weigh(const struct status_view *v, struct branch *b)
{
	for (size_t i = 0; i < b->count; i++)
		weigh_event(v, b, b->events[i]);
	weigh_end(v, b);
}

/* In the MSA's queue, as far as its log and the submission tell? */
static bool
is_waiting(const struct branch *b)
{
	uint8_t action = b->best->action;

	if (action == ACTION_DELAYED)
		return b->best->source != SOURCE_CHAIN;
	return b->best->source == SOURCE_PROXY &&
	    (action == ACTION_OPAQUE || action == ACTION_TRANSFERRED);
}

void
status_weigh_whole(const struct status_view *v, struct branch *b,
    const struct history_event **whole, size_t count)
{
	if (count == 0 || !is_waiting(b))
		return;
	b->whole = whole;
	b->whole_count = count;
	for (size_t i = 0; i < count; i++)
		weigh_event(v, b, whole[i]);
	weigh_end(v, b);
}

static bool
contains(struct octets text, struct octets part)
{
	/* One letter would be found anywhere. */
	if (part.len < 2)
		return false;
	for (size_t i = 0; i + part.len <= text.len; i++) {
		struct octets here = { text.data + i, part.len };

		if (status_compare_addresses(here, part) == 0)
			return true;
	}
	return false;
}

static bool
names_address(struct octets text, struct octets address)
{
	struct octets domain = domain_of(address), local = address;

	if (domain.len > 0)
		local.len -= domain.len + 1;
	return contains(text, local) || contains(text, domain);
}

static void
cut_host(struct history_event *e)
{
	static const struct octets nothing = { NULL, 0 };

	if (contains(e->reply, e->remote_mta) ||
	    contains(e->reply, e->remote_address))
		e->reply = nothing;
	e->remote_mta = e->remote_address = nothing;
}

struct history_event
status_cut_event(const struct status_view *v, const struct history_event *from,
    struct octets original)
{
	bool alias = !status_is_whole(from) &&
	    status_compare_addresses(status_final(from), original) != 0;
	struct history_event e = *from;

	e.original = original;
	e.recipient =
	    alias && v->reveal_aliases ? status_final(from) : original;
	if (alias && !v->reveal_aliases &&
	    names_address(e.reply, status_final(from)))
		e.reply = (struct octets){ NULL, 0 };
	if (status_names_hidden_host(v, e.reply))
		e.reply = (struct octets){ NULL, 0 };
	if (is_hidden_hop(v, from) ||
	    (alias && is_hidden_domain(v, from, original)))
		cut_host(&e);
	e.action = action_of(v, from);
	if (!is_attempt(v, from))
		e.remote_mta = e.remote_address = (struct octets){ NULL, 0 };
	return e;
}

void
status_set_code(struct status_row *row, const char *code)
{
	const char *allowed = codes[row->action].classes;
	bool untried = row->action == ACTION_DELAYED && row->last_attempt == 0;

	if (untried || !status_code_is_valid(code) ||
	    strchr(allowed, code[0]) == NULL || strcmp(code, "2.1.9") == 0)
		code = codes[row->action].fallback;
	memcpy(row->status, code, strlen(code) + 1);
}
