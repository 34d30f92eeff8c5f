/*
 * What a process counts for each client address (/64 for IPv6): sessions and
 * open exchanges now.
 */
#ifndef COMMON_ADDRESSES_H
#define COMMON_ADDRESSES_H

#include <stdint.h>
#include <sys/socket.h>

enum addresses_what {
	ADDRESSES_SESSIONS,
	ADDRESSES_EXCHANGES,
	ADDRESSES_WHATS
};

enum { ADDRESSES_TEXT_LEN = 64 };

/*
 * The address in text, an IPv4 one without "::ffff:" before it, and "" for
 * what is none; returns its port.
 */
uint16_t
addresses_text(const struct sockaddr_storage *, char out[ADDRESSES_TEXT_LEN]);

/* A number for an address: the same for all of one IPv6 /64; never 0. */
uint64_t addresses_key(const struct sockaddr_storage *);

/* Count one more or one less; return how many there are then. */
unsigned addresses_add(uint64_t key, enum addresses_what);
unsigned addresses_remove(uint64_t key, enum addresses_what);

#endif
