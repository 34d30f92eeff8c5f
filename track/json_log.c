/*
 * A log of JSON lines, for any MSA: one object a line, as docs/feed-json.md
 * says.
 */
#include "track/json_log.h"

#include <jansson.h>

#include "common/timestamp.h"
#include "track/scan.h"

static const struct {
	const char *word;
	enum history_action action;
} actions[] = {
	{ "failed", ACTION_FAILED },
	{ "delayed", ACTION_DELAYED },
	{ "delivered", ACTION_DELIVERED },
	{ "expanded", ACTION_EXPANDED },
	{ "relayed", ACTION_RELAYED },
	{ "transferred", ACTION_TRANSFERRED },
	{ "opaque", ACTION_OPAQUE },
};

static const struct {
	const char *word;
	enum log_kind kind;
} kinds[] = {
	{ "status", LOGGED_STATUS },
	{ "join", LOGGED_JOIN },
	{ "end", LOGGED_END },
};

/* A member of at most max octets, empty if it is absent. */
static bool
get_text(json_t *line, const char *name, size_t max, struct octets *out)
{
	json_t *value = json_object_get(line, name);

	if (value == NULL)
		return true;
	if (!json_is_string(value) || json_string_length(value) > max)
		return false;
	out->data = (const uint8_t *)json_string_value(value);
	out->len = json_string_length(value);
	return true;
}

/* The same, cut: other servers' words may be of any length. */
static bool
get_cut_text(json_t *line, const char *name, size_t max, struct octets *out)
{
	if (!get_text(line, name, JSON_LINE_MAX, out))
		return false;
	*out = scan_cut(*out, max);
	return true;
}

static bool
get_time(json_t *line, const char *name, bool needed, uint64_t *ms)
{
	struct octets text = { NULL, 0 };

	if (!get_text(line, name, JSON_LINE_MAX, &text))
		return false;
	if (text.data == NULL)
		return !needed;
	return timestamp_read((const char *)text.data, text.len, ms) == 0;
}

static bool
get_action(json_t *line, struct history_event *status)
{
	struct octets word = { NULL, 0 };

	if (!get_text(line, "action", EVENT_TEXT_MAX, &word))
		return false;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (scan_is(word, actions[i].word)) {
			status->action = (uint8_t)actions[i].action;
			return true;
		}
	return false;
}

static bool
get_status_code(json_t *line, struct history_event *status)
{
	struct octets text = { NULL, 0 };

	if (!get_text(line, "status", EVENT_STATUS_MAX - 1, &text))
		return false;
	if (text.len == 0)
		return true;
	scan_status(text, status->status);
	return strlen(status->status) == text.len;
}

static bool
get_status(json_t *line, struct history_event *s)
{
	return get_action(line, s) && get_status_code(line, s) &&
	    get_text(line, "recipient", EVENT_ADDRESS_MAX, &s->recipient) &&
	    get_text(line, "original", EVENT_ADDRESS_MAX, &s->original) &&
	    get_text(line, "remote_mta", EVENT_HOST_MAX, &s->remote_mta) &&
	    get_text(
		line, "remote_address", EVENT_HOST_MAX, &s->remote_address) &&
	    get_cut_text(line, "reply", EVENT_TEXT_MAX, &s->reply) &&
	    get_cut_text(line, "tls", EVENT_TLS_MAX, &s->tls) &&
	    get_time(line, "retry_until", false, &s->retry_until);
}

static bool
get_event(json_t *line, struct log_event *event)
{
	struct octets kind = { NULL, 0 };

	if (!get_text(line, "event", EVENT_TEXT_MAX, &kind) ||
	    !get_text(line, "queue_id", LOG_ID_MAX, &event->queue_id) ||
	    !get_text(line, "host", EVENT_HOST_MAX, &event->host) ||
	    !get_time(line, "time", true, &event->status.time) ||
	    event->queue_id.len == 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (scan_is(kind, kinds[i].word))
			event->kind = kinds[i].kind;
	event->status.source = SOURCE_LOG;
	if (event->kind == LOGGED_STATUS)
		return get_status(line, &event->status);
	if (event->kind == LOGGED_JOIN)
		return get_text(line, "next_id", LOG_ID_MAX, &event->next_id) &&
		    event->next_id.len > 0;
	return event->kind == LOGGED_END;
}

enum log_kind
json_log_read(struct json_log *log, struct octets line, struct log_event *event)
{
	memset(event, 0, sizeof(*event));
	json_log_free(log);
	if (line.len == 0 || line.len > JSON_LINE_MAX)
		return LOGGED_NOTHING;
	log->line = json_loadb(
	    (const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(log->line) || !get_event(log->line, event))
		event->kind = LOGGED_NOTHING;
	return event->kind;
}

void
json_log_free(struct json_log *log)
{
	json_decref(log->line);
	log->line = NULL;
}
