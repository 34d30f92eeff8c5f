/*
 * The MSA's addresses; see resolve.h.
 */
#include "proxy/resolve.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/event.h>
#include <event2/util.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/stream.h"

enum {
	RESOLVE_MAX = 8, /* addresses used of a name */
	RESOLVE_FRESH_MS = 60000,
	RESOLVE_RETRY_MS = 1000 /* while there is no address */
};

struct resolve {
	struct evdns_base *dns; /* NULL for a literal address */
	char *host;
	char port[8];
	bool asking;
	uint64_t next; /* when to ask again */
	unsigned count;
	struct sockaddr_storage address[RESOLVE_MAX];
	socklen_t len[RESOLVE_MAX];
};

static void
resolve_take(struct resolve *r, const struct addrinfo *list)
{
	const struct addrinfo *ai;

	r->count = 0;
	for (ai = list; ai != NULL && r->count < RESOLVE_MAX;
	     ai = ai->ai_next) {
		memcpy(&r->address[r->count], ai->ai_addr, ai->ai_addrlen);
		r->len[r->count++] = ai->ai_addrlen;
	}
}

static void
resolve_answer(int error, struct evutil_addrinfo *list, void *arg)
{
	struct resolve *r = arg;

	if (error == EVUTIL_EAI_CANCEL)
		return;
	r->asking = false;
	r->next =
	    clock_ms() + (error == 0 ? RESOLVE_FRESH_MS : RESOLVE_RETRY_MS);
	if (error != 0) {
		/* Old addresses are better than none. */
		log_warning("msa_lookup", "%s: %s", r->host,
		    evutil_gai_strerror(error));
		return;
	}
	resolve_take(r, list);
	evutil_freeaddrinfo(list);
}

static void
resolve_ask(struct resolve *r)
{
	struct evutil_addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_protocol = IPPROTO_TCP,
	};

	if (r->dns == NULL || r->asking || clock_ms() < r->next)
		return;
	r->asking = true;
	evdns_getaddrinfo(r->dns, r->host, r->port, &hints, resolve_answer, r);
}

struct resolve *
resolve_new(struct event_base *base, const char *host, uint16_t port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_socktype = SOCK_STREAM };
	struct resolve *r = calloc(1, sizeof(*r));
	struct addrinfo *list = NULL;

	if (r == NULL || (r->host = strdup(host)) == NULL)
		fatal("out of memory");
	snprintf(r->port, sizeof(r->port), "%u", port);
	if (getaddrinfo(host, r->port, &hints, &list) == 0) {
		resolve_take(r, list);
		freeaddrinfo(list);
		return r;
	}
	r->dns = evdns_base_new(base,
	    EVDNS_BASE_INITIALIZE_NAMESERVERS |
		EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	if (r->dns == NULL)
		fatal(
		    "cannot start the resolver: is /etc/resolv.conf readable?");
	resolve_ask(r);
	return r;
}

socklen_t
resolve_get(struct resolve *r, unsigned n, struct sockaddr_storage *out)
{
	if (n == 0)
		resolve_ask(r);
	if (n >= r->count)
		return 0;
	memcpy(out, &r->address[n], r->len[n]);
	return r->len[n];
}

void
resolve_free(struct resolve *r)
{
	if (r == NULL)
		return;
	if (r->dns != NULL)
		evdns_base_free(r->dns, 0);
	free(r->host);
	free(r);
}
