/*
 * The client's lines and octets, taken as far as the session's state and the
 * MSA allow (RFC 5321 4.5.3.1.4, RFC 2920 3.2).
 */
#include <string.h>

#include <openssl/crypto.h>

#include "proxy/session.h"
#include "proxy/worker.h"

enum {
	INPUT_LINE_MAX = 4096,		/* a command, with its CRLF */
	INPUT_RESPONSE_MAX = 12288 + 2, /* RFC 4954 4 */
	INPUT_REPLIES_MAX = 2000	/* not yet sent */
};

/* States in which the client's lines are commands or responses. */
#define INPUT_TAKES_LINES                                                      \
	(SESSION_CLEAR | SESSION_OPEN | SESSION_EXCHANGE | SESSION_IDLE |      \
	    SESSION_MAIL | SESSION_BROKEN)

/* What may be taken now depends on what the MSA still owes. */
static bool
input_may_take_line(const struct session *s)
{
	if ((s->state & INPUT_TAKES_LINES) == 0)
		return false;
	if (stream_output_len(s->client) >= STREAM_HIGH ||
	    s->replies.count >= INPUT_REPLIES_MAX)
		return false;
	if (s->state == SESSION_MAIL)
		return upstream_takes_more(s);
	/* The replies of one transaction never mix with those of the next. */
	return s->replies.waiting == 0;
}

static void
input_line_too_long(struct session *s)
{
	static const char command[] = "500 5.5.2 Line too long\r\n";
	static const char response[] =
	    "500 5.5.6 Authentication exchange line is too long\r\n";

	if (s->state == SESSION_EXCHANGE) {
		login_cancel(s);
		session_enter(s, SESSION_OPEN);
		replies_own(
		    &s->replies, s->client, response, sizeof(response) - 1);
	} else {
		replies_own(
		    &s->replies, s->client, command, sizeof(command) - 1);
	}
	s->bad_commands++;
}

/* Eat octets of an overlong line; returns false where its end is not there. */
static bool
input_skip(struct session *s)
{
	size_t len, have, used;

	if (stream_line(s->client, &len, &used) != NULL) {
		stream_consume(s->client, used);
		s->skipping = false;
		input_line_too_long(s);
		return true;
	}
	stream_input(s->client, &have);
	stream_consume(s->client, have);
	return false;
}

/* Returns false where there is no whole line. */
static bool
input_take_line(struct session *s)
{
	char copy[INPUT_RESPONSE_MAX + 1];
	size_t len, used, have;
	size_t max =
	    s->state == SESSION_EXCHANGE ? INPUT_RESPONSE_MAX : INPUT_LINE_MAX;
	const char *line;

	if (s->skipping)
		return input_skip(s);
	line = stream_line(s->client, &len, &used);
	if (line == NULL || used > max) {
		stream_input(s->client, &have);
		if (have <= max && line == NULL)
			return false;
		s->skipping = true;
		return input_skip(s);
	}
	memcpy(copy, line, len);
	copy[len] = '\0';
	stream_consume(s->client, used);
	session_arm(s);
	if (s->state == SESSION_EXCHANGE)
		login_response(s, copy, len);
	else
		commands_run(s, copy, len);
	/* Passwords come by here. */
	OPENSSL_cleanse(copy, len);
	return true;
}

/* One step on; returns false where there is nothing to take now. */
static bool
session_take_some(struct session *s)
{
	enum session_state state = s->state;

	if (s->client == NULL)
		return false;
	if (s->state == SESSION_DATA || s->state == SESSION_DISCARD) {
		message_input(s);
		return s->state != state;
	}
	if (!input_may_take_line(s) || !input_take_line(s))
		return false;
	if (s->client != NULL &&
	    s->bad_commands >= (unsigned)s->w->conf->limits.bad_commands)
		session_bye(s, "421 4.7.0 Too many errors");
	return true;
}

void
session_process(struct session *s)
{
	/* A line whose handling ends in here again must not pile up frames. */
	if (s->processing)
		return;
	s->processing = true;
	while (session_take_some(s))
		continue;
	s->processing = false;
}
