/*
 * The reply of XMTRK to SHOW (docs/xmtrk.md): the message, what the MSA said
 * of each recipient, and what became of it since (RFC 3886 3.3).
 */
#include "proxy/xmtrk_lines.h"

#include <stdio.h>
#include <string.h>

#include "common/status.h"
#include "common/timestamp.h"

/* What comes after so many lines is left out. */
#define LINES_MAX 12000

static const char *
tracked_name(uint8_t flags, bool revoked)
{
	if ((flags & MAIL_UNTRACKED) != 0)
		return "no";
	if (revoked)
		return "revoked";
	return (flags & MAIL_CLIENT_MTRK) != 0 ? "client" : "yes";
}

static void
show_message(struct xmtrk_reply *r, const struct mail_record *m, bool revoked)
{
	char time[TIMESTAMP_SIZE], size[24];
	const char *mtrk = (m->flags & MAIL_MTRK_SENT) != 0 ? "yes" : "no";
	struct xmtrk_field f[16];
	size_t n = 0;

	timestamp_write(m->time, time);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)m->size);
	f[n++] = (struct xmtrk_field){ "envid", m->envid, FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "time", xmtrk_text(time), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "state",
		xmtrk_text(xmtrk_state_name(m->outcome)), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "size", xmtrk_text(size), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "tracked",
		xmtrk_text(tracked_name(m->flags, revoked)), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "mtrk", xmtrk_text(mtrk), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "from", m->sender, FIT_CUT };
	if (m->message_id.len > 0)
		f[n++] = (struct xmtrk_field){ "id", m->message_id, FIT_CUT };
	if (m->subject.len > 0)
		f[n++] = (struct xmtrk_field){ "subject", m->subject, FIT_CUT };
	if (m->msa.len > 0)
		f[n++] = (struct xmtrk_field){ "msa", m->msa, FIT_CUT };
	if (m->queue_id.len > 0)
		f[n++] = (struct xmtrk_field){ "queue", m->queue_id, FIT_CUT };
	xmtrk_lines(r, "message", f, n);
}

static void
show_reply(struct xmtrk_reply *r, const char *word, uint16_t code,
    const struct octets *to_text)
{
	char number[8];
	struct xmtrk_field f[3];
	size_t n = 0;

	snprintf(number, sizeof(number), "%u", code);
	if (to_text[0].len > 0)
		f[n++] = (struct xmtrk_field){ "to", to_text[0], FIT_CUT };
	if (code != 0) {
		f[n++] = (struct xmtrk_field){ "code", xmtrk_text(number),
			FIT_WHOLE };
		f[n++] = (struct xmtrk_field){ "text", to_text[1], FIT_CUT };
	}
	xmtrk_line(r, word, f, n);
}

/* What is not over, or went wrong, of an alias that became several. */
static const char *
branches_of(const struct status_row *row)
{
	if (row->action != ACTION_EXPANDED || row->failed + row->waiting == 0)
		return NULL;
	if (row->waiting == 0)
		return "failed";
	return row->failed == 0 ? "waiting" : "failed waiting";
}

/*
 * A line that says where a recipient stands, with its row, or stood, without
 * one.
 */
static void
show_event(struct xmtrk_reply *r, const char *word,
    const struct history_event *e, const struct status_row *row)
{
	char time[TIMESTAMP_SIZE], until[TIMESTAMP_SIZE], last[TIMESTAMP_SIZE];
	struct xmtrk_field f[XMTRK_FIELDS_MAX];
	const struct {
		const char *key;
		struct octets value;
	} rest[] = { { "to", e->original }, { "final", e->recipient },
		{ "mta", e->remote_mta }, { "address", e->remote_address },
		{ "tls", e->tls }, { "text", e->reply } };
	const char *branches = row != NULL ? branches_of(row) : NULL;
	size_t n = 0;

	timestamp_write(e->time, time);
	f[n++] = (struct xmtrk_field){ "time", xmtrk_text(time), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "action",
		xmtrk_text(status_action_name(e->action)), FIT_WHOLE };
	if (e->status[0] != '\0')
		f[n++] = (struct xmtrk_field){ "status", xmtrk_text(e->status),
			FIT_WHOLE };
	if (branches != NULL)
		f[n++] = (struct xmtrk_field){ "branches", xmtrk_text(branches),
			FIT_WHOLE };
	if (row != NULL && row->last_attempt != 0) {
		timestamp_write(row->last_attempt, last);
		f[n++] = (struct xmtrk_field){ "last_attempt", xmtrk_text(last),
			FIT_WHOLE };
	}
	if (e->retry_until != 0) {
		timestamp_write(e->retry_until, until);
		f[n++] = (struct xmtrk_field){ "until", xmtrk_text(until),
			FIT_WHOLE };
	}
	for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
		if (rest[i].value.len != 0)
			f[n++] = (struct xmtrk_field){ rest[i].key,
				rest[i].value, FIT_CUT };
	xmtrk_line(r, word, f, n);
}

/* A final address is told where it is another one and may be seen. */
static struct history_event
without_same_address(struct history_event e)
{
	if (e.recipient.len == e.original.len &&
	    (e.original.len == 0 ||
		memcmp(e.recipient.data, e.original.data, e.original.len) == 0))
		e.recipient.len = 0;
	return e;
}

static void
show_status(struct xmtrk_reply *r, const struct status_row *row)
{
	struct history_event e = { .time = row->time,
		.action = row->action,
		.original = row->original,
		.recipient = row->recipient,
		.remote_mta = row->remote_mta,
		.remote_address = row->remote_address,
		.reply = row->reply,
		.tls = row->tls,
		.retry_until = row->retry_until };

	memcpy(e.status, row->status, sizeof(e.status));
	e = without_same_address(e);
	show_event(r, "status", &e, row);
}

/* Where each recipient stands, and then all that happened since. */
static bool
show_list(struct xmtrk_reply *r, const struct status_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		if (r->lines >= LINES_MAX)
			return true;
		show_status(r, &list->rows[i]);
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct status_row *row = &list->rows[i];

		for (size_t j = 0; j < row->event_count; j++) {
			struct history_event e =
			    without_same_address(row->events[j]);

			/* what the MSA said at submission was told before */
			if (e.source == SOURCE_PROXY)
				continue;
			if (r->lines >= LINES_MAX)
				return true;
			show_event(r, "event", &e, NULL);
		}
	}
	return false;
}

/* What who tracks is told, too: derived from the same, by the same view. */
static bool
show_since(struct xmtrk_reply *r, const struct mail_record *m,
    const struct xmtrk_since *since)
{
	struct octets nowhere = { NULL, 0 };
	struct status_list list;
	struct history all;
	bool more = false;

	if (history_of_record(m, &since->history, nowhere, &all) == -1) {
		r->failed = true;
		return false;
	}
	if (status_derive(all.events, all.count, since->view, &list) == -1) {
		r->failed = true;
	} else {
		more = show_list(r, &list);
		status_list_free(&list);
	}
	history_free(&all);
	return more;
}

void
xmtrk_show(struct xmtrk_reply *r, const struct mail_record *m,
    const struct xmtrk_since *since)
{
	struct octets pair[2];
	bool more;

	show_message(r, m, since->revoked);
	for (uint32_t i = 0; i < m->recipient_count; i++) {
		pair[0] = m->recipients[i].address;
		pair[1] = m->recipients[i].reply;
		show_reply(r, "recipient", m->recipients[i].code, pair);
	}
	if (m->code != 0) {
		pair[0] = (struct octets){ NULL, 0 };
		pair[1] = m->reply;
		show_reply(r, "reply", m->code, pair);
	}
	more = show_since(r, m, since);
	xmtrk_end(r, more);
}
