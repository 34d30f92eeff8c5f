/*
 * Postfix's log, from 3.0 on: what its delivery agents, queue manager and
 * other daemons say of one queue id.
 */
#include "track/postfix_log.h"

#include "track/scan.h"

/*
 * Postfix cuts what it gives to syslog at 2000 octets, some syslogs at 1024:
 * only so long a line may lack its end.
 */
enum { CUT_LINE = 900 };

enum { ID_SHORTEST = 6 };

typedef enum log_kind reader(struct octets text, struct log_event *);

struct daemon {
	const char *name;
	reader *read;
	enum history_action sent; /* what status=sent means of it */
};

static enum log_kind read_delivery(struct octets, struct log_event *);
static enum log_kind read_smtpd(struct octets, struct log_event *);
static enum log_kind read_cleanup(struct octets, struct log_event *);
static enum log_kind read_qmgr(struct octets, struct log_event *);
static enum log_kind read_pickup(struct octets, struct log_event *);
static enum log_kind read_postsuper(struct octets, struct log_event *);

static const struct daemon daemons[] = {
	{ "smtp", read_delivery, ACTION_RELAYED },
	{ "qmgr", read_qmgr, 0 },
	{ "smtpd", read_smtpd, 0 },
	{ "cleanup", read_cleanup, 0 },
	{ "lmtp", read_delivery, ACTION_DELIVERED },
	{ "local", read_delivery, ACTION_DELIVERED },
	{ "virtual", read_delivery, ACTION_DELIVERED },
	{ "pipe", read_delivery, ACTION_DELIVERED },
	{ "error", read_delivery, ACTION_OPAQUE },
	{ "retry", read_delivery, ACTION_OPAQUE },
	/* Thrown away, by its operator's will: neither there nor failed. */
	{ "discard", read_delivery, ACTION_OPAQUE },
	{ "bounce", read_delivery, ACTION_OPAQUE },
	{ "pickup", read_pickup, 0 },
	{ "nqmgr", read_qmgr, 0 },
	{ "oqmgr", read_qmgr, 0 },
	{ "postsuper", read_postsuper, 0 },
	{ NULL, NULL, 0 },
};

static const struct status_word {
	const char *word;
	enum history_action action; /* opaque: as the daemon's */
} status_words[] = {
	{ "sent", ACTION_OPAQUE },
	{ "deferred", ACTION_DELAYED },
	{ "bounced", ACTION_FAILED },
	{ "expired", ACTION_FAILED },
	{ "undeliverable", ACTION_FAILED },
	{ "SOFTBOUNCE", ACTION_DELAYED },
	{ NULL, ACTION_OPAQUE },
};

/* The daemon of a tag: "postfix", any instance and service, its name. */
static const struct daemon *
find_daemon(const char *syslog_name, struct octets program)
{
	const uint8_t *slash;

	if (!scan_skip(&program, syslog_name) || program.len < 2 ||
	    (program.data[0] != '/' && program.data[0] != '-'))
		return NULL;
	slash = memrchr(program.data, '/', program.len);
	if (slash == NULL)
		return NULL;
	program = scan_from(program, (size_t)(slash - program.data) + 1);
	for (const struct daemon *d = daemons; d->name != NULL; d++)
		if (scan_is(program, d->name))
			return d;
	return NULL;
}

/*
 * A queue id: hexadecimal of upper case, or letters that always start with a
 * time, and so hold a digit. No word that Postfix puts there ("warning") is
 * either.
 */
static bool
read_id(struct octets *at, struct octets *id)
{
	bool digit = false, lower = false;
	size_t i = 0;

	for (; i < at->len && i <= LOG_ID_MAX; i++) {
		uint8_t c = at->data[i];

		if (c >= '0' && c <= '9')
			digit = true;
		else if (c >= 'a' && c <= 'z')
			lower = true;
		else if (c < 'A' || c > 'Z')
			break;
	}
	if (i < ID_SHORTEST || i > LOG_ID_MAX || (lower && !digit) ||
	    scan_is(scan_cut(*at, i), "NOQUEUE"))
		return false;
	*id = scan_cut(*at, i);
	*at = scan_from(*at, i);
	return true;
}

/* "host[address]:port" or "host[/socket]"; else there is no next hop. */
static void
split_relay(struct octets relay, struct log_event *event)
{
	struct octets host, address;

	event->relay = relay;
	if (!scan_before(&relay, "[", &host) ||
	    !scan_before(&relay, "]", &address) || host.len > EVENT_HOST_MAX ||
	    address.len == 0 || address.len > EVENT_HOST_MAX)
		return;
	event->peer = address;
	if (memchr(address.data, '/', address.len) != NULL)
		return;
	event->status.remote_mta = host;
	event->status.remote_address = address;
}

static void
take_dsn(struct octets value, struct log_event *event)
{
	scan_status(value, event->status.status);
}

/* "relay=..., delay=..., dsn=..., " up to "status=", which is the last. */
static bool
read_fields(struct octets *at, struct log_event *event)
{
	struct octets name, value;
	bool relay = false;

	while (!scan_skip(at, "status=")) {
		if (!scan_before(at, "=", &name) || name.len == 0 ||
		    memchr(name.data, ' ', name.len) != NULL ||
		    !scan_before(at, ", ", &value) || value.len == 0 ||
		    memchr(value.data, '(', value.len) != NULL)
			return false;
		if (scan_is(name, "relay")) {
			split_relay(value, event);
			relay = true;
		} else if (scan_is(name, "dsn")) {
			take_dsn(value, event);
		}
	}
	return relay;
}

/* "sent (text)" at the end of the line. */
static bool
read_status(struct octets at, size_t line_len, struct log_event *event)
{
	const struct status_word *w = status_words;
	struct octets word, text;

	if (!scan_before(&at, " (", &word))
		return false;
	while (w->word != NULL && !scan_is(word, w->word))
		w++;
	if (w->word == NULL)
		return false;
	if (w->action != ACTION_OPAQUE)
		event->status.action = (uint8_t)w->action;
	if (scan_ends(at, ")"))
		text = scan_cut(at, at.len - 1);
	else if (line_len >= CUT_LINE)
		text = at;
	else
		return false;
	event->status.reply = scan_cut(text, EVENT_TEXT_MAX);
	if (w->action == ACTION_OPAQUE)
		event->next_id = scan_queued_as(text);
	return true;
}

/*
 * "to=<A>, orig_to=<B>, relay=...". A log that writes addresses without
 * quoting (before 3.5, or by configuration) can hold all of it in a local
 * part, so a line with a second such place says nothing.
 */
static bool
read_recipients(struct octets *at, struct log_event *event)
{
	if (!scan_skip(at, "to=<") ||
	    !scan_address(at, '>', &event->status.recipient))
		return false;
	if (scan_skip(at, ">, orig_to=<") &&
	    !scan_address(at, '>', &event->status.original))
		return false;
	return scan_skip(at, ">, ") && !scan_holds(*at, ">, relay=") &&
	    !scan_holds(*at, ">, orig_to=<");
}

/* "Trusted TLS connection established to relay: version with cipher ..." */
static enum log_kind
read_tls(struct octets text, struct log_event *event)
{
	struct octets level, how, tls, rest;

	if (!scan_before(&text, " TLS connection ", &level) ||
	    !scan_before(&text, " to ", &how) ||
	    (!scan_is(how, "established") && !scan_is(how, "reused")) ||
	    (!scan_is(level, "Anonymous") && !scan_is(level, "Untrusted") &&
		!scan_is(level, "Trusted") && !scan_is(level, "Verified")) ||
	    !scan_before(&text, ": ", &event->relay) ||
	    !scan_holds(text, " with cipher "))
		return LOGGED_NOTHING;
	rest = text;
	if (!scan_before(&rest, " key-exchange ", &tls))
		tls = text;
	event->status.tls = scan_cut(tls, EVENT_TLS_MAX);
	return LOGGED_TLS;
}

static enum log_kind
read_delivery(struct octets text, struct log_event *event)
{
	const size_t line_len = text.len;

	if (!read_id(&text, &event->queue_id) || !scan_skip(&text, ": "))
		return read_tls(text, event);
	/* What follows goes without TLS, over a connection of its own. */
	if (scan_skip(&text, "Cannot start TLS: "))
		return LOGGED_TLS;
	if (text.len < 3 || memcmp(text.data, "to=", 3) != 0)
		return read_tls(text, event);
	if (!read_recipients(&text, event) || !read_fields(&text, event) ||
	    !read_status(text, line_len, event))
		return LOGGED_NOTHING;
	return LOGGED_STATUS;
}

/* "client=host[address], ..." */
static enum log_kind
read_smtpd(struct octets text, struct log_event *event)
{
	struct octets host;

	if (!read_id(&text, &event->queue_id) ||
	    !scan_skip(&text, ": client=") || !scan_before(&text, "[", &host) ||
	    !scan_before(&text, "]", &event->peer))
		return LOGGED_NOTHING;
	return LOGGED_BORN;
}

static enum log_kind
read_cleanup(struct octets text, struct log_event *event)
{
	if (!read_id(&text, &event->queue_id) ||
	    !scan_skip(&text, ": message-id=") || text.len == 0)
		return LOGGED_NOTHING;
	event->message_id = scan_cut(text, LOG_MESSAGE_ID_MAX);
	return LOGGED_BORN;
}

static enum log_kind
read_expired(struct octets text, struct log_event *event)
{
	const char *const words[] = { ">, status=expired, returned to sender",
		">, status=force-expired, returned to sender" };

	for (size_t i = 0; i < 2; i++) {
		if (!scan_ends(text, words[i]))
			continue;
		event->status.action = ACTION_FAILED;
		event->status.reply =
		    scan_text(words[i] + sizeof(">, status=") - 1);
		/* RFC 3463 3.5: X.4.7, delivery time expired. */
		memcpy(event->status.status, "4.4.7", sizeof("4.4.7"));
		return LOGGED_STATUS;
	}
	return LOGGED_NOTHING;
}

/* A sender's address may hold anything: all is read from the end. */
static enum log_kind
read_qmgr(struct octets text, struct log_event *event)
{
	static const char active[] = " (queue active)";
	const uint8_t *space;

	if (!read_id(&text, &event->queue_id) || !scan_skip(&text, ": "))
		return LOGGED_NOTHING;
	if (scan_is(text, "removed"))
		return LOGGED_END;
	if (!scan_skip(&text, "from=<"))
		return LOGGED_NOTHING;
	if (!scan_ends(text, active))
		return read_expired(text, event);
	text.len -= sizeof(active) - 1;
	space = memrchr(text.data, ' ', text.len);
	if (space == NULL)
		return LOGGED_NOTHING;
	text = scan_from(text, (size_t)(space - text.data));
	if (!scan_skip(&text, " nrcpt=") ||
	    !scan_number(&text, UINT32_MAX, &event->recipients) || text.len > 0)
		return LOGGED_NOTHING;
	return LOGGED_BORN;
}

/* "uid=0 from=<A>", and " orig_id=ID" for what was put back by hand. */
static enum log_kind
read_pickup(struct octets text, struct log_event *event)
{
	struct octets id, before;
	const uint8_t *space;

	if (!read_id(&text, &id) || !scan_skip(&text, ": uid="))
		return LOGGED_NOTHING;
	event->queue_id = id;
	event->peer = scan_text("local");
	space = memrchr(text.data, ' ', text.len);
	if (space == NULL)
		return LOGGED_NOTHING;
	before = scan_cut(text, (size_t)(space - text.data));
	text = scan_from(text, before.len);
	if (!scan_ends(before, ">") || !scan_skip(&text, " orig_id="))
		return LOGGED_BORN;
	if (!read_id(&text, &event->queue_id) || text.len > 0)
		return LOGGED_NOTHING;
	event->next_id = id;
	event->requeued = true;
	return LOGGED_JOIN;
}

static enum log_kind
read_postsuper(struct octets text, struct log_event *event)
{
	if (!read_id(&text, &event->queue_id) || !scan_is(text, ": removed"))
		return LOGGED_NOTHING;
	event->status.action = ACTION_FAILED;
	event->status.reply = scan_text("removed from the queue by hand");
	return LOGGED_END;
}

/* Only local(8) says so, of messages that it makes itself. */
static bool
is_forwarded(const struct daemon *d, const struct history_event *status,
    struct octets *next_id)
{
	struct octets text = status->reply;

	return strcmp(d->name, "local") == 0 &&
	    status->action == ACTION_DELIVERED &&
	    scan_skip(&text, "forwarded as ") && read_id(&text, next_id) &&
	    text.len == 0;
}

/*
 * Only another server's reply names a queue id, and one that does is no
 * mailbox's: LMTP to a content filter.
 */
static void
settle_action(const struct daemon *d, struct log_event *event)
{
	struct octets next_id = { NULL, 0 };

	if (is_forwarded(d, &event->status, &next_id)) {
		event->forwarded = true;
		event->next_id = next_id;
		event->status.action = ACTION_EXPANDED;
	} else if (event->peer.len == 0) {
		event->next_id.len = 0;
	} else if (event->next_id.len > 0 && strcmp(d->name, "lmtp") == 0) {
		event->status.action = ACTION_RELAYED;
	}
}

enum log_kind
postfix_log_read(const char *syslog_name, const struct syslog_line *line,
    struct log_event *event)
{
	const struct daemon *d;

	memset(event, 0, sizeof(*event));
	d = find_daemon(syslog_name, line->program);
	if (d == NULL)
		return LOGGED_NOTHING;
	event->host = scan_cut(line->host, EVENT_HOST_MAX);
	event->pid = line->pid;
	event->status.time = line->time;
	event->status.source = SOURCE_LOG;
	event->status.action = (uint8_t)d->sent;
	event->kind = d->read(line->text, event);
	if (event->kind == LOGGED_STATUS && event->status.recipient.len > 0)
		settle_action(d, event);
	return event->kind;
}
