/*
 * A session's life: its states, its clock, the lines and octets it is given.
 */
#include "proxy/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "common/addresses.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/seldom.h"
#include "common/turn.h"
#include "proxy/ahead.h"
#include "proxy/worker.h"

struct state_rule {
	enum session_state state;
	const char *name;
	int from; /* states that it may follow */
};

#define LOGGED_IN                                                              \
	(SESSION_IDLE | SESSION_ASKING | SESSION_MINTING | SESSION_MAIL |      \
	    SESSION_BROKEN | SESSION_DATA_ASKED | SESSION_DATA |               \
	    SESSION_DISCARD | SESSION_ENDED | SESSION_SETTLING)

/* In the order of their bits. */
static const struct state_rule state_rules[] = {
	{ SESSION_CLEAR, "clear", 0 },
	{ SESSION_SECURING, "securing", SESSION_CLEAR },
	{ SESSION_OPEN, "open",
	    SESSION_SECURING | SESSION_EXCHANGE | SESSION_JUDGING },
	{ SESSION_EXCHANGE, "exchange", SESSION_JUDGING },
	{ SESSION_JUDGING, "judging", SESSION_OPEN | SESSION_EXCHANGE },
	{ SESSION_IDLE, "idle", SESSION_JUDGING | LOGGED_IN },
	{ SESSION_ASKING, "asking", SESSION_IDLE },
	{ SESSION_MINTING, "minting", SESSION_IDLE | SESSION_BROKEN },
	{ SESSION_MAIL, "mail", SESSION_MINTING | SESSION_DATA_ASKED },
	{ SESSION_BROKEN, "broken", SESSION_MAIL | SESSION_DATA_ASKED },
	{ SESSION_DATA_ASKED, "data asked", SESSION_MAIL },
	{ SESSION_DATA, "data", SESSION_DATA_ASKED },
	{ SESSION_DISCARD, "discard", SESSION_DATA },
	{ SESSION_ENDED, "ended", SESSION_DATA },
	{ SESSION_SETTLING, "settling", SESSION_ENDED },
	{ SESSION_QUITTING, "quitting", SESSION_IDLE | SESSION_MAIL },
	{ SESSION_OVER, "over", 0x1ffff },
};

static const struct state_rule *
session_rule(enum session_state state)
{
	size_t at = state == 0 ? 0 : (size_t)__builtin_ctz((unsigned)state);

	if (at >= sizeof(state_rules) / sizeof(state_rules[0]) ||
	    state_rules[at].state != state)
		fatal("session: no state %d", (int)state);
	return &state_rules[at];
}

/* Exchanges have clocks of their own, and the delays are our doing. */
static void
session_time_exchange(struct session *s, enum session_state state)
{
	uint64_t now = clock_ms();

	if (s->state == SESSION_OPEN && state == SESSION_JUDGING)
		s->exchange_since = now;
	else if (s->state != SESSION_SECURING && state == SESSION_OPEN)
		s->exchanges_ms += now - s->exchange_since;
}

void
session_enter(struct session *s, enum session_state state)
{
	const struct state_rule *old = session_rule(s->state);
	const struct state_rule *next = session_rule(state);

	if ((next->from & (int)s->state) == 0)
		fatal("session %016llx: state \"%s\" cannot follow \"%s\"",
		    (unsigned long long)s->id, next->name, old->name);
	log_debug("state", "%016llx: %s, then %s", (unsigned long long)s->id,
	    old->name, next->name);
	session_time_exchange(s, state);
	s->state = state;
	session_arm(s);
}

bool
session_is_secure(const struct session *s)
{
	return s->client != NULL && stream_ssl(s->client) != NULL;
}

bool
session_logged_in(const struct session *s)
{
	return s->ticket.account[0] != '\0';
}

static uint64_t
session_login_left(const struct session *s)
{
	uint64_t limit = (uint64_t)s->w->conf->limits.login_timeout;
	uint64_t spent = clock_ms() - s->since - s->exchanges_ms;

	return spent < limit ? limit - spent : 1;
}

/* Who sends an octet now and then is not silent, but takes too long. */
uint64_t
session_message_left(const struct session *s)
{
	uint64_t limit = (uint64_t)s->w->conf->limits.message_timeout;
	uint64_t spent = clock_ms() - s->mail->body->since;

	return spent < limit ? limit - spent : 1;
}

void
session_arm(struct session *s)
{
	const struct conf *conf = s->w->conf;
	uint64_t ms = 0;

	if (s->client == NULL)
		return;
	switch (s->state) {
	case SESSION_CLEAR:
	case SESSION_OPEN:
		ms = session_login_left(s);
		break;
	case SESSION_SECURING:
		ms = (uint64_t)conf->limits.handshake_timeout;
		break;
	case SESSION_EXCHANGE:
		ms = (uint64_t)conf->auth.idle_timeout;
		break;
	case SESSION_IDLE:
	case SESSION_MAIL:
	case SESSION_BROKEN:
		ms = (uint64_t)conf->limits.command_timeout;
		break;
	case SESSION_DATA:
	case SESSION_DISCARD:
		ms = session_message_left(s);
		if (ms > (uint64_t)conf->limits.data_timeout)
			ms = (uint64_t)conf->limits.data_timeout;
		break;
	default:
		break; /* what it waits for has a clock of its own */
	}
	stream_set_timeout(s->client, ms);
}

struct session *
session_find(struct worker *w, uint64_t id)
{
	struct session *s;

	LIST_FOREACH(s, &w->sessions[id % WORKER_BUCKETS], bucket) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static void
session_destroy(void *arg)
{
	struct session *s = arg;

	replies_clear(&s->replies);
	transaction_free(s->mail);
	OPENSSL_clear_free(s->initial, s->initial_len);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

void
session_free(struct session *s)
{
	if (s->state == SESSION_OVER)
		return;
	login_cancel(s);
	if (s->client != NULL)
		stream_close(s->client);
	s->client = NULL;
	upstream_release(s);
	ahead_forget(s);
	session_enter(s, SESSION_OVER);
	addresses_remove(addresses_key(&s->peer), ADDRESSES_SESSIONS);
	LIST_REMOVE(s, bucket);
	s->w->session_count--;
	turn_free_later(session_destroy, s);
}

void
session_end(struct session *s, const char *why)
{
	if (s->state == SESSION_OVER)
		return;
	log_debug("end", "%016llx: %s", (unsigned long long)s->id, why);
	if (s->state == SESSION_DATA || s->state == SESSION_DISCARD)
		message_cut(s, why);
	if (s->client != NULL)
		stream_close(s->client);
	s->client = NULL;
	/* The end of the message is out: its answer is waited for. */
	if (s->state == SESSION_ENDED || s->state == SESSION_SETTLING)
		return;
	if (s->state == SESSION_DATA || s->state == SESSION_DATA_ASKED)
		upstream_drop(s);
	envelope_abandon(s);
	session_free(s);
}

void
session_bye(struct session *s, const char *reply)
{
	if (s->client != NULL) {
		/* Nobody waits any longer for what the MSA would say. */
		replies_clear(&s->replies);
		stream_print(s->client, "%s\r\n", reply);
	}
	session_end(s, reply);
}

void
session_expire(struct session *s)
{
	if (s->state == SESSION_ENDED || s->state == SESSION_SETTLING)
		return;
	session_bye(s, "421 4.3.2 Service is shutting down");
}

static void
session_greet(struct session *s)
{
	stream_print(
	    s->client, "220 %s ESMTP Waybill\r\n", s->w->conf->hostname);
}

/* RFC 3207 4.2: everything learnt in clear is forgotten. */
static void
session_secured(struct session *s)
{
	snprintf(s->tls, sizeof(s->tls), "%s",
	    SSL_get_version(stream_ssl(s->client)));
	s->helo[0] = '\0';
	s->esmtp = false;
	s->offered = 0;
	s->bad_commands = 0;
	session_enter(s, SESSION_OPEN);
	if (s->implicit_tls)
		session_greet(s);
}

static void
session_timeout(struct session *s)
{
	if (s->state == SESSION_SECURING)
		session_end(s, "no TLS handshake in time");
	else if (s->replies.waiting > 0 && s->msa != NULL)
		session_arm(s); /* the client waits: the MSA's clock counts */
	else
		session_bye(s, "421 4.4.2 Timeout, closing the connection");
}

static void
session_on_client(void *arg, enum stream_event event)
{
	struct session *s = arg;

	if (s->client == NULL)
		return;
	switch (event) {
	case STREAM_READY:
		session_secured(s);
		break;
	case STREAM_INPUT:
	case STREAM_DRAINED:
		session_process(s);
		break;
	case STREAM_TIMEOUT:
		session_timeout(s);
		break;
	case STREAM_CLOSED:
		session_end(s, stream_reason(s->client));
		break;
	}
}

static void
session_draw_id(struct session *s)
{
	do {
		if (RAND_bytes((unsigned char *)&s->id, sizeof(s->id)) != 1)
			fatal("the system has no random octets");
	} while (s->id == 0 || session_find(s->w, s->id) != NULL);
	LIST_INSERT_HEAD(&s->w->sessions[s->id % WORKER_BUCKETS], s, bucket);
	s->w->session_count++;
	s->w->total_sessions++;
}

/* A flood of clients makes none of lines. */
static void
session_log_refused(const struct session *s, unsigned of_address)
{
	static struct seldom seldom;
	uint64_t withheld;
	struct log_line l;

	if (!seldom_may(&seldom, clock_ms(), &withheld))
		return;
	log_begin(&l, LOG_IS_WARNING, "refused");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_number(&l, "of_address", of_address);
	log_number(&l, "of_worker", (int64_t)s->w->session_count);
	log_number(&l, "unsaid", (int64_t)withheld);
	log_text(&l, "reason",
	    "too many sessions (limits sessions, sessions_per_address)");
	log_end(&l);
}

/* Is there room for one more of this address? */
static bool
session_admit(struct session *s)
{
	const struct conf_limits *limits = &s->w->conf->limits;
	unsigned of_address =
	    addresses_add(addresses_key(&s->peer), ADDRESSES_SESSIONS);

	if (s->w->session_count <= (size_t)limits->sessions &&
	    of_address <= (unsigned)limits->sessions_per_address)
		return true;
	session_log_refused(s, of_address);
	if (!s->implicit_tls)
		stream_print(s->client, "421 4.7.0 Too many connections\r\n");
	session_end(s, "too many sessions");
	return false;
}

void
session_start(struct worker *w, int fd, const struct sockaddr_storage *peer,
    bool implicit_tls)
{
	struct session *s = calloc(1, sizeof(*s));
	struct sockaddr_storage local = { 0 };
	socklen_t len = sizeof(local);

	if (s == NULL)
		fatal("out of memory");
	s->w = w;
	s->peer = *peer;
	s->since = clock_ms();
	s->implicit_tls = implicit_tls;
	s->state = SESSION_CLEAR;
	replies_init(&s->replies);
	s->port = addresses_text(peer, s->address);
	if (getsockname(fd, (struct sockaddr *)&local, &len) == 0)
		s->local_port = addresses_text(&local, s->local_address);
	if ((s->client = stream_new(w->base, fd, session_on_client, s)) == NULL)
		fatal("out of memory");
	session_draw_id(s);
	if (!session_admit(s))
		return;
	if (implicit_tls) {
		session_enter(s, SESSION_SECURING);
		stream_start_tls(s->client, w->tls, NULL);
	} else {
		session_greet(s);
		session_arm(s);
	}
}
