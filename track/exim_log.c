/*
 * Exim's main log, 4.90 and later: arrivals, deliveries, deferrals and
 * failures of one message id, as far as log_selector shows them.
 */
#include "track/exim_log.h"

#include "track/exim_fields.h"
#include "track/scan.h"
#include "track/syslog_line.h"

typedef enum log_kind reader(struct octets text, struct log_event *);

static bool
alnums(struct octets at, size_t from, size_t count)
{
	for (size_t i = from; i < from + count; i++)
		if (!exim_fields_is_alnum(at.data[i]))
			return false;
	return true;
}

/* 6-6-2 characters, and from 4.97 on 6-11-4. */
static bool
read_id(struct octets *at, struct octets *id)
{
	static const size_t middles[] = { 6, 11 }, ends[] = { 2, 4 };

	for (size_t i = 0; i < 2; i++) {
		size_t second = 7 + middles[i], len = second + 1 + ends[i];

		if (at->len <= len || at->data[6] != '-' ||
		    at->data[second] != '-' || at->data[len] != ' ' ||
		    !alnums(*at, 0, 6) || !alnums(*at, 7, middles[i]) ||
		    !alnums(*at, second + 1, ends[i]))
			continue;
		*id = scan_cut(*at, len);
		*at = scan_from(*at, len + 1);
		return true;
	}
	return false;
}

/* The words of a server stand after the last ": " that a code follows. */
static void
status_from_text(struct octets text, char out[EVENT_STATUS_MAX])
{
	struct octets before;

	scan_status(text, out);
	while (out[0] == '\0' && scan_before(&text, ": ", &before))
		scan_status(text, out);
}

static bool
read_delivery(
    struct octets text, struct exim_fields *f, struct log_event *event)
{
	return exim_fields_recipient(&text, event) &&
	    exim_fields_read(text, f, event);
}

static enum log_kind
read_delivered(struct octets text, struct log_event *event)
{
	struct history_event *status = &event->status;
	bool blackhole = text.len > 0 && text.data[0] == ':';
	struct exim_fields f = { 0 };

	/* ">address" is an answer by a filter, to somebody else. */
	if ((text.len > 0 && text.data[0] == '>') ||
	    !read_delivery(text, &f, event))
		return LOGGED_NOTHING;
	status->reply = scan_cut(f.confirmation, EVENT_TEXT_MAX);
	scan_status(f.confirmation, status->status);
	event->next_id = scan_queued_as(f.confirmation);
	if (f.host)
		status->action = ACTION_RELAYED;
	else
		status->action = f.transport && !blackhole ? ACTION_DELIVERED
							   : ACTION_OPAQUE;
	return LOGGED_STATUS;
}

static enum log_kind
read_not_delivered(
    struct octets text, enum history_action action, struct log_event *event)
{
	struct history_event *status = &event->status;
	struct exim_fields f = { 0 };

	if (!read_delivery(text, &f, event))
		return LOGGED_NOTHING;
	status->action = (uint8_t)action;
	status->reply = scan_cut(f.text, EVENT_TEXT_MAX);
	status_from_text(f.text, status->status);
	/* RFC 3463 3.5: X.4.7, delivery time expired. */
	if (action == ACTION_FAILED && status->status[0] == '\0' &&
	    scan_holds(f.text, "retry timeout exceeded"))
		memcpy(status->status, "4.4.7", sizeof("4.4.7"));
	return LOGGED_STATUS;
}

static enum log_kind
read_failed(struct octets text, struct log_event *event)
{
	return read_not_delivered(text, ACTION_FAILED, event);
}

/* At each run of the queue; the words of what was tried are worth more. */
static bool
is_not_tried(struct octets reply)
{
	return scan_skip(&reply, "retry time not reached");
}

static enum log_kind
read_deferred(struct octets text, struct log_event *event)
{
	enum log_kind kind = read_not_delivered(text, ACTION_DELAYED, event);

	if (is_not_tried(event->status.reply))
		event->status.reply.len = 0;
	return kind;
}

/* "sender H=... P=... id=...": what comes after id= is not looked at. */
static enum log_kind
read_arrival(struct octets text, struct log_event *event)
{
	struct octets sender;
	struct exim_fields f = { 0 };

	if (!scan_skip(&text, "<>") && !scan_address(&text, ' ', &sender))
		return LOGGED_NOTHING;
	while (f.message_id.len == 0 && scan_skip(&text, " ") &&
	    exim_fields_next(&text, &f, event))
		;
	event->message_id = scan_cut(f.message_id, LOG_MESSAGE_ID_MAX);
	if (!f.host)
		event->peer = scan_text("local");
	event->status.remote_mta.len = 0;
	event->status.remote_address.len = 0;
	event->status.tls.len = 0;
	return LOGGED_BORN;
}

static enum log_kind
read_completed(struct octets text, struct log_event *event)
{
	/* Several that become one address are delivered to and named once. */
	event->unnamed = true;
	return text.len == 0 || text.data[0] == ' ' ? LOGGED_END
						    : LOGGED_NOTHING;
}

static enum log_kind
read_frozen(struct octets text, struct log_event *event)
{
	(void)text;
	event->status.action = ACTION_DELAYED;
	event->status.reply = scan_text("frozen");
	return LOGGED_STATUS;
}

/* By its operator, or because it was frozen for too long. */
static enum log_kind
read_cancelled(struct octets text, struct log_event *event)
{
	(void)text;
	event->status.action = ACTION_FAILED;
	event->status.reply = scan_text("removed from the queue by hand");
	return LOGGED_END;
}

static const struct {
	const char *mark;
	reader *read;
} lines[] = {
	{ "=> ", read_delivered },
	{ "-> ", read_delivered },
	{ ">> ", read_delivered },
	{ "<= ", read_arrival },
	{ "Completed", read_completed },
	{ "** ", read_failed },
	{ "== ", read_deferred },
	{ "Frozen", read_frozen },
	{ "*** Frozen", read_frozen },
	{ "frozen by ", read_frozen },
	{ "removed by ", read_cancelled },
	{ "cancelled by ", read_cancelled },
	{ NULL, NULL },
};

enum log_kind
exim_log_read_text(struct octets text, struct log_event *event)
{
	event->status.source = SOURCE_LOG;
	if (!read_id(&text, &event->queue_id))
		return event->kind = LOGGED_NOTHING;
	for (size_t i = 0; lines[i].mark != NULL; i++)
		if (scan_skip(&text, lines[i].mark))
			return event->kind = lines[i].read(text, event);
	return event->kind = LOGGED_NOTHING;
}

/* "+hhmm", as log_timezone writes it. */
static bool
read_zone(struct octets *at, struct log_time *t)
{
	bool west = at->len > 0 && at->data[0] == '-';
	uint32_t zone;

	if (!scan_skip(at, west ? "-" : "+"))
		return true;
	if (!scan_number(at, 2359, &zone) || !scan_skip(at, " "))
		return false;
	t->has_offset = true;
	t->offset = (int)(zone / 100 * 60 + zone % 100) * (west ? -1 : 1);
	return true;
}

enum log_kind
exim_log_read(
    struct log_clock *clock, struct octets line, struct log_event *event)
{
	struct log_time t = { 0 };

	memset(event, 0, sizeof(*event));
	if (line.len == 0 || memchr(line.data, '\0', line.len) != NULL ||
	    !syslog_line_date(&line, ' ', &t) || !scan_skip(&line, " ") ||
	    !read_zone(&line, &t))
		return LOGGED_NOTHING;
	if (scan_skip(&line, "[") &&
	    (!scan_number(&line, UINT32_MAX, &event->pid) ||
		!scan_skip(&line, "] ")))
		return LOGGED_NOTHING;
	if (log_clock_read(clock, &t, &event->status.time) != 0)
		return LOGGED_NOTHING;
	return exim_log_read_text(line, event);
}
