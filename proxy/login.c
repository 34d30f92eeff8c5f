/*
 * AUTH (RFC 4954): one exchange between the client and waybill-auth, whose
 * verdict brings the ticket for the keeper.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "common/addresses.h"
#include "common/auth_messages.h"
#include "common/codec.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "proxy/ehlo.h"
#include "proxy/penalties.h"
#include "proxy/session.h"
#include "proxy/worker.h"

static void login_on_answer(void *, uint64_t, unsigned, struct wire_in *);

static void
login_reply(struct session *s, const char *reply)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s\r\n", reply);

	replies_own(&s->replies, s->client, line, (size_t)n);
}

static void
login_drop_initial(struct session *s)
{
	OPENSSL_clear_free(s->initial, s->initial_len);
	s->initial = NULL;
	s->initial_len = 0;
	s->has_initial = false;
}

void
login_cancel(struct session *s)
{
	if (s->exchange != NULL)
		link_free(s->exchange);
	s->exchange = NULL;
	if (s->delay != NULL)
		event_free(s->delay);
	s->delay = NULL;
	login_drop_initial(s);
	if (s->counted)
		addresses_remove(addresses_key(&s->peer), ADDRESSES_EXCHANGES);
	s->counted = false;
}

/* The exchange is over without a login; the client may try again. */
static void
login_refuse(struct session *s, const char *reply)
{
	login_cancel(s);
	session_enter(s, SESSION_OPEN);
	login_reply(s, reply);
	session_process(s);
}

static void
login_ask(struct session *s, unsigned type, const struct wire_out *body)
{
	if (s->exchange == NULL ||
	    link_ask(s->exchange, type, body,
		(unsigned)s->w->conf->auth.timeout, login_on_answer,
		s->id) == 0)
		login_refuse(s, "454 4.7.0 Temporary authentication failure");
}

static void
login_start_exchange(struct session *s)
{
	struct auth_begin begin = { .session = s->id,
		.tls = session_is_secure(s),
		.has_initial = s->has_initial,
		.initial = { s->initial, s->initial_len } };
	struct wire_out body = { 0 };

	snprintf(begin.mechanism, sizeof(begin.mechanism), "%.*s",
	    AUTH_MECHANISM_MAX, s->mechanism);
	snprintf(begin.client, sizeof(begin.client), "%.45s;%u", s->address,
	    s->port);
	snprintf(begin.server, sizeof(begin.server), "%.45s;%u",
	    s->local_address, s->local_port);
	s->exchange = link_new_once(s->w->base, s->w->auth_path, s->w);
	wire_begin(&body);
	auth_begin_put(&body, &begin);
	login_drop_initial(s);
	login_ask(s, MSG_AUTH_BEGIN, &body);
	wire_free(&body);
}

static void
login_on_delay(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	login_start_exchange(arg);
}

/* An address that keeps failing waits before it is heard. */
static void
login_wait(struct session *s)
{
	uint64_t ms = penalties_delay(s->w->penalties, addresses_key(&s->peer),
	    (uint64_t)s->w->conf->auth.penalty_max);
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000) * 1000 };

	if (ms == 0) {
		login_start_exchange(s);
		return;
	}
	if ((s->delay = evtimer_new(s->w->base, login_on_delay, s)) == NULL)
		fatal("out of memory");
	evtimer_add(s->delay, &tv);
}

/* Returns false where the initial response is malformed. */
static bool
login_take_initial(struct session *s, const char *text, size_t len)
{
	long n = 0;

	s->has_initial = len > 0;
	if (len == 0)
		return true;
	if ((s->initial = malloc(len + 3)) == NULL)
		fatal("out of memory");
	s->initial_len = len;		/* so that all of it is wiped */
	if (len != 1 || text[0] != '=') /* "=" is an empty response */
		n = codec_base64_decode(text, len, false, s->initial);
	if (n == -1)
		login_drop_initial(s);
	else
		s->initial_len = (size_t)n;
	return n != -1;
}

void
login_begin(struct session *s, const char *args, size_t len)
{
	size_t name = strcspn(args, " \t");
	size_t initial = name + strspn(args + name, " \t");
	uint64_t key = addresses_key(&s->peer);

	if (name > len)
		name = initial = len;
	if (initial > len)
		initial = len;
	if (name == 0 || name > AUTH_MECHANISM_MAX) {
		login_reply(s,
		    name == 0 ? "501 5.5.4 Syntax: AUTH mechanism [response]"
			      : "504 5.5.4 Mechanism not offered");
		s->bad_commands++;
		return;
	}
	snprintf(s->mechanism, sizeof(s->mechanism), "%.*s", (int)name, args);
	if (!ehlo_has_mechanism(s->w->mechanisms, args, name)) {
		login_reply(s,
		    s->w->mechanisms[0] == '\0'
			? "454 4.7.0 Temporary authentication failure"
			: "504 5.5.4 Mechanism not offered");
		s->bad_commands++;
		return;
	}
	if (!login_take_initial(s, args + initial, len - initial)) {
		login_reply(s, "501 5.5.2 Malformed base64");
		s->bad_commands++;
		return;
	}
	session_enter(s, SESSION_JUDGING);
	s->counted = true;
	if (addresses_add(key, ADDRESSES_EXCHANGES) >
	    (unsigned)s->w->conf->auth.exchanges_per_address)
		login_refuse(s, "454 4.7.0 Too many logins from your address");
	else
		login_wait(s);
}

void
login_response(struct session *s, const char *line, size_t len)
{
	struct wire_out body = { 0 };
	uint8_t *octets;
	long n;

	if (len == 1 && line[0] == '*') {
		s->bad_commands++;
		login_refuse(s, "501 5.0.0 Authentication cancelled");
		return;
	}
	if ((octets = malloc(len + 3)) == NULL)
		fatal("out of memory");
	n = codec_base64_decode(line, len, false, octets);
	if (n == -1) {
		s->bad_commands++;
		login_refuse(s, "501 5.5.2 Malformed base64");
	} else {
		session_enter(s, SESSION_JUDGING);
		wire_begin(&body);
		wire_put_octets(&body, octets, (size_t)n);
		login_ask(s, MSG_AUTH_STEP, &body);
		wire_free(&body);
	}
	OPENSSL_clear_free(octets, len + 3);
}

static void
login_challenge(struct session *s, struct wire_in *body)
{
	struct octets challenge = wire_get_octets(body, AUTH_RESPONSE_MAX);
	char *text;
	size_t n;

	if (wire_end(body) == -1) {
		login_refuse(s, "454 4.7.0 Temporary authentication failure");
		return;
	}
	if ((text = malloc(BASE64_LEN(challenge.len) + 8)) == NULL)
		fatal("out of memory");
	/* An empty challenge keeps the space (RFC 4954 4). */
	memcpy(text, "334 ", 4);
	n = 4 +
	    codec_base64_encode(challenge.data, challenge.len, true, text + 4);
	memcpy(text + n, "\r\n", 2);
	replies_own(&s->replies, s->client, text, n + 2);
	free(text);
	session_enter(s, SESSION_EXCHANGE);
}

static const char *
login_words(uint8_t result)
{
	switch (result) {
	case AUTH_BAD_CREDENTIALS:
		return "535 5.7.8 Authentication credentials invalid";
	case AUTH_BAD_MECHANISM:
		return "504 5.5.4 Mechanism not offered";
	case AUTH_TOO_WEAK:
		return "534 5.7.9 Authentication mechanism is too weak";
	case AUTH_MALFORMED:
		return "501 5.5.2 Malformed authentication response";
	case AUTH_TRANSITION:
		return "432 4.7.12 A password transition is needed";
	default:
		return "454 4.7.0 Temporary authentication failure";
	}
}

/* One line a failure, its form stable: tools ban addresses by it. */
static void
login_log_failure(
    const struct session *s, const struct auth_verdict *v, unsigned failures)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "auth_failed");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_text(&l, "mech", s->mechanism);
	log_text(&l, "user", v->login);
	log_text(&l, "reply", login_words(v->result));
	log_number(&l, "failures", failures);
	log_text(&l, "reason", v->reason);
	log_end(&l);
}

static void
login_failed(struct session *s, const struct auth_verdict *v)
{
	unsigned failures = 0;
	const char *words = login_words(v->result);

	/* Only what is the client's doing counts against its address. */
	if (words[0] == '5') {
		failures =
		    penalties_fail(s->w->penalties, addresses_key(&s->peer));
		s->auth_failures++;
	}
	login_log_failure(s, v, failures);
	if (s->auth_failures >= (unsigned)s->w->conf->auth.failures)
		session_bye(s, words);
	else
		login_refuse(s, words);
}

static void
login_succeeded(struct session *s, const struct auth_verdict *v)
{
	struct log_line l;

	s->ticket = v->ticket;
	login_cancel(s);
	log_begin(&l, LOG_IS_INFO, "login");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_text(&l, "mech", s->mechanism);
	log_text(&l, "user", s->ticket.account);
	log_text(&l, "tls", SSL_get_version(stream_ssl(s->client)));
	log_text(&l, "cipher", SSL_get_cipher_name(stream_ssl(s->client)));
	log_end(&l);
	s->bad_commands = 0;
	stream_input_is_public(s->client);
	session_enter(s, SESSION_IDLE);
	login_reply(s, "235 2.7.0 Authentication successful");
	upstream_want(s); /* so that MAIL finds it ready */
	session_process(s);
}

static void
login_verdict(struct session *s, struct wire_in *body)
{
	struct auth_verdict v;

	memset(&v, 0, sizeof(v));
	auth_verdict_get(body, &v);
	if (wire_end(body) == -1 ||
	    (v.result == AUTH_OK &&
		(v.ticket.session != s->id || v.ticket.account[0] == '\0')))
		v.result = AUTH_TEMPORARY;
	if (v.result == AUTH_OK)
		login_succeeded(s, &v);
	else
		login_failed(s, &v);
	OPENSSL_cleanse(&v, sizeof(v));
}

static void
login_on_answer(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct session *s = session_find(arg, who);
	struct auth_verdict none = { .result = AUTH_TEMPORARY,
		.reason = "waybill-auth does not answer" };

	if (s == NULL || s->state != SESSION_JUDGING)
		return;
	if (type == MSG_AUTH_CHALLENGE)
		login_challenge(s, body);
	else if (type == MSG_AUTH_VERDICT)
		login_verdict(s, body);
	else
		login_failed(s, &none);
	/* More lines may be there already. */
	if (s->state == SESSION_EXCHANGE)
		session_process(s);
}
