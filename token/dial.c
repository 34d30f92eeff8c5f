/*
 * TCP to a server, over IPv6 or IPv4, and waiting for it.
 */
#include "token/dial.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t
dial_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int
dial_wait(int fd, short events, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = events };
	int64_t left;
	int n;

	do {
		left = deadline - dial_clock();
		n = poll(&p, 1, left > 0 ? (int)left : 0);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0 ? 0 : -1;
}

static int
await_connection(int fd, int64_t deadline)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (dial_wait(fd, POLLOUT, deadline) != 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

int
dial_address(const struct sockaddr *address, socklen_t len, int64_t deadline)
{
	int on = 1, error;
	int fd = socket(
	    address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if (connect(fd, address, len) == 0 ||
	    (errno == EINPROGRESS && await_connection(fd, deadline) == 0)) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		return fd;
	}
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

int
dial_refused(const struct peer *peer, int error, struct problem *p)
{
	if (peer->settings == NULL)
		return problem_set(p, PROBLEM_SERVER,
		    "cannot connect to the %s %s port %u: %s", peer->what,
		    peer->server, peer->port, strerror(error));
	return problem_set(p, PROBLEM_SERVER,
	    "cannot connect to %s port %u: %s.%s (server and port are set in "
	    "%s)",
	    peer->server, peer->port, strerror(error),
	    error == ECONNREFUSED ? " Is waybilld running?" : "",
	    peer->settings);
}

int
dial_server(const struct peer *peer, struct problem *p)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV };
	struct addrinfo *found, *ai;
	char port[16];
	int rc, fd = -1, error = 0;

	snprintf(port, sizeof(port), "%u", peer->port);
	rc = getaddrinfo(peer->server, port, &hints, &found);
	if (rc != 0)
		return problem_set(p, PROBLEM_SERVER,
		    "cannot find the server %s: %s (server is set in %s)",
		    peer->server,
		    rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc),
		    peer->settings);
	for (ai = found; ai != NULL && fd < 0; ai = ai->ai_next) {
		fd = dial_address(
		    ai->ai_addr, ai->ai_addrlen, dial_clock() + DIAL_TIMEOUT);
		/* Of "no route by IPv6" and "refused", the latter is told. */
		if (fd < 0 && (error == 0 || errno == ECONNREFUSED))
			error = errno;
	}
	freeaddrinfo(found);
	return fd >= 0 ? fd : dial_refused(peer, error, p);
}
