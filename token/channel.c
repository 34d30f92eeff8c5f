/*
 * Lines to and from a server, each within a time limit.
 */
#include "token/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "token/dial.h"
#include "token/tls.h"

int
channel_open(
    struct channel *c, const struct peer *peer, struct problem *problem)
{
	channel_attach(c, dial_server(peer, problem), peer, problem);
	return c->fd < 0 ? -1 : 0;
}

void
channel_attach(
    struct channel *c, int fd, const struct peer *peer, struct problem *problem)
{
	*c = (struct channel){ .peer = peer, .problem = problem, .fd = fd };
}

/* When the next step must be done. */
static int64_t
deadline_of(const struct channel *c)
{
	int64_t deadline = dial_clock() + c->peer->silence;

	return c->peer->deadline != 0 && c->peer->deadline < deadline
	    ? c->peer->deadline
	    : deadline;
}

static int
lost(struct channel *c, const char *doing)
{
	const struct peer *p = c->peer;

	if (errno == ETIMEDOUT && p->deadline != 0)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "%s port %u took too long while %s", p->server, p->port,
		    doing);
	if (errno == ETIMEDOUT)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "%s port %u did not answer within %d seconds", p->server,
		    p->port, p->silence / 1000);
	return problem_set(c->problem, PROBLEM_SERVER,
	    "lost the connection to %s port %u while %s: %s", p->server,
	    p->port, doing,
	    errno == 0 ? "closed by the server" : strerror(errno));
}

/*
 * What a TLS call wants before it is called again: 0 after waiting for it, or
 * -1 with errno, which is 0 where the other side closed.
 */
static int
wait_for_tls(struct channel *c, int rc, int64_t deadline)
{
	switch (SSL_get_error(c->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		return dial_wait(c->fd, POLLIN, deadline);
	case SSL_ERROR_WANT_WRITE:
		return dial_wait(c->fd, POLLOUT, deadline);
	case SSL_ERROR_SYSCALL:
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		errno = 0;
		return -1;
	default:
		/* Servers that go away without a word of TLS are many. */
		errno = ERR_GET_REASON(ERR_peek_error()) ==
			SSL_R_UNEXPECTED_EOF_WHILE_READING
		    ? 0
		    : EPROTO;
		return -1;
	}
}

int
channel_start_tls(struct channel *c)
{
	int64_t deadline = deadline_of(c);
	int rc;

	if (c->len > 0)
		return problem_set(c->problem, PROBLEM_SERVER,
		    "%s sent something in the clear behind STARTTLS; somebody "
		    "may be in between",
		    c->peer->server);
	if (tls_prepare(c) != 0)
		return -1;
	for (;;) {
		ERR_clear_error();
		errno = 0;
		rc = SSL_connect(c->ssl);
		if (rc == 1)
			return 0;
		if (wait_for_tls(c, rc, deadline) == 0)
			continue;
		if (errno == ETIMEDOUT)
			return lost(c, "starting TLS");
		return tls_explain(c);
	}
}

/* One read or write; the number of octets, 0 to try again, -1 with errno. */
static ssize_t
read_some(struct channel *c, int64_t deadline)
{
	size_t room = sizeof(c->in) - c->len;
	ssize_t n;

	errno = 0;
	if (c->ssl != NULL) {
		ERR_clear_error();
		n = SSL_read(c->ssl, c->in + c->len, (int)room);
		return n > 0 ? n : wait_for_tls(c, (int)n, deadline);
	}
	n = recv(c->fd, c->in + c->len, room, 0);
	if (n > 0)
		return n;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return dial_wait(c->fd, POLLIN, deadline);
	return -1;
}

static ssize_t
write_some(struct channel *c, const char *text, size_t len, int64_t deadline)
{
	ssize_t n;

	errno = 0;
	if (c->ssl != NULL) {
		ERR_clear_error();
		n = SSL_write(c->ssl, text, (int)len);
		return n > 0 ? n : wait_for_tls(c, (int)n, deadline);
	}
	n = send(c->fd, text, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return dial_wait(c->fd, POLLOUT, deadline);
	return -1;
}

int
channel_write(struct channel *c, const char *text, size_t len)
{
	int64_t deadline = deadline_of(c);
	ssize_t n;

	for (; len > 0; text += n, len -= (size_t)n) {
		n = write_some(c, text, len, deadline);
		if (n < 0)
			return lost(c, "sending a command");
	}
	return 0;
}

int
channel_fill(struct channel *c)
{
	int64_t deadline = deadline_of(c);
	ssize_t n;

	do
		n = read_some(c, deadline);
	while (n == 0);
	if (n < 0)
		return lost(c, "waiting for an answer");
	c->len += (size_t)n;
	return 0;
}

void
channel_eat(struct channel *c, size_t len)
{
	c->len -= len;
	memmove(c->in, c->in + len, c->len);
}

const char *
channel_read_line(struct channel *c, size_t *len)
{
	int64_t deadline = deadline_of(c);
	const char *end;
	ssize_t n;

	while ((end = memmem(c->in, c->len, "\r\n", 2)) == NULL) {
		if (c->len > CHANNEL_LINE_MAX + 2)
			break;
		n = read_some(c, deadline);
		if (n < 0) {
			lost(c, "waiting for an answer");
			return NULL;
		}
		c->len += (size_t)n;
	}
	if (end == NULL || end - c->in > CHANNEL_LINE_MAX) {
		problem_set(c->problem, PROBLEM_SERVER,
		    "%s port %u sends lines that are too long; is it a %s?",
		    c->peer->server, c->peer->port, c->peer->what);
		return NULL;
	}
	*len = (size_t)(end - c->in);
	memcpy(c->line, c->in, *len);
	c->line[*len] = '\0';
	channel_eat(c, *len + 2);
	return c->line;
}

void
channel_close(struct channel *c)
{
	if (c->ssl != NULL)
		SSL_free(c->ssl);
	if (c->ctx != NULL)
		SSL_CTX_free(c->ctx);
	X509_free(c->shown);
	if (c->fd >= 0)
		close(c->fd);
	explicit_bzero(c, sizeof(*c));
	c->fd = -1;
}
