/*
 * A stream's sockets and TLS: connecting, the handshake, reading, writing and
 * the goodbye (RFC 8446 6.1, RFC 8314 3.4).
 */
#include "common/stream_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/log.h"

/* What a stream reads goes here first: most is eaten at once. */
static uint8_t scratch[STREAM_TURN_MAX];

/* What an earlier call left would be taken for this one's; seldom is any. */
static void
stream_forget_errors(void)
{
	if (ERR_peek_error() != 0)
		ERR_clear_error();
	errno = 0;
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
			? "error"
			: ERR_reason_error_string(error));
	else
		snprintf(s->reason, sizeof(s->reason), "%s", strerror(errno));
	stream_fail(s, "TLS");
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
	stream_forget_errors();
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
	}
	stream_arm_read(s);
	/* In this order: libevent does not watch what is active already. */
	if (s->name != NULL)
		event_active(&s->read_event, EV_READ, 0);
}

static void
stream_handshake(struct stream *s)
{
	int n, code;

	stream_forget_errors();
	n = SSL_do_handshake(s->ssl);
	if (n == 1) {
		s->state = STATE_SECURE;
		s->reading = false; /* so that pending input is noticed */
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
	stream_forget_errors();
	if (SSL_read_ex(s->ssl, to, room, &got) == 1)
		return (ssize_t)got;
	code = SSL_get_error(s->ssl, 0);
	s->read_writes = code == SSL_ERROR_WANT_WRITE;
	if (s->read_writes)
		event_add(&s->write_event, NULL);
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	if (code == SSL_ERROR_ZERO_RETURN || ERR_peek_error() == 0)
		snprintf(s->reason, sizeof(s->reason), "closed by peer");
	else
		snprintf(s->reason, sizeof(s->reason), "TLS: %s",
		    ERR_reason_error_string(ERR_peek_last_error()));
	return -1;
}

void
stream_release_tls(struct stream *s)
{
	/* SSL_free_buffers() does not see a record that is half taken. */
	if (s->ssl != NULL && !SSL_has_pending(s->ssl))
		SSL_free_buffers(s->ssl);
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

void
stream_on_read(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	size_t got = 0;
	ssize_t n = 0;

	(void)fd;
	(void)what;
	stream_use(s);
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
		/*
		 * A socket that gave less than asked has no more. Nor has
		 * OpenSSL where it holds nothing: asking it again would only
		 * find the socket empty. If it is not, the next turn tells.
		 */
		if (s->ssl == NULL || !SSL_has_pending(s->ssl))
			break;
	}
	if (got > 0) {
		stream_deliver(s, got);
		if (!s->public_input)
			explicit_bzero(scratch, got);
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
	/*
	 * Only where the scratch was full: else OpenSSL holds part of a
	 * record at most, and calls that pending, too.
	 */
	if (s->reading && s->ssl != NULL && n > 0 && SSL_has_pending(s->ssl))
		event_active(&s->read_event, EV_READ, 0);
	if (s->write_reads)
		stream_flush(s);
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
	stream_forget_errors();
	if (SSL_write_ex(s->ssl, from, len, &put) == 1)
		return (ssize_t)put;
	code = SSL_get_error(s->ssl, 0);
	s->write_reads = code == SSL_ERROR_WANT_READ;
	if (code == SSL_ERROR_WANT_READ || code == SSL_ERROR_WANT_WRITE)
		return 0;
	stream_fail_tls(s, code);
	return -1;
}

/*
 * Before the turn ends, so that it need not be copied. What goes wrong is
 * told from the loop, when what is left is written: never from here.
 */
size_t
stream_send_bulk(struct stream *s, const void *data, size_t len)
{
	size_t put = 0;
	ssize_t n;

	if (s->state == STATE_CLEAR) {
		n = send(s->fd, data, len, MSG_NOSIGNAL);
		return n > 0 ? (size_t)n : 0;
	}
	if (s->state != STATE_SECURE)
		return 0;
	stream_use(s);
	stream_forget_errors();
	return SSL_write_ex(s->ssl, data, len, &put) == 1 ? put : 0;
}

/* Lingering is over: say goodbye in TLS's words (RFC 8314 3.4). */
static void
stream_finish(struct stream *s)
{
	if (s->ssl != NULL && !s->closed) {
		stream_forget_errors();
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

void
stream_flush(struct stream *s)
{
	ssize_t n;

	if (s->state == STATE_CONNECTING || s->state == STATE_HANDSHAKE ||
	    s->state == STATE_DRAINING || s->state == STATE_DEAD)
		return;
	stream_use(s);
	s->write_reads = false;
	while (buffer_len(&s->out) > 0) {
		n = stream_write_some(
		    s, buffer_at(&s->out), buffer_len(&s->out));
		if (n < 0)
			return;
		if (n == 0) {
			/*
			 * Half a KeyUpdate keeps OpenSSL from writing: the
			 * socket is ready all the while (RFC 8446 4.6.3).
			 */
			if (!s->write_reads)
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

void
stream_on_write(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	if (s->read_writes && s->reading)
		event_active(&s->read_event, EV_READ, 0);
	s->read_writes = false;
	if (s->state == STATE_CONNECTING)
		stream_connected(s);
	else if (s->state == STATE_HANDSHAKE)
		stream_handshake(s);
	else
		stream_flush(s);
}
