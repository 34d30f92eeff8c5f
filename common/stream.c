/*
 * TCP and TLS connections on libevent's loop; see stream.h.
 */
#include "common/stream.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <event2/event_struct.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/buffer.h"
#include "common/log.h"

enum {
	STREAM_TURN_MAX = 128 * 1024,	/* octets read from one in a turn */
	STREAM_LINGER_MS = 10000,
	STREAM_DRAIN_MS = 2000
};

enum stream_state {
	STATE_CONNECTING,
	STATE_CLEAR,
	STATE_TLS_PENDING,	/* clear output first, then the handshake */
	STATE_HANDSHAKE,
	STATE_SECURE,
	STATE_LINGERING,	/* the owner is gone, output is not */
	STATE_DRAINING,		/* all is said: waiting for the peer's end */
	STATE_DEAD		/* freed at the end of the turn */
};

struct stream {
	struct event_base *base;
	struct event read_event;
	struct event write_event;
	struct event timer;
	int fd;
	enum stream_state state;
	bool reading;		/* read_event is armed */
	bool paused;		/* the owner does not want input */
	bool dirty;		/* on the list of those to flush */
	bool above;		/* output went over STREAM_HIGH */
	bool closed;		/* STREAM_CLOSED was told */
	uint64_t deadline;	/* of stream_set_timeout(), 0: none */
	uint64_t alarm;		/* when timer goes off, 0: not armed */
	SSL *ssl;
	SSL_CTX *ctx;		/* for the handshake to come */
	char *name;		/* a client's SNI */
	stream_fn *fn;
	void *arg;
	struct buffer in;
	struct buffer out;
	/* While the input callback runs: octets still in the scratch. */
	const uint8_t *fresh;
	size_t fresh_len;
	char reason[160];
	TAILQ_ENTRY(stream) turn;
};

TAILQ_HEAD(stream_list, stream);
static struct stream_list dirty_streams = TAILQ_HEAD_INITIALIZER(dirty_streams);
static struct stream_list dead_streams = TAILQ_HEAD_INITIALIZER(dead_streams);

/* What a stream reads goes here first: most is eaten at once. */
static uint8_t scratch[STREAM_TURN_MAX];

static void stream_on_read(evutil_socket_t, short, void *);
static void stream_on_write(evutil_socket_t, short, void *);
static void stream_on_timer(evutil_socket_t, short, void *);
static void stream_flush(struct stream *);

uint64_t
stream_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void
stream_die(struct stream *s)
{
	if (s->state == STATE_DEAD)
		return;
	s->state = STATE_DEAD;
	event_del(&s->read_event);
	event_del(&s->write_event);
	event_del(&s->timer);
	if (s->dirty)
		TAILQ_REMOVE(&dirty_streams, s, turn);
	s->dirty = false;
	TAILQ_INSERT_TAIL(&dead_streams, s, turn);
}

/* Tell the owner the end, once; the owner then closes or aborts. */
static void
stream_fail(struct stream *s, const char *why)
{
	if (s->state == STATE_DEAD || s->closed)
		return;
	if (s->state == STATE_LINGERING || s->state == STATE_DRAINING) {
		stream_die(s);
		return;
	}
	if (s->reason[0] == '\0')
		snprintf(s->reason, sizeof(s->reason), "%s", why);
	s->closed = true;
	event_del(&s->read_event);
	event_del(&s->write_event);
	s->reading = false;
	s->fn(s->arg, STREAM_CLOSED);
}

static void
stream_fail_tls(struct stream *s, int code)
{
	unsigned long error = ERR_peek_last_error();
	int verify = s->ssl == NULL ? 0 : (int)SSL_get_verify_result(s->ssl);

	if (verify != X509_V_OK && s->state == STATE_HANDSHAKE)
		snprintf(s->reason, sizeof(s->reason), "certificate: %s",
		    X509_verify_cert_error_string(verify));
	else if (code == SSL_ERROR_ZERO_RETURN ||
	    (error == 0 && (code != SSL_ERROR_SYSCALL || errno == 0)))
		snprintf(s->reason, sizeof(s->reason), "closed by peer");
	else if (error != 0)
		snprintf(s->reason, sizeof(s->reason), "TLS: %s",
		    ERR_reason_error_string(error) == NULL
			? "error" : ERR_reason_error_string(error));
	else
		snprintf(s->reason, sizeof(s->reason), "%s", strerror(errno));
	stream_fail(s, "TLS");
}

static void
stream_arm_read(struct stream *s)
{
	bool want = false;

	if (s->state == STATE_CLEAR || s->state == STATE_SECURE)
		want = !s->paused && !s->closed &&
		    buffer_len(&s->in) < STREAM_INPUT_MAX;
	else if (s->state == STATE_HANDSHAKE || s->state == STATE_DRAINING)
		want = true;
	if (want == s->reading)
		return;
	s->reading = want;
	if (!want) {
		event_del(&s->read_event);
		return;
	}
	event_add(&s->read_event, NULL);
	/* What OpenSSL holds already wakes nobody. */
	if (s->state == STATE_SECURE && SSL_has_pending(s->ssl))
		event_active(&s->read_event, EV_READ, 0);
}

static void
stream_set_alarm(struct stream *s, uint64_t at)
{
	uint64_t now = stream_now();
	uint64_t ms = at > now ? at - now : 0;
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000) * 1000 };

	s->alarm = at;
	event_add(&s->timer, &tv);
}

void
stream_set_timeout(struct stream *s, uint64_t ms)
{
	s->deadline = ms == 0 ? 0 : stream_now() + ms;
	/* A later deadline waits for the alarm to find it. */
	if (s->deadline != 0 && (s->alarm == 0 || s->deadline < s->alarm))
		stream_set_alarm(s, s->deadline);
}

static void
stream_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->alarm = 0;
	if (s->deadline == 0 || s->state == STATE_DEAD)
		return;
	if (s->deadline > stream_now()) {
		stream_set_alarm(s, s->deadline);
		return;
	}
	s->deadline = 0;
	if (s->state == STATE_LINGERING || s->state == STATE_DRAINING)
		stream_die(s);
	else if (!s->closed)
		s->fn(s->arg, STREAM_TIMEOUT);
}

struct stream *
stream_new(struct event_base *base, int fd, stream_fn *fn, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));
	int one = 1;

	if (s == NULL)
		return NULL;
	s->base = base;
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	s->state = STATE_CLEAR;
	evutil_make_socket_nonblocking(fd);
	/* Without it a reply waits for the peer's delayed ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event_assign(&s->read_event, base, fd, EV_READ | EV_PERSIST,
	    stream_on_read, s);
	event_assign(&s->write_event, base, fd, EV_WRITE, stream_on_write, s);
	evtimer_assign(&s->timer, base, stream_on_timer, s);
	stream_arm_read(s);
	return s;
}

struct stream *
stream_connect(struct event_base *base, const struct sockaddr *sa,
    socklen_t len, stream_fn *fn, void *arg)
{
	int fd = socket(sa->sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stream *s;

	if (fd == -1)
		return NULL;
	if ((s = stream_new(base, fd, fn, arg)) == NULL) {
		close(fd);
		return NULL;
	}
	s->state = STATE_CONNECTING;
	stream_arm_read(s);
	if (connect(fd, sa, len) == -1 && errno != EINPROGRESS) {
		snprintf(s->reason, sizeof(s->reason), "%s", strerror(errno));
		/* The owner does not know the stream yet: tell it later. */
	}
	event_add(&s->write_event, NULL);
	if (s->reason[0] != '\0')
		event_active(&s->write_event, EV_WRITE, 0);
	return s;
}

static void
stream_connected(struct stream *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (s->reason[0] != '\0') {
		stream_fail(s, s->reason);
		return;
	}
	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	if (error != 0) {
		stream_fail(s, strerror(error));
		return;
	}
	s->state = STATE_CLEAR;
	stream_arm_read(s);
	s->fn(s->arg, STREAM_READY);
}

static void
stream_mark_dirty(struct stream *s)
{
	if (s->dirty || s->state == STATE_DEAD)
		return;
	s->dirty = true;
	TAILQ_INSERT_TAIL(&dirty_streams, s, turn);
}

void
stream_start_tls(struct stream *s, SSL_CTX *ctx, const char *name)
{
	s->ctx = ctx;
	SSL_CTX_up_ref(ctx);
	s->name = name == NULL ? NULL : strdup(name);
	s->state = STATE_TLS_PENDING;
	stream_arm_read(s);
	stream_mark_dirty(s);
}

static int
stream_client_names(struct stream *s)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	struct in6_addr address;

	if (inet_pton(AF_INET, s->name, &address) == 1 ||
	    inet_pton(AF_INET6, s->name, &address) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, s->name);
	if (SSL_set_tlsext_host_name(s->ssl, s->name) != 1)
		return 0;
	return SSL_set1_host(s->ssl, s->name);
}

/* All that was written in clear has left: the handshake may begin. */
static void
stream_begin_handshake(struct stream *s)
{
	ERR_clear_error();
	s->ssl = SSL_new(s->ctx);
	SSL_CTX_free(s->ctx);
	s->ctx = NULL;
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		fatal("OpenSSL: no memory for a connection");
	s->state = STATE_HANDSHAKE;
	if (s->name == NULL) {
		SSL_set_accept_state(s->ssl);
	} else {
		SSL_set_connect_state(s->ssl);
		if (stream_client_names(s) != 1) {
			stream_fail(s, "TLS: the name cannot be used");
			return;
		}
		event_active(&s->read_event, EV_READ, 0);
	}
	stream_arm_read(s);
}

static void
stream_handshake(struct stream *s)
{
	int n, code;

	ERR_clear_error();
	n = SSL_do_handshake(s->ssl);
	if (n == 1) {
		s->state = STATE_SECURE;
		s->reading = false;	/* so that pending input is noticed */
		stream_arm_read(s);
		s->fn(s->arg, STREAM_READY);
		return;
	}
	code = SSL_get_error(s->ssl, n);
	if (code == SSL_ERROR_WANT_WRITE)
		event_add(&s->write_event, NULL);
	else if (code != SSL_ERROR_WANT_READ)
		stream_fail_tls(s, code);
}

/* Octets read, 0 for none now, -1 for the end (reason is set). */
static ssize_t
stream_read_some(struct stream *s, uint8_t *to, size_t room)
{
	size_t got = 0;
	ssize_t n;
	int code;

	if (s->ssl == NULL) {
		n = recv(s->fd, to, room, 0);
		if (n > 0)
			return n;
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return 0;
		snprintf(s->reason, sizeof(s->reason), "%s",
		    n == 0 ? "closed by peer" : strerror(errno));
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	if (SSL_read_ex(s->ssl, to, room, &got) == 1)
		return (ssize_t)got;
	code = SSL_get_error(s->ssl, 0);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	if (code == SSL_ERROR_ZERO_RETURN || ERR_peek_error() == 0)
		snprintf(s->reason, sizeof(s->reason), "closed by peer");
	else
		snprintf(s->reason, sizeof(s->reason), "TLS: %s",
		    ERR_reason_error_string(ERR_peek_last_error()));
	return -1;
}

/* Give what is in the scratch to the owner; keep what it leaves. */
static void
stream_deliver(struct stream *s, size_t len)
{
	if (buffer_len(&s->in) > 0) {
		buffer_append(&s->in, scratch, len);
	} else {
		s->fresh = scratch;
		s->fresh_len = len;
	}
	s->fn(s->arg, STREAM_INPUT);
	if (s->fresh_len > 0 && s->state != STATE_DEAD)
		buffer_append(&s->in, s->fresh, s->fresh_len);
	s->fresh = NULL;
	s->fresh_len = 0;
}

/*
 * A close with octets unread resets the connection, and the peer may lose
 * the reply that was written last: eat what still comes.
 */
static void
stream_drain(struct stream *s)
{
	ssize_t n = recv(s->fd, scratch, sizeof(scratch), 0);

	if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
		stream_die(s);
}

static void
stream_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	size_t got = 0;
	ssize_t n = 0;

	(void)fd;
	(void)what;
	if (s->state == STATE_HANDSHAKE) {
		stream_handshake(s);
		return;
	}
	if (s->state == STATE_DRAINING) {
		stream_drain(s);
		return;
	}
	if (!s->reading)
		return;
	while (got < sizeof(scratch)) {
		n = stream_read_some(s, scratch + got, sizeof(scratch) - got);
		if (n <= 0)
			break;
		got += (size_t)n;
		/* A socket that gave less than asked has no more. */
		if (s->ssl == NULL)
			break;
	}
	if (got > 0) {
		stream_deliver(s, got);
		OPENSSL_cleanse(scratch, got);
	}
	if (s->state != STATE_CLEAR && s->state != STATE_SECURE) {
		stream_arm_read(s);
		return;
	}
	if (n == -1) {
		stream_fail(s, s->reason);
		return;
	}
	stream_arm_read(s);
	if (s->reading && s->ssl != NULL && SSL_has_pending(s->ssl))
		event_active(&s->read_event, EV_READ, 0);
}

/* Octets written, 0 for none now, -1 for the end (told). */
static ssize_t
stream_write_some(struct stream *s, const uint8_t *from, size_t len)
{
	size_t put = 0;
	ssize_t n;
	int code;

	if (s->ssl == NULL) {
		n = send(s->fd, from, len, MSG_NOSIGNAL);
		if (n >= 0)
			return n;
		if (errno == EAGAIN || errno == EINTR)
			return 0;
		stream_fail(s, strerror(errno));
		return -1;
	}
	ERR_clear_error();
	errno = 0;
	if (SSL_write_ex(s->ssl, from, len, &put) == 1)
		return (ssize_t)put;
	code = SSL_get_error(s->ssl, 0);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	stream_fail_tls(s, code);
	return -1;
}

/* Lingering is over: say goodbye in TLS's words (RFC 8314 3.4). */
static void
stream_finish(struct stream *s)
{
	if (s->ssl != NULL && !s->closed) {
		ERR_clear_error();
		SSL_shutdown(s->ssl);
	}
	if (shutdown(s->fd, SHUT_WR) == -1) {
		stream_die(s);
		return;
	}
	s->state = STATE_DRAINING;
	stream_arm_read(s);
	stream_set_timeout(s, STREAM_DRAIN_MS);
}

static void
stream_flush(struct stream *s)
{
	ssize_t n;

	if (s->state == STATE_CONNECTING || s->state == STATE_HANDSHAKE ||
	    s->state == STATE_DRAINING || s->state == STATE_DEAD)
		return;
	while (buffer_len(&s->out) > 0) {
		n = stream_write_some(s, buffer_at(&s->out),
		    buffer_len(&s->out));
		if (n < 0)
			return;
		if (n == 0) {
			event_add(&s->write_event, NULL);
			break;
		}
		buffer_consume(&s->out, (size_t)n);
	}
	if (buffer_len(&s->out) == 0 && s->state == STATE_LINGERING)
		stream_finish(s);
	else if (buffer_len(&s->out) == 0 && s->state == STATE_TLS_PENDING)
		stream_begin_handshake(s);
	else if (s->above && buffer_len(&s->out) < STREAM_LOW) {
		s->above = false;
		if (s->state != STATE_LINGERING)
			s->fn(s->arg, STREAM_DRAINED);
	}
}

static void
stream_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (s->state == STATE_CONNECTING)
		stream_connected(s);
	else if (s->state == STATE_HANDSHAKE)
		stream_handshake(s);
	else
		stream_flush(s);
}

const uint8_t *
stream_input(const struct stream *s, size_t *len)
{
	if (s->fresh_len > 0) {
		*len = s->fresh_len;
		return s->fresh;
	}
	*len = buffer_len(&s->in);
	return buffer_at(&s->in);
}

void
stream_consume(struct stream *s, size_t len)
{
	if (s->fresh_len > 0) {
		s->fresh += len;
		s->fresh_len -= len;
		return;
	}
	buffer_consume(&s->in, len);
	stream_arm_read(s);
}

const char *
stream_line(const struct stream *s, size_t *len, size_t *used)
{
	size_t have;
	const uint8_t *start = stream_input(s, &have);
	const uint8_t *end = have == 0 ? NULL : memchr(start, '\n', have);

	if (end == NULL)
		return NULL;
	*used = (size_t)(end - start) + 1;
	*len = *used - 1;
	if (*len > 0 && start[*len - 1] == '\r')
		(*len)--;
	return (const char *)start;
}

uint8_t *
stream_reserve(struct stream *s, size_t len)
{
	return buffer_reserve(&s->out, len);
}

void
stream_commit(struct stream *s, size_t len)
{
	buffer_commit(&s->out, len);
	if (buffer_len(&s->out) >= STREAM_HIGH)
		s->above = true;
	stream_mark_dirty(s);
}

void
stream_write(struct stream *s, const void *data, size_t len)
{
	if (len == 0 || s->closed)
		return;
	memcpy(stream_reserve(s, len), data, len);
	stream_commit(s, len);
}

void
stream_print(struct stream *s, const char *format, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		fatal("stream_print: line too long for \"%s\"", format);
	stream_write(s, text, (size_t)n);
}

size_t
stream_output_len(const struct stream *s)
{
	return buffer_len(&s->out);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
	stream_arm_read(s);
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
	stream_arm_read(s);
}

SSL *
stream_ssl(const struct stream *s)
{
	return s->ssl;
}

int
stream_fd(const struct stream *s)
{
	return s->fd;
}

const char *
stream_reason(const struct stream *s)
{
	return s->reason;
}

void
stream_close(struct stream *s)
{
	bool secure = s->state == STATE_SECURE || s->state == STATE_CLEAR;

	if (s->closed || !secure) {
		stream_die(s);
		return;
	}
	s->state = STATE_LINGERING;
	s->paused = true;
	stream_arm_read(s);
	stream_set_timeout(s, STREAM_LINGER_MS);
	stream_mark_dirty(s);
}

void
stream_abort(struct stream *s)
{
	stream_die(s);
}

static void
stream_free(struct stream *s)
{
	if (s->ssl != NULL)
		SSL_free(s->ssl);
	if (s->ctx != NULL)
		SSL_CTX_free(s->ctx);
	close(s->fd);
	free(s->name);
	buffer_free(&s->in);
	buffer_free(&s->out);
	free(s);
}

void
stream_turn_end(void)
{
	struct stream *s;

	while ((s = TAILQ_FIRST(&dirty_streams)) != NULL) {
		TAILQ_REMOVE(&dirty_streams, s, turn);
		s->dirty = false;
		stream_flush(s);
	}
	while ((s = TAILQ_FIRST(&dead_streams)) != NULL) {
		TAILQ_REMOVE(&dead_streams, s, turn);
		stream_free(s);
	}
}
