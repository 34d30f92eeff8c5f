/*
 * Questions to the DNS by c-ares, each within a time limit.
 */
#include "token/resolver.h"

#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define CARES_NO_DEPRECATED
#include <ares.h>
#include <ares_nameser.h>

#include "token/dial.h"

enum {
	TRY_MS = 3000,
	TRIES = 3,
	/* The macros of c-ares shift into the sign for the 16th. */
	SOCKETS_MAX = ARES_GETSOCK_MAXNUM - 1
};

struct resolver {
	ares_channel channel;
	int timeout; /* ms for an answer */
};

/* A question that is out, and what came back. */
struct question {
	bool done;
	int status;
	struct resolver_srv *srv;
	struct resolver_address *addresses;
	int count;
};

struct resolver *
resolver_new(const char *server, int timeout, const char **error)
{
	struct ares_options options = {
		.flags = ARES_FLAG_NOSEARCH, .timeout = TRY_MS, .tries = TRIES
	};
	struct resolver *r = calloc(1, sizeof(*r));
	int rc = r == NULL ? ARES_ENOMEM : ares_library_init(ARES_LIB_INIT_ALL);

	if (rc == ARES_SUCCESS) {
		r->timeout = timeout;
		rc = ares_init_options(&r->channel, &options,
		    ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES);
		if (rc == ARES_SUCCESS && server != NULL)
			rc = ares_set_servers_ports_csv(r->channel, server);
	}
	if (rc == ARES_SUCCESS)
		return r;
	*error = ares_strerror(rc);
	resolver_free(r);
	return NULL;
}

void
resolver_free(struct resolver *r)
{
	if (r == NULL)
		return;
	if (r->channel != NULL)
		ares_destroy(r->channel);
	ares_library_cleanup();
	free(r);
}

/* Milliseconds until c-ares wants to be called, at most until deadline. */
static int
time_to_wait(struct resolver *r, int64_t deadline)
{
	int64_t left = deadline - dial_clock();
	struct timeval most, until, *next;

	if (left < 0)
		left = 0;
	most.tv_sec = left / 1000;
	most.tv_usec = left % 1000 * 1000;
	next = ares_timeout(r->channel, &most, &until);
	return (int)(next->tv_sec * 1000 + (next->tv_usec + 999) / 1000);
}

static void
wait_once(struct resolver *r, int64_t deadline)
{
	ares_socket_t sockets[SOCKETS_MAX];
	struct pollfd polled[SOCKETS_MAX];
	int wanted = ares_getsock(r->channel, sockets, SOCKETS_MAX);
	nfds_t count = 0;

	for (int i = 0; i < SOCKETS_MAX; i++) {
		short events = 0;

		if (ARES_GETSOCK_READABLE(wanted, i))
			events |= POLLIN;
		if (ARES_GETSOCK_WRITABLE((unsigned)wanted, i))
			events |= POLLOUT;
		if (events != 0)
			polled[count++] = (struct pollfd){ .fd = sockets[i],
				.events = events };
	}
	if (poll(polled, count, time_to_wait(r, deadline)) <= 0)
		ares_process_fd(r->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	for (nfds_t i = 0; i < count; i++) {
		short got = polled[i].revents;

		ares_process_fd(r->channel,
		    (got & ~POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD,
		    (got & POLLOUT) != 0 ? polled[i].fd : ARES_SOCKET_BAD);
	}
}

/* Returns the number of records, or -1 with *error. */
static int
await_answer(struct resolver *r, struct question *q, const char **error)
{
	int64_t deadline = dial_clock() + r->timeout;

	while (!q->done && dial_clock() < deadline)
		wait_once(r, deadline);
	if (!q->done) {
		ares_cancel(r->channel);
		q->status = ARES_ETIMEOUT;
	}
	switch (q->status) {
	case ARES_SUCCESS:
		return q->count;
	case ARES_ENOTFOUND:
	case ARES_ENODATA:
		return 0;
	default:
		*error = ares_strerror(q->status);
		return -1;
	}
}

static void
take_srv(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
	struct question *q = arg;
	struct ares_srv_reply *found = NULL;

	(void)timeouts;
	q->done = true;
	q->status = status;
	if (status != ARES_SUCCESS)
		return;
	q->status = ares_parse_srv_reply(answer, len, &found);
	for (struct ares_srv_reply *s = found;
	     s != NULL && q->count < RESOLVER_SRV_MAX; s = s->next) {
		struct resolver_srv *out = &q->srv[q->count];

		if (strlen(s->host) > RESOLVER_NAME_MAX)
			continue;
		*out = (struct resolver_srv){ .priority = s->priority,
			.weight = s->weight,
			.port = s->port };
		if (strcmp(s->host, ".") != 0)
			strcpy(out->target, s->host);
		q->count++;
	}
	if (found != NULL)
		ares_free_data(found);
}

int
resolver_find_srv(struct resolver *r, const char *name,
    struct resolver_srv *out, const char **error)
{
	struct question q = { .srv = out };

	ares_query(r->channel, name, C_IN, T_SRV, take_srv, &q);
	return await_answer(r, &q, error);
}

static void
take_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct question *q = arg;

	(void)timeouts;
	q->done = true;
	q->status = status;
	if (status != ARES_SUCCESS)
		return;
	for (struct ares_addrinfo_node *n = found->nodes;
	     n != NULL && q->count < RESOLVER_ADDRESSES_MAX; n = n->ai_next) {
		struct resolver_address *out = &q->addresses[q->count];

		if (n->ai_addrlen > sizeof(out->address))
			continue;
		memcpy(&out->address, n->ai_addr, n->ai_addrlen);
		out->len = n->ai_addrlen;
		q->count++;
	}
	ares_freeaddrinfo(found);
}

int
resolver_find_addresses(struct resolver *r, const char *name,
    struct resolver_address *out, const char **error)
{
	struct ares_addrinfo_hints hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	struct question q = { .addresses = out };

	ares_getaddrinfo(r->channel, name, NULL, &hints, take_addresses, &q);
	return await_answer(r, &q, error);
}
