/*
 * Which machines answer for a server's messages.
 */
#include "token/srv.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/rand.h>

#include "common/mtqp_uri.h"

static uint32_t
draw_number(uint32_t limit)
{
	uint32_t number;

	if (RAND_bytes((unsigned char *)&number, sizeof(number)) != 1)
		return 0;
	return (uint32_t)((uint64_t)number * ((uint64_t)limit + 1) >> 32);
}

/* Bring the i-th record before the first one, the rest keeping its order. */
static void
bring_forward(struct resolver_srv *records, size_t i)
{
	struct resolver_srv chosen = records[i];

	memmove(records + 1, records, i * sizeof(*records));
	records[0] = chosen;
}

/* Those without weight stand first, so that they have a small chance. */
static bool
goes_before(const struct resolver_srv *a, const struct resolver_srv *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	return a->weight == 0 && b->weight != 0;
}

static void
draw_by_weight(struct resolver_srv *records, size_t count,
    uint32_t (*draw)(uint32_t limit))
{
	for (; count > 1; records++, count--) {
		uint32_t sum = 0, chosen;
		size_t i = 0;

		for (size_t k = 0; k < count; k++)
			sum += records[k].weight;
		chosen = draw(sum);
		for (sum = records[0].weight; sum < chosen && i + 1 < count;)
			sum += records[++i].weight;
		bring_forward(records, i);
	}
}

void
srv_order(struct resolver_srv *records, size_t count,
    uint32_t (*draw)(uint32_t limit))
{
	size_t first = 0, end;

	for (size_t i = 1; i < count; i++) {
		size_t to = i;

		while (to > 0 && goes_before(&records[i], &records[to - 1]))
			to--;
		bring_forward(records + to, i - to);
	}
	for (; first < count; first = end) {
		for (end = first; end < count &&
		     records[end].priority == records[first].priority;)
			end++;
		draw_by_weight(records + first, end - first, draw);
	}
}

static bool
is_address(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 ||
	    inet_pton(AF_INET6, host, address) == 1;
}

bool
srv_is_host(const char *host)
{
	size_t len = strlen(host);

	if (is_address(host))
		return true;
	return len > 0 && len <= RESOLVER_NAME_MAX && host[0] != '.' &&
	    host[0] != '-' && strstr(host, "..") == NULL &&
	    strspn(host,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_.") == len;
}

static int
only_itself(const char *server, unsigned port, struct srv_target *out)
{
	size_t len = strnlen(server, sizeof(out->host) - 1);

	memcpy(out->host, server, len);
	out->host[len] = '\0';
	out->port = port != 0 ? port : MTQP_PORT;
	return 1;
}

int
srv_read_target(const char *text, struct srv_target *out)
{
	bool literal = text[0] == '[';
	const char *from = text + literal;
	size_t len = strcspn(from, literal ? "]" : ":");
	const char *rest = from + len;
	unsigned long port = MTQP_PORT;
	char *end;

	if (len > RESOLVER_NAME_MAX || (literal && *rest++ != ']'))
		return -1;
	if (*rest != '\0') {
		if (rest[0] != ':' || rest[1] < '0' || rest[1] > '9')
			return -1;
		port = strtoul(rest + 1, &end, 10);
		if (*end != '\0' || port < 1 || port > 65535)
			return -1;
	}
	memcpy(out->host, from, len);
	out->host[len] = '\0';
	out->port = (unsigned)port;
	return srv_is_host(out->host) ? 0 : -1;
}

int
srv_find(struct resolver *r, const char *server, unsigned port,
    struct srv_target *out, struct problem *p)
{
	struct resolver_srv records[RESOLVER_SRV_MAX];
	char name[RESOLVER_NAME_MAX + 16];
	const char *error = "";
	int count, targets = 0;

	if (port != 0 || is_address(server))
		return only_itself(server, port, out);
	snprintf(name, sizeof(name), "_mtqp._tcp.%s", server);
	count = resolver_find_srv(r, name, records, &error);
	if (count < 0)
		return problem_set(p, PROBLEM_SERVER,
		    "cannot find the tracking server of %s: %s", server, error);
	if (count == 0)
		return only_itself(server, port, out);
	srv_order(records, (size_t)count, draw_number);
	for (int i = 0; i < count; i++)
		if (records[i].target[0] != '\0' &&
		    srv_is_host(records[i].target))
			only_itself(records[i].target, records[i].port,
			    &out[targets++]);
	return targets;
}
