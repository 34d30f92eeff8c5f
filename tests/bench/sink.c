/*
 * A mail server that takes everything and keeps nothing, as fast as it can
 * (make bench): RFC 5321 with PIPELINING, SIZE, 8BITMIME and DSN, plain, for
 * loopback; AUTH PLAIN and XCLIENT are believed. COUNT tells how many messages
 * and octets it took.
 *
 *	build/bench/sink PORT
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINE_MAX_LEN 1024
#define END	     "\r\n.\r\n"
#define END_LEN	     5

struct client {
	int fd;
	bool data, quit;
	size_t in_len, out_len;
	char in[LINE_MAX_LEN], out[4096];
};

static unsigned long long messages, octets;
/* What is read stands behind what the last read left of a line or an end. */
static char input[LINE_MAX_LEN + (1 << 17)];

static const char capabilities[] = "250-sink.example.test\r\n"
				   "250-PIPELINING\r\n"
				   "250-SIZE 104857600\r\n"
				   "250-AUTH PLAIN\r\n"
				   "250-XCLIENT NAME ADDR PORT PROTO HELO LOGIN"
				   " DESTADDR DESTPORT\r\n"
				   "250-ENHANCEDSTATUSCODES\r\n"
				   "250-8BITMIME\r\n"
				   "250 DSN\r\n";

static const struct {
	const char *verb, *reply;
} answers[] = {
	{ "MAIL", "250 2.1.0 Ok\r\n" },
	{ "RCPT", "250 2.1.5 Ok\r\n" },
	{ "DATA", "354 End data with <CR><LF>.<CR><LF>\r\n" },
	{ "EHLO", capabilities },
	{ "HELO", "250 sink.example.test\r\n" },
	{ "AUTH", "235 2.7.0 Authentication successful\r\n" },
	{ "XCLI", "220 sink.example.test ESMTP\r\n" },
	{ "QUIT", "221 2.0.0 Bye\r\n" },
	{ "NOOP", "250 2.0.0 Ok\r\n" },
	{ "RSET", "250 2.0.0 Ok\r\n" },
};

static void
drop(struct client *c)
{
	close(c->fd);
	free(c);
}

/* Clients that are too slow to read a few replies are not meant here. */
static int
flush(struct client *c)
{
	ssize_t done;

	if (c->out_len == 0)
		return 0;
	done = send(c->fd, c->out, c->out_len, MSG_NOSIGNAL);
	if (done != (ssize_t)c->out_len)
		return -1;
	c->out_len = 0;
	return 0;
}

static int
say(struct client *c, const char *text, size_t len)
{
	if (len > sizeof(c->out) - c->out_len && flush(c) == -1)
		return -1;
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	return 0;
}

static int
answer(struct client *c, const char *line, size_t len)
{
	char text[80];
	int told;

	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		if (len < 4 || strncasecmp(line, answers[i].verb, 4) != 0)
			continue;
		c->data = strcmp(answers[i].verb, "DATA") == 0;
		c->quit = strcmp(answers[i].verb, "QUIT") == 0;
		return say(c, answers[i].reply, strlen(answers[i].reply));
	}
	if (len >= 5 && strncasecmp(line, "COUNT", 5) == 0) {
		told = snprintf(
		    text, sizeof(text), "250 %llu %llu\r\n", messages, octets);
		return say(c, text, (size_t)told);
	}
	return say(c, "500 5.5.2 Unknown\r\n", 19);
}

static int
took_message(struct client *c)
{
	char text[80];
	int len = snprintf(text, sizeof(text),
	    "250 2.0.0 Ok: queued as 4C%013llXzS\r\n", ++messages);

	c->data = false;
	return say(c, text, (size_t)len);
}

/* The body as far as it goes; what may begin its end stays. */
static char *
take_data(struct client *c, char *at, char *stop)
{
	char *end = memmem(at, (size_t)(stop - at), END, END_LEN);
	char *left;

	if (end != NULL) {
		octets += (size_t)(end - at) + END_LEN;
		return took_message(c) == -1 ? NULL : end + END_LEN;
	}
	left = stop - at < END_LEN ? at : stop - (END_LEN - 1);
	octets += (size_t)(left - at);
	return left;
}

/* Everything of a read; returns what must wait for more, or NULL. */
static char *
take(struct client *c, char *at, char *stop)
{
	char *from, *end;

	while (at < stop && !c->quit) {
		from = at;
		if (c->data) {
			at = take_data(c, at, stop);
			if (at == NULL || c->data)
				return at;
			continue;
		}
		end = memchr(from, '\n', (size_t)(stop - from));
		if (end == NULL)
			return from;
		at = end + 1;
		if (answer(c, from, (size_t)(at - from)) == -1)
			return NULL;
	}
	return at;
}

static void
ready(struct client *c)
{
	char *left, *stop;
	ssize_t got;

	memcpy(input, c->in, c->in_len);
	got = read(c->fd, input + c->in_len, sizeof(input) - c->in_len);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		drop(c);
		return;
	}
	stop = input + c->in_len + (size_t)got;
	left = take(c, input, stop);
	if (left == NULL || flush(c) == -1 || c->quit ||
	    stop - left > LINE_MAX_LEN) {
		drop(c);
		return;
	}
	c->in_len = (size_t)(stop - left);
	memcpy(c->in, left, c->in_len);
}

static void
welcome(int epoll, int fd)
{
	static const char greeting[] = "220 sink.example.test ESMTP\r\n";
	struct epoll_event event = { .events = EPOLLIN };
	struct client *c = calloc(1, sizeof(*c));
	int one = 1;

	if (c == NULL)
		err(1, NULL);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	c->fd = fd;
	event.data.ptr = c;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == -1 ||
	    say(c, greeting, sizeof(greeting) - 1) == -1 || flush(c) == -1)
		drop(c);
}

static int
listen_at(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((uint16_t)port);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) == -1 ||
	    listen(fd, 4096) == -1)
		err(1, "port %d", port);
	return fd;
}

/* The descriptor of the door has no client. */
int
main(int argc, char **argv)
{
	struct epoll_event events[256], event = { .events = EPOLLIN };
	int door, fd, count, epoll = epoll_create1(0);
	struct rlimit files;

	if (argc != 2)
		errx(2, "usage: sink PORT");
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	door = listen_at(atoi(argv[1]));
	event.data.ptr = NULL;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, door, &event) == -1)
		err(1, "epoll_ctl");
	for (;;) {
		count = epoll_wait(epoll, events, 256, -1);
		for (int i = 0; i < count; i++) {
			if (events[i].data.ptr != NULL)
				ready(events[i].data.ptr);
			else
				while ((fd = accept4(door, NULL, NULL,
					    SOCK_NONBLOCK)) != -1)
					welcome(epoll, fd);
		}
	}
}
