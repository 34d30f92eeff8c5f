/*
 * What the log feed and the tracking server say to the keeper; and the events
 * that a message's own record tells (RFC 3886 3.3).
 */
#include "common/tracking_messages.h"

#include <stdlib.h>
#include <string.h>

#include "common/status.h"

static void
put_run(struct wire_out *out, struct octets run)
{
	wire_put_octets(out, run.data, run.len);
}

void
feed_item_put(struct wire_out *out, const struct feed_item *item)
{
	wire_put_u8(out, item->kind);
	put_run(out, item->queue_id);
	if (item->kind == FEED_STATUS) {
		history_event_put(out, &item->event);
		return;
	}
	wire_put_u64(out, item->time);
	if (item->kind == FEED_JOIN)
		put_run(out, item->other_id);
}

void
feed_item_get(struct wire_in *in, struct feed_item *item)
{
	memset(item, 0, sizeof(*item));
	item->kind = wire_get_u8(in);
	item->queue_id = wire_get_octets(in, QUEUE_ID_MAX);
	if (item->kind > FEED_END || item->queue_id.len == 0)
		in->failed = true;
	if (item->kind == FEED_STATUS) {
		history_event_get(in, &item->event);
		item->time = item->event.time;
		return;
	}
	item->time = wire_get_u64(in);
	if (item->kind != FEED_JOIN)
		return;
	item->other_id = wire_get_octets(in, QUEUE_ID_MAX);
	if (item->other_id.len == 0)
		in->failed = true;
}

void
status_query_put(struct wire_out *out, const struct status_query *query)
{
	put_run(out, query->envid);
	wire_put_raw(out, query->certifier, sizeof(query->certifier));
}

void
status_query_get(struct wire_in *in, struct status_query *query)
{
	query->envid = wire_get_octets(in, ENVID_MAX);
	wire_get_raw(in, query->certifier, sizeof(query->certifier));
}

void
history_put(struct wire_out *out, const struct history *h)
{
	wire_put_u32(out, (uint32_t)h->count);
	for (size_t i = 0; i < h->count; i++)
		history_event_put(out, &h->events[i]);
}

void
history_get(struct wire_in *in, struct history *h)
{
	/* What an event takes at least: its fixed parts and seven lengths. */
	enum { LEAST = 8 + 1 + 1 + 7 * 4 + 8 };
	uint32_t count = wire_get_u32(in);

	*h = (struct history){ NULL, 0 };
	if (in->failed || count > HISTORY_MAX ||
	    count > (size_t)(in->end - in->next) / LEAST) {
		in->failed = true;
		return;
	}
	if (count == 0)
		return;
	h->events = calloc(count, sizeof(*h->events));
	if (h->events == NULL) {
		in->failed = true;
		return;
	}
	h->count = count;
	for (uint32_t i = 0; i < count; i++)
		history_event_get(in, &h->events[i]);
}

void
history_free(struct history *h)
{
	free(h->events);
	*h = (struct history){ NULL, 0 };
}

/* The status code that a reply begins with (RFC 2034 4), if it is of class. */
static void
take_code(struct octets reply, char class, char out[EVENT_STATUS_MAX])
{
	size_t len = 0;

	while (len < reply.len && len < EVENT_STATUS_MAX - 1 &&
	    reply.data[len] > ' ') {
		out[len] = (char)reply.data[len];
		len++;
	}
	out[len] = '\0';
	if (out[0] != class || !status_code_is_valid(out) ||
	    (len < reply.len && reply.data[len] != ' '))
		out[0] = '\0';
}

static struct octets
cut_to(struct octets text, size_t max)
{
	return (struct octets){ text.data, text.len < max ? text.len : max };
}

static struct history_event
submission_of(const struct mail_record *m, const struct mail_recipient *to,
    struct octets msa_host)
{
	struct history_event e = { .time = m->time,
		.source = SOURCE_PROXY,
		.action = ACTION_OPAQUE,
		.original = to->address,
		.recipient = to->address };

	if (to->code >= 400) {
		e.action = ACTION_FAILED;
		e.reply = to->reply;
		e.remote_mta = msa_host;
		take_code(to->reply, to->code >= 500 ? '5' : '4', e.status);
	} else if (m->outcome == OUTCOME_ACCEPTED) {
		e.action = ACTION_DELAYED;
		e.reply = m->reply;
		if ((m->flags & MAIL_MTRK_SENT) != 0 && msa_host.len != 0) {
			e.action = ACTION_TRANSFERRED;
			e.remote_mta = msa_host;
		}
	}
	e.reply = cut_to(e.reply, EVENT_TEXT_MAX);
	e.remote_mta = cut_to(e.remote_mta, EVENT_HOST_MAX);
	return e;
}

int
history_of_record(const struct mail_record *m, const struct history *stored,
    struct octets msa_host, struct history *all)
{
	struct octets host = m->msa_host.len != 0 ? m->msa_host : msa_host;
	size_t count = m->recipient_count + stored->count;

	*all = (struct history){ NULL, 0 };
	if (count == 0)
		return 0;
	all->events = calloc(count, sizeof(*all->events));
	if (all->events == NULL)
		return -1;
	all->count = count;
	for (uint32_t i = 0; i < m->recipient_count; i++)
		all->events[i] = submission_of(m, &m->recipients[i], host);
	if (stored->count != 0)
		memcpy(all->events + m->recipient_count, stored->events,
		    stored->count * sizeof(*stored->events));
	return 0;
}
