/*
 * A client of the tracking server: its connection, its clock, and what its
 * session asks to be done (RFC 3887 2.5, 3, 6).
 */
#include "track/tracker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/seldom.h"
#include "common/stream.h"
#include "common/turn.h"
#include "conf/conf.h"

enum {
	WRITE_MS = 60000, /* for a client to take STREAM_LOW octets */
	QUIET_MS = 1000,  /* without a command, to be ended by a drain */
	SEND_BUFFER = 128 * 1024,
	STRONG_BITS = 128 /* of a cipher's key (RFC 9325 4.1) */
};

struct tracker_session *
tracker_session_find(struct tracker *t, uint64_t id)
{
	struct tracker_session *s;

	LIST_FOREACH(s, &t->sessions[id % TRACKER_BUCKETS], bucket) {
		if (s->id == id)
			return s;
	}
	return NULL;
}

static void
log_session_end(const struct tracker_session *s, const char *why)
{
	bool silent = s->mtqp.commands + s->mtqp.bad == 0;
	struct log_line l;

	log_begin(&l, silent ? LOG_IS_DEBUG : LOG_IS_INFO, "end");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_text(&l, "tls",
	    stream_ssl(s->client) == NULL
		? "none"
		: SSL_get_version(stream_ssl(s->client)));
	log_number(&l, "commands", s->mtqp.commands);
	log_number(&l, "bad", s->mtqp.bad);
	log_number(&l, "found", s->found);
	log_number(&l, "noinfo", s->mtqp.refused);
	log_number(&l, "unavailable", s->unavailable);
	log_text(&l, "reason", why);
	log_end(&l);
}

static void
session_destroy(void *arg)
{
	struct tracker_session *s = arg;

	mtqp_session_free(&s->mtqp);
	free(s);
}

static void
session_leave(struct tracker_session *s, const char *why)
{
	log_session_end(s, why);
	if (s->mtqp.effect == MTQP_LOOK_UP)
		tracker_ask_cancel(s);
	addresses_remove(s->address_key, ADDRESSES_SESSIONS);
	LIST_REMOVE(s, bucket);
	s->t->session_count--;
	turn_free_later(session_destroy, s);
}

/* What was written still leaves. */
static void
session_end(struct tracker_session *s, const char *why)
{
	session_leave(s, why);
	stream_close(s->client);
	s->client = NULL;
}

static void
session_cut(struct tracker_session *s, const char *why)
{
	session_leave(s, why);
	stream_abort(s->client);
	s->client = NULL;
}

/* Its time begins again: it did something, or is to take something. */
static void
session_arm(struct tracker_session *s)
{
	const struct conf *conf = s->t->conf;
	int64_t ms = conf->track.idle_timeout;

	s->active = clock_ms();
	s->left = stream_output_len(s->client);
	s->blocked = s->left >= STREAM_HIGH;
	if (s->mtqp.effect == MTQP_LOOK_UP)
		ms = 0; /* the question has a clock of its own */
	else if (s->mtqp.effect == MTQP_HANDSHAKE)
		ms = conf->limits.handshake_timeout;
	else if (s->blocked)
		ms = WRITE_MS;
	stream_set_timeout(s->client, (uint64_t)ms);
}

static void
session_write(struct tracker_session *s)
{
	struct buffer *out = &s->mtqp.out;

	stream_write(s->client, buffer_at(out), buffer_len(out));
	buffer_free(out);
}

/* RFC 3887 6: the client says whom it believes to talk to. */
static void
session_start_tls(struct tracker_session *s)
{
	SSL_CTX *ctx = tracker_names_find(&s->t->names, s->mtqp.domain);
	size_t unread;

	stream_input(s->client, &unread);
	if (ctx == NULL) {
		mtqp_session_tls_refuse(&s->mtqp);
	} else if (mtqp_session_tls_begin(&s->mtqp, unread) == 0) {
		session_write(s);
		stream_start_tls(s->client, ctx, NULL);
	}
}

/* Do what the last command asks for; returns false where more must wait. */
static bool
session_act(struct tracker_session *s)
{
	switch (s->mtqp.effect) {
	case MTQP_READ:
		return true;
	case MTQP_LOOK_UP:
		/* Who says no more gets the answer all the same. */
		stream_pause(s->client);
		tracker_ask(s);
		return false;
	case MTQP_START_TLS:
		session_start_tls(s);
		return s->mtqp.effect == MTQP_READ;
	case MTQP_HANDSHAKE:
	case MTQP_CLOSE:
		break;
	}
	return false;
}

/* A stream that closes has little time left for what is to be written. */
static void
session_close(struct tracker_session *s, const char *why)
{
	if (stream_output_len(s->client) < STREAM_HIGH) {
		session_end(s, why);
		return;
	}
	stream_pause(s->client);
	session_arm(s);
}

/* Take commands, as far as the one before is done and its answer taken. */
static bool
session_step(struct tracker_session *s)
{
	size_t len;
	const uint8_t *data = stream_input(s->client, &len);

	if (len == 0 || s->mtqp.effect != MTQP_READ ||
	    stream_output_len(s->client) >= STREAM_HIGH)
		return false;
	stream_consume(s->client, mtqp_session_feed(&s->mtqp, data, len));
	return session_act(s);
}

static void
session_process(struct tracker_session *s)
{
	unsigned before = s->mtqp.commands + s->mtqp.bad;
	bool more = true;

	while (more) {
		more = session_step(s);
		session_write(s);
	}
	if (s->mtqp.effect == MTQP_CLOSE)
		session_close(s, "closed by us");
	else if (s->mtqp.commands + s->mtqp.bad != before)
		session_arm(s);
	else if (s->t->draining && s->mtqp.effect == MTQP_READ &&
	    clock_ms() - s->active >= QUIET_MS)
		session_close(s, "we are shutting down");
}

void
tracker_session_go_on(struct tracker_session *s)
{
	session_write(s);
	stream_resume(s->client);
	session_arm(s);
	session_process(s);
}

/* RFC 3887 6.2: a fresh greeting. */
static void
session_secured(struct tracker_session *s)
{
	SSL *ssl = stream_ssl(s->client);
	int bits = SSL_CIPHER_get_bits(SSL_get_current_cipher(ssl), NULL);

	mtqp_session_tls_done(&s->mtqp, bits >= STRONG_BITS);
	session_write(s);
	session_arm(s);
	session_process(s);
}

static void
session_timeout(struct tracker_session *s)
{
	size_t left = stream_output_len(s->client);

	if (s->mtqp.effect == MTQP_HANDSHAKE) {
		session_end(s, "no TLS handshake in time");
	} else if (s->blocked && left + STREAM_LOW <= s->left) {
		session_arm(s);
	} else if (left > 0) {
		session_cut(s, "takes its answers too slowly");
	} else {
		session_end(s, "idle for too long");
	}
}

static void
session_on_client(void *arg, enum stream_event event)
{
	struct tracker_session *s = arg;

	if (s->client == NULL)
		return;
	switch (event) {
	case STREAM_READY:
		session_secured(s);
		break;
	case STREAM_DRAINED:
		session_arm(s);
		session_process(s);
		break;
	case STREAM_INPUT:
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

/* A flood of clients makes none of lines. */
static void
log_turned_away(const struct tracker *t, const char *address, unsigned count)
{
	static struct seldom seldom;
	uint64_t withheld;
	struct log_line l;

	if (!seldom_may(&seldom, clock_ms(), &withheld))
		return;
	log_begin(&l, LOG_IS_WARNING, "refused");
	log_text(&l, "client", address);
	log_number(&l, "of_address", count);
	log_number(&l, "sessions", (int64_t)t->session_count);
	log_number(&l, "unsaid", (int64_t)withheld);
	log_text(&l, "reason",
	    "too many sessions (track sessions, sessions_per_address)");
	log_end(&l);
}

static void
nobody_on_client(void *arg, enum stream_event event)
{
	(void)arg;
	(void)event;
}

/* RFC 3887 3: a greeting that says why not. */
static void
turn_away(struct tracker *t, int fd)
{
	struct stream *client = stream_new(t->base, fd, nobody_on_client, NULL);
	struct mtqp_session mtqp;

	if (client == NULL)
		fatal("out of memory");
	t->turned_away++;
	mtqp_session_start(&mtqp, &t->rules, "unavailable");
	stream_write(client, buffer_at(&mtqp.out), buffer_len(&mtqp.out));
	stream_close(client);
	mtqp_session_free(&mtqp);
}

/* Is there room for one more, and one more of this address? */
static bool
admit(
    const struct tracker *t, const struct sockaddr_storage *peer, uint64_t key)
{
	const struct conf_track *conf = &t->conf->track;
	unsigned count = addresses_add(key, ADDRESSES_SESSIONS);
	char address[ADDRESSES_TEXT_LEN];

	if (t->session_count < (size_t)conf->sessions &&
	    count <= (unsigned)conf->sessions_per_address)
		return true;
	addresses_remove(key, ADDRESSES_SESSIONS);
	addresses_text(peer, address);
	log_turned_away(t, address, count);
	return false;
}

/*
 * The system would take megabytes for a client that reads nothing, and hide
 * from us for as long whether one reads slowly.
 */
static void
bound_send_buffer(int fd)
{
	int size = SEND_BUFFER;

	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) == -1)
		log_warning("socket", "SO_SNDBUF: %s", strerror(errno));
}

void
tracker_session_start(
    void *tracker, int fd, const struct sockaddr_storage *peer)
{
	uint64_t key = addresses_key(peer);
	struct tracker *t = tracker;
	struct tracker_session *s;

	if (!admit(t, peer, key)) {
		turn_away(t, fd);
		return;
	}
	bound_send_buffer(fd);
	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->client = stream_new(t->base, fd, session_on_client, s)) == NULL)
		fatal("out of memory");
	s->t = t;
	s->id = ++t->last_id;
	s->address_key = key;
	addresses_text(peer, s->address);
	LIST_INSERT_HEAD(&t->sessions[s->id % TRACKER_BUCKETS], s, bucket);
	t->session_count++;
	t->sessions_total++;
	mtqp_session_start(&s->mtqp, &t->rules, NULL);
	session_write(s);
	session_arm(s);
}

void
tracker_sessions_end(struct tracker *t, bool every)
{
	struct tracker_session *s, *next;

	for (size_t i = 0; i < TRACKER_BUCKETS; i++) {
		for (s = LIST_FIRST(&t->sessions[i]); s != NULL; s = next) {
			next = LIST_NEXT(s, bucket);
			if (every)
				session_end(s, "we are shutting down");
			else
				session_process(s);
		}
	}
}
