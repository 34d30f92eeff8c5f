/*
 * What a worker counts for each client address (/64 for IPv6): sessions and
 * open exchanges now.
 */
#ifndef PROXY_ADDRESSES_H
#define PROXY_ADDRESSES_H

#include <stdint.h>
#include <sys/socket.h>

enum addresses_what {
	ADDRESSES_SESSIONS,
	ADDRESSES_EXCHANGES,
	ADDRESSES_WHATS
};

/* A number for an address: the same for all of one IPv6 /64; never 0. */
uint64_t addresses_key(const struct sockaddr_storage *);

/* Count one more or one less; return how many there are then. */
unsigned addresses_add(uint64_t key, enum addresses_what);
unsigned addresses_remove(uint64_t key, enum addresses_what);

#endif
