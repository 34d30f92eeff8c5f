/*
 * Counts for each client address; see addresses.h.
 */
#include "common/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "common/log.h"

enum { ADDRESSES_BUCKETS = 4096 };

struct address {
	uint64_t key;
	unsigned count[ADDRESSES_WHATS];
	LIST_ENTRY(address) next;
};

LIST_HEAD(address_list, address);
static struct address_list buckets[ADDRESSES_BUCKETS];

/* splitmix64: spreads keys that differ in few bits. */
static uint64_t
addresses_mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

uint16_t
addresses_text(const struct sockaddr_storage *ss, char out[ADDRESSES_TEXT_LEN])
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

	out[0] = '\0';
	if (ss->ss_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, out, ADDRESSES_TEXT_LEN);
		return ntohs(in->sin_port);
	}
	if (ss->ss_family != AF_INET6)
		return 0;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], out,
		    ADDRESSES_TEXT_LEN);
	else
		inet_ntop(AF_INET6, &in6->sin6_addr, out, ADDRESSES_TEXT_LEN);
	return ntohs(in6->sin6_port);
}

uint64_t
addresses_key(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *in = (const struct sockaddr_in *)ss;
	uint64_t key = 0;
	uint32_t v4 = 0;

	if (ss->ss_family == AF_INET) {
		v4 = in->sin_addr.s_addr;
	} else if (ss->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		memcpy(&v4, &in6->sin6_addr.s6_addr[12], sizeof(v4));
	} else if (ss->ss_family == AF_INET6) {
		memcpy(&key, in6->sin6_addr.s6_addr, sizeof(key));
		key = addresses_mix(key ^ 6);
	}
	if (key == 0)
		key = addresses_mix(v4);
	return key == 0 ? 1 : key;
}

static struct address *
addresses_find(uint64_t key)
{
	struct address *a;

	LIST_FOREACH(a, &buckets[key % ADDRESSES_BUCKETS], next) {
		if (a->key == key)
			return a;
	}
	return NULL;
}

unsigned
addresses_add(uint64_t key, enum addresses_what what)
{
	struct address *a = addresses_find(key);

	if (a == NULL) {
		if ((a = calloc(1, sizeof(*a))) == NULL)
			fatal("out of memory");
		a->key = key;
		LIST_INSERT_HEAD(&buckets[key % ADDRESSES_BUCKETS], a, next);
	}
	return ++a->count[what];
}

unsigned
addresses_remove(uint64_t key, enum addresses_what what)
{
	struct address *a = addresses_find(key);
	unsigned i, left;

	if (a == NULL || a->count[what] == 0)
		return 0;
	left = --a->count[what];
	for (i = 0; i < ADDRESSES_WHATS; i++) {
		if (a->count[i] > 0)
			return left;
	}
	LIST_REMOVE(a, next);
	free(a);
	return left;
}
