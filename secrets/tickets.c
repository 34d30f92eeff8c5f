/*
 * Genuine tickets, each in the place of its session's number; see tickets.h.
 */
#include "secrets/tickets.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#define PLACES 4096 /* of about 300 octets; those never used take no memory */

struct tickets {
	uint8_t key[TICKET_KEY_LEN];
	struct ticket known[PLACES]; /* one never used expired at 0 */
};

struct tickets *
tickets_new(const uint8_t key[TICKET_KEY_LEN])
{
	struct tickets *t = calloc(1, sizeof(*t));

	if (t != NULL)
		memcpy(t->key, key, TICKET_KEY_LEN);
	return t;
}

void
tickets_free(struct tickets *t)
{
	if (t != NULL)
		OPENSSL_cleanse(t, sizeof(*t));
	free(t);
}

static bool
is_same(const struct ticket *a, const struct ticket *b)
{
	return a->session == b->session && a->expires == b->expires &&
	    strcmp(a->account, b->account) == 0 &&
	    CRYPTO_memcmp(a->mac, b->mac, TICKET_MAC_LEN) == 0;
}

bool
tickets_know(struct tickets *t, const struct ticket *ticket, uint64_t now)
{
	struct ticket *known = &t->known[ticket->session % PLACES];

	if (is_same(known, ticket))
		return now < ticket->expires;
	if (ticket_check(ticket, t->key, now) == -1)
		return false;
	*known = *ticket;
	return true;
}
