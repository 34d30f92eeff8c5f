/*
 * One client of the load generator: STARTTLS or TLS at once, AUTH PLAIN,
 * messages, QUIT; each reply must have the code that it should (RFC 5321,
 * RFC 4954, RFC 2920). The first that has not ends the program.
 */
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>

enum state {
	GREETING,
	EHLO,
	STARTTLS,
	EHLO_IN_TLS,
	AUTH,
	IDLE,
	MAIL,
	RCPT,
	DATA,
	CONTENT,
	QUIT,
	STATES
};

static const struct {
	const char *name, *code;
} wanted[STATES] = {
	[GREETING] = { "greeting", "220" },
	[EHLO] = { "EHLO", "250" },
	[STARTTLS] = { "STARTTLS", "220" },
	[EHLO_IN_TLS] = { "EHLO in TLS", "250" },
	[AUTH] = { "AUTH", "235" },
	[IDLE] = { "nothing", "" },
	[MAIL] = { "MAIL", "250" },
	[RCPT] = { "RCPT", "250" },
	[DATA] = { "DATA", "354" },
	[CONTENT] = { "message", "250" },
	[QUIT] = { "QUIT", "221" },
};

/* What is sent is a head, then octets of a body, and where there is a body
 * the end of data: put together again wherever the last write stopped. */
struct session {
	int fd;
	SSL *ssl;
	enum state state;
	bool idle, shaking, gone;
	unsigned number, left, place;
	double began, asked;
	size_t head_len, body_len, sent, in_len;
	char head[768], in[1024];
};

static const char line[] = "The quick brown fox jumps over the lazy dog, and "
			   "nobody knows what for, but so\r\n";
static const char end[] = ".\r\n";

#define LINE_LEN (sizeof(line) - 1)
#define END_LEN	 (sizeof(end) - 1)

static char scratch[65536];

static size_t
total(const struct session *s)
{
	return s->head_len + s->body_len + (s->body_len ? END_LEN : 0);
}

/* The octet at a place of what is being sent, and how many follow it. */
static const char *
piece(const struct session *s, size_t at, size_t *len)
{
	if (at < s->head_len) {
		*len = s->head_len - at;
		return s->head + at;
	}
	at -= s->head_len;
	if (at < s->body_len) {
		*len = LINE_LEN - at % LINE_LEN;
		return line + at % LINE_LEN;
	}
	at -= s->body_len;
	*len = END_LEN - at;
	return end + at;
}

static size_t
compose(const struct session *s)
{
	size_t filled = 0, at = s->sent, all = total(s), len;
	const char *from;

	while (at < all && filled < sizeof(scratch)) {
		from = piece(s, at, &len);
		if (len > sizeof(scratch) - filled)
			len = sizeof(scratch) - filled;
		memcpy(scratch + filled, from, len);
		filled += len;
		at += len;
	}
	return filled;
}

static void
fail(const struct session *s, const char *why)
{
	errx(1, "session %u, %s: %s", s->number, wanted[s->state].name, why);
}

/* What SSL_read and its like returned, as read(2) would say it. */
static ssize_t
tls_result(struct session *s, int got)
{
	if (got > 0)
		return got;
	switch (SSL_get_error(s->ssl, got)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	default:
		ERR_print_errors_fp(stderr);
		fail(s, "TLS failed");
		return -1;
	}
}

static ssize_t
put(struct session *s, size_t len)
{
	if (s->ssl == NULL)
		return send(s->fd, scratch, len, MSG_NOSIGNAL);
	ERR_clear_error();
	return tls_result(s, SSL_write(s->ssl, scratch, (int)len));
}

static ssize_t
get(struct session *s)
{
	size_t room = sizeof(s->in) - 1 - s->in_len;

	if (s->ssl == NULL)
		return read(s->fd, s->in + s->in_len, room);
	ERR_clear_error();
	return tls_result(s, SSL_read(s->ssl, s->in + s->in_len, (int)room));
}

static void
flush(struct session *s)
{
	ssize_t done;

	while (s->sent < total(s)) {
		done = put(s, compose(s));
		if (done == -1 && errno == EAGAIN)
			return;
		if (done <= 0)
			fail(s, "the connection is lost");
		s->sent += (size_t)done;
	}
}

static void send_text(struct session *, enum state, const char *, ...)
    __attribute__((format(printf, 3, 4)));

static void
send_text(struct session *s, enum state next, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(s->head, sizeof(s->head), format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= sizeof(s->head))
		fail(s, "too long to send");
	s->head_len = (size_t)len;
	s->body_len = s->sent = 0;
	s->state = next;
	flush(s);
}

static void
send_auth(struct session *s)
{
	unsigned char plain[256], base64[400];
	unsigned user = s->number % load.options.users;
	int len = snprintf((char *)plain, sizeof(plain), "%cuser%u%c%s", 0,
	    user, 0, load.options.password);

	EVP_EncodeBlock(base64, plain, len);
	send_text(s, AUTH, "AUTH PLAIN %s\r\n", base64);
}

static void
send_content(struct session *s)
{
	size_t size = load.options.size;
	int len = snprintf(s->head, sizeof(s->head),
	    "From: <user%u@example.test>\r\n"
	    "To: <bob@example.test>\r\n"
	    "Date: Mon, 2 Nov 2026 10:00:00 +0000\r\n"
	    "Subject: message %u of session %u\r\n"
	    "Message-ID: <%u.%u.%d@client.example.test>\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
	    s->number % load.options.users, s->left, s->number, s->left,
	    s->number, (int)getpid());

	s->head_len = (size_t)len;
	s->body_len = (size / LINE_LEN + 1) * LINE_LEN;
	s->sent = 0;
	s->state = CONTENT;
	flush(s);
}

static void
next_message(struct session *s)
{
	unsigned user = s->number % load.options.users;

	if (s->left == 0) {
		send_text(s, QUIT, "QUIT\r\n");
		return;
	}
	s->left--;
	s->asked = wall();
	if (load.options.pipelined)
		send_text(s, MAIL,
		    "MAIL FROM:<user%u@example.test>\r\n"
		    "RCPT TO:<bob@example.test>\r\nDATA\r\n",
		    user);
	else
		send_text(s, MAIL, "MAIL FROM:<user%u@example.test>\r\n", user);
}

static void
sample(struct samples *to, double since)
{
	if (to->count < to->room)
		to->of[to->count++] = wall() - since;
}

static void
shake(struct session *s)
{
	ERR_clear_error();
	if (tls_result(s, SSL_do_handshake(s->ssl)) <= 0)
		return;
	s->shaking = false;
	load.resumed += SSL_session_reused(s->ssl) != 0;
	if (s->state == STARTTLS)
		send_text(s, EHLO_IN_TLS, "EHLO client.example.test\r\n");
}

static void
start_tls(struct session *s)
{
	s->ssl = SSL_new(load.tls);
	if (s->ssl == NULL || SSL_set_fd(s->ssl, s->fd) != 1)
		fail(s, "no TLS");
	SSL_set_connect_state(s->ssl);
	SSL_set_tlsext_host_name(s->ssl, "localhost");
	if (load.ticket != NULL)
		SSL_set_session(s->ssl, load.ticket);
	s->shaking = true;
}

static void
hold(struct session *s)
{
	s->state = IDLE;
	s->place = load.held;
	load.idle[load.held++] = s;
}

static void
close_session(struct session *s)
{
	if (s->ssl != NULL) {
		SSL_shutdown(s->ssl);
		SSL_free(s->ssl);
	}
	close(s->fd);
	s->gone = true;
}

/* A whole reply with the right code came. */
static void
replied(struct session *s)
{
	bool pipelined = load.options.pipelined;

	switch (s->state) {
	case GREETING:
		send_text(s, EHLO, "EHLO client.example.test\r\n");
		break;
	case EHLO:
		if (load.options.tls == TLS_STARTTLS)
			send_text(s, STARTTLS, "STARTTLS\r\n");
		else
			send_auth(s);
		break;
	case STARTTLS:
		start_tls(s);
		break;
	case EHLO_IN_TLS:
		send_auth(s);
		break;
	case AUTH:
		if (!s->idle) {
			sample(&load.login, s->began);
			next_message(s);
		} else {
			hold(s);
		}
		break;
	case MAIL:
		if (pipelined)
			s->state = RCPT;
		else
			send_text(s, RCPT, "RCPT TO:<bob@example.test>\r\n");
		break;
	case RCPT:
		if (pipelined)
			s->state = DATA;
		else
			send_text(s, DATA, "DATA\r\n");
		break;
	case DATA:
		send_content(s);
		break;
	case CONTENT:
		sample(&load.message, s->asked);
		load.messages++;
		next_message(s);
		break;
	default:
		close_session(s);
	}
}

static void
take_lines(struct session *s)
{
	char *from = s->in, *stop, *at = s->in + s->in_len;

	while (!s->gone && !s->shaking &&
	    (stop = memchr(from, '\n', (size_t)(at - from))) != NULL) {
		*stop = '\0';
		if (s->state == IDLE || stop - from < 4 ||
		    strncmp(from, wanted[s->state].code, 3) != 0)
			fail(s, from);
		if (from[3] != '-')
			replied(s);
		from = stop + 1;
	}
	s->in_len = (size_t)(at - from);
	memmove(s->in, from, s->in_len);
	if (s->in_len == sizeof(s->in) - 1)
		fail(s, "a line without an end");
}

void
session_ready(struct session *s)
{
	ssize_t got;

	for (;;) {
		if (s->shaking)
			shake(s);
		if (s->shaking)
			return;
		flush(s);
		got = get(s);
		if (got == -1 && errno == EAGAIN)
			return;
		if (got <= 0)
			fail(s, "the connection is lost");
		s->in_len += (size_t)got;
		take_lines(s);
		if (s->gone) {
			free(s);
			load_ended();
			return;
		}
	}
}

void
session_quit(struct session *s)
{
	load.active++;
	send_text(s, QUIT, "QUIT\r\n");
}

void
session_start(bool idle)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET };
	struct sockaddr_in to = { .sin_family = AF_INET };
	struct session *s = calloc(1, sizeof(*s));
	int one = 1;

	if (s == NULL)
		err(1, NULL);
	s->number = load.started++;
	s->idle = idle;
	s->left = load.options.messages;
	s->began = wall();
	load.active++;
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fd == -1)
		err(1, "socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	to.sin_port = htons((uint16_t)load.options.port);
	if (inet_pton(AF_INET, load.options.host, &to.sin_addr) != 1)
		errx(1, "%s is no address", load.options.host);
	if (connect(s->fd, (struct sockaddr *)&to, sizeof(to)) == -1 &&
	    errno != EINPROGRESS)
		err(1, "connect");
	if (load.options.tls == TLS_IMPLICIT)
		start_tls(s);
	event.data.ptr = s;
	if (epoll_ctl(load.epoll, EPOLL_CTL_ADD, s->fd, &event) == -1)
		err(1, "epoll_ctl");
}
