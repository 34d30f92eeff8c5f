/*
 * A connection to the MSA; see msa.h.
 */
#include "proxy/msa.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/stream.h"
#include "common/turn.h"
#include "proxy/caps.h"
#include "proxy/worker.h"

enum msa_state {
	MSA_CONNECTING,
	MSA_GREETING,
	MSA_EHLO,
	MSA_HELO,
	MSA_STARTTLS,
	MSA_HANDSHAKE,
	MSA_XCLIENT,
	MSA_SERVING
};

struct msa {
	struct worker *w;
	enum msa_state state;
	struct stream *stream;
	unsigned address; /* number of the one being tried */
	const struct xclient_client *client;
	struct xclient_lines lines; /* what is to be said of client */
	size_t said;		    /* how many of them were */
	struct msa_caps caps;
	struct msa_caps announced; /* before it heard of the client */
	struct reply reply;
	bool secure;
	bool lost;
	char trouble[512];
	msa_fn *fn;
	void *arg;
};

static void msa_on_stream(void *, enum stream_event);

static void
msa_lose(struct msa *m, const char *what, const char *words)
{
	if (m->lost)
		return;
	m->lost = true;
	snprintf(m->trouble, sizeof(m->trouble), "%s%s%s", what,
	    words[0] == '\0' ? "" : ": ", words);
	m->fn(m->arg, MSA_LOST);
}

/* The MSA said something that this state cannot go on with. */
static void
msa_lose_by_reply(struct msa *m, const char *what)
{
	char words[200];
	size_t len;
	const char *text = reply_last_text(&m->reply, &len);

	snprintf(words, sizeof(words), "it said %d %.*s", m->reply.code,
	    (int)(len > 150 ? 150 : len), text);
	msa_lose(m, what, words);
}

/* Returns false where no address is left to try. */
static bool
msa_connect(struct msa *m)
{
	struct sockaddr_storage ss;
	socklen_t len = resolve_get(m->w->msa, m->address, &ss);

	if (len == 0)
		return false;
	m->state = MSA_CONNECTING;
	m->stream = stream_connect(
	    m->w->base, (struct sockaddr *)&ss, len, msa_on_stream, m);
	if (m->stream == NULL)
		return false;
	stream_set_timeout(
	    m->stream, (uint64_t)m->w->conf->msa.connect_timeout);
	return true;
}

struct msa *
msa_dial(struct worker *w, const struct xclient_client *client, msa_fn *fn,
    void *arg)
{
	struct msa *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return NULL;
	m->w = w;
	m->client = client;
	m->fn = fn;
	m->arg = arg;
	reply_init(&m->reply);
	if (!msa_connect(m)) {
		free(m);
		return NULL;
	}
	return m;
}

static void
msa_start_tls(struct msa *m)
{
	const struct conf_msa *conf = &m->w->conf->msa;

	m->state = MSA_HANDSHAKE;
	stream_start_tls(m->stream, m->w->msa_tls,
	    conf->tls_name[0] != '\0' ? conf->tls_name : conf->address);
	stream_set_timeout(m->stream, (uint64_t)conf->connect_timeout);
}

static void
msa_wait_setup(struct msa *m, enum msa_state state)
{
	const struct conf_msa *conf = &m->w->conf->msa;

	m->state = state;
	stream_set_timeout(m->stream,
	    (uint64_t)(state == MSA_GREETING ? conf->greeting_timeout
					     : conf->ehlo_timeout));
}

static void
msa_say_hello(struct msa *m, const char *verb, enum msa_state state)
{
	const char *name = m->w->conf->hostname;

	/* Once the MSA takes us for the client, we call ourselves like it. */
	if (m->client != NULL && m->said > 0 && m->client->helo != NULL)
		name = m->client->helo;
	stream_print(m->stream, "%s %s\r\n", verb, name);
	msa_wait_setup(m, state);
}

/* Nothing may stand behind the 220 of STARTTLS (CVE-2011-0411's twin). */
static void
msa_upgrade(struct msa *m)
{
	size_t len;

	stream_input(m->stream, &len);
	if (m->reply.code != 220)
		msa_lose_by_reply(m, "STARTTLS refused");
	else if (len > 0)
		msa_lose(
		    m, "it sent clear text behind the 220 of STARTTLS", "");
	else
		msa_start_tls(m);
}

static void
msa_serve(struct msa *m)
{
	m->state = MSA_SERVING;
	stream_input_is_public(m->stream);
	stream_set_timeout(m->stream, 0);
	m->fn(m->arg, MSA_READY);
}

/* Tell the MSA who the client is, one command after the other. */
static void
msa_say_identity(struct msa *m)
{
	if (m->said == 0) {
		if ((m->caps.mask & CAP_XCLIENT) == 0) {
			msa_lose(m, MSA_NO_IDENTITY,
			    "it does not announce XCLIENT: "
			    "is this proxy among those it authorizes?");
			return;
		}
		if (xclient_build(m->client, m->caps.xclient, &m->lines) ==
		    -1) {
			msa_lose(m, MSA_NO_IDENTITY,
			    "the login is too long for "
			    "XCLIENT");
			return;
		}
		/* Without either it would go on taking the client for us. */
		if ((m->caps.xclient & (ATTR_ADDR | ATTR_LOGIN)) == 0) {
			msa_lose(m, MSA_NO_IDENTITY,
			    "it announces XCLIENT, but neither ADDR nor "
			    "LOGIN");
			return;
		}
	}
	if (m->said == m->lines.count) {
		msa_serve(m);
		return;
	}
	stream_write(
	    m->stream, m->lines.line[m->said], strlen(m->lines.line[m->said]));
	m->said++;
	msa_wait_setup(m, MSA_XCLIENT);
}

static void
msa_hello_done(struct msa *m)
{
	int tls = m->w->conf->msa.tls;

	if (tls == CONF_MSA_TLS_STARTTLS && !m->secure) {
		if ((m->caps.mask & CAP_STARTTLS) == 0) {
			msa_lose(m, "it does not offer STARTTLS", "");
			return;
		}
		stream_print(m->stream, "STARTTLS\r\n");
		msa_wait_setup(m, MSA_STARTTLS);
	} else if (m->client != NULL) {
		msa_say_identity(m);
	} else {
		msa_serve(m);
	}
}

static void
msa_hello_answered(struct msa *m)
{
	int code = m->reply.code;

	memset(&m->caps, 0, sizeof(m->caps));
	if (code == 250 && m->state == MSA_EHLO)
		ehlo_parse(&m->reply, &m->caps);
	if (m->said == 0)
		m->announced = m->caps;
	if (code == 250)
		msa_hello_done(m);
	else if (m->state == MSA_EHLO && code >= 500 && m->client == NULL)
		msa_say_hello(m, "HELO", MSA_HELO); /* RFC 5321 3.2 */
	else
		msa_lose_by_reply(m, "EHLO refused");
}

static void
msa_on_reply(struct msa *m)
{
	switch (m->state) {
	case MSA_GREETING:
		if (m->reply.code == 220)
			msa_say_hello(m, "EHLO", MSA_EHLO);
		else
			msa_lose_by_reply(m, "greeting");
		break;
	case MSA_EHLO:
	case MSA_HELO:
		msa_hello_answered(m);
		break;
	case MSA_STARTTLS:
		msa_upgrade(m);
		break;
	case MSA_XCLIENT:
		if (m->reply.code == 220)
			msa_say_hello(m, "EHLO", MSA_EHLO);
		else
			msa_lose_by_reply(
			    m, MSA_NO_IDENTITY ": XCLIENT refused");
		break;
	case MSA_SERVING:
		m->fn(m->arg, MSA_REPLY);
		break;
	default:
		break;
	}
}

static void
msa_on_input(struct msa *m)
{
	const uint8_t *in;
	size_t len, used;

	while (!m->lost && m->stream != NULL &&
	    (in = stream_input(m->stream, &len)) != NULL && len > 0) {
		used = reply_feed(&m->reply, (const char *)in, len);
		stream_consume(m->stream, used);
		if (m->reply.error != REPLY_OK) {
			msa_lose(
			    m, "bad reply", reply_error_text(m->reply.error));
			return;
		}
		if (!m->reply.complete)
			return;
		msa_on_reply(m);
		if (m->stream == NULL)
			return;
		reply_again(&m->reply);
	}
}

static void
msa_on_ready(struct msa *m)
{
	if (m->state == MSA_CONNECTING &&
	    m->w->conf->msa.tls == CONF_MSA_TLS_IMPLICIT) {
		msa_start_tls(m);
	} else if (m->state == MSA_CONNECTING) {
		msa_wait_setup(m, MSA_GREETING);
	} else {
		m->secure = true;
		if (m->w->conf->msa.tls == CONF_MSA_TLS_IMPLICIT)
			msa_wait_setup(m, MSA_GREETING);
		else
			msa_say_hello(m, "EHLO", MSA_EHLO);
	}
}

/* The connection failed before it was one: another address may do. */
static void
msa_on_failure(struct msa *m, const char *why)
{
	char words[160];

	snprintf(words, sizeof(words), "%s", why);
	if (m->state == MSA_CONNECTING) {
		stream_abort(m->stream);
		m->stream = NULL;
		m->address++;
		if (msa_connect(m))
			return;
	}
	msa_lose(m,
	    m->state == MSA_CONNECTING	    ? "cannot connect"
		: m->state == MSA_HANDSHAKE ? "TLS handshake"
					    : "connection lost",
	    words);
}

static void
msa_on_stream(void *arg, enum stream_event event)
{
	struct msa *m = arg;

	switch (event) {
	case STREAM_READY:
		msa_on_ready(m);
		break;
	case STREAM_INPUT:
		msa_on_input(m);
		break;
	case STREAM_DRAINED:
		m->fn(m->arg, MSA_DRAINED);
		break;
	case STREAM_CLOSED:
		msa_on_failure(m, stream_reason(m->stream));
		break;
	case STREAM_TIMEOUT:
		if (m->state == MSA_SERVING)
			m->fn(m->arg, MSA_LATE);
		else
			msa_on_failure(m, "no answer in time");
		break;
	}
}

bool
msa_is_ready(const struct msa *m)
{
	return m->state == MSA_SERVING && !m->lost;
}

const struct msa_caps *
msa_caps(const struct msa *m)
{
	return &m->caps;
}

const struct msa_caps *
msa_announced(const struct msa *m)
{
	return &m->announced;
}

const struct reply *
msa_reply(const struct msa *m)
{
	return &m->reply;
}

const char *
msa_trouble(const struct msa *m)
{
	return m->trouble;
}

struct stream *
msa_stream(struct msa *m)
{
	return m->stream;
}

void
msa_wait(struct msa *m, uint64_t ms)
{
	stream_set_timeout(m->stream, ms);
}

static void
msa_destroy(void *arg)
{
	struct msa *m = arg;

	reply_clear(&m->reply);
	free(m);
}

/* The owner is done: no event comes any more. */
static void
msa_end(struct msa *m)
{
	m->lost = true;
	m->stream = NULL;
	turn_free_later(msa_destroy, m);
}

void
msa_quit(struct msa *m)
{
	if (m->stream != NULL && msa_is_ready(m)) {
		stream_print(m->stream, "QUIT\r\n");
		stream_close(m->stream);
	} else if (m->stream != NULL) {
		stream_abort(m->stream);
	}
	msa_end(m);
}

void
msa_drop(struct msa *m)
{
	if (m->stream != NULL)
		stream_abort(m->stream);
	msa_end(m);
}
