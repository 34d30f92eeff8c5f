/*
 * The proof that a user logged in: HMAC-SHA-256 (RFC 2104) over session,
 * expiry and account, each at a fixed place, so that no two tickets share
 * the octets under the HMAC.
 */
#include "common/ticket.h"

#include <openssl/crypto.h>
#include <string.h>

#include "common/mac.h"

_Static_assert(
    (int)TICKET_KEY_LEN == MAC_KEY_LEN && (int)TICKET_MAC_LEN == MAC_LEN,
    "a ticket is proved by HMAC-SHA-256");

static int
compute(const struct ticket *ticket, const uint8_t *key, uint8_t *mac)
{
	uint8_t text[8 + 8 + ACCOUNT_MAX];
	size_t account = strnlen(ticket->account, ACCOUNT_MAX);

	for (unsigned i = 0; i < 8; i++) {
		text[i] = (uint8_t)(ticket->session >> (56 - 8 * i));
		text[8 + i] = (uint8_t)(ticket->expires >> (56 - 8 * i));
	}
	memcpy(text + 16, ticket->account, account);
	return mac_compute(key, (struct octets){ text, 16 + account }, mac);
}

int
ticket_seal(struct ticket *ticket, const uint8_t key[TICKET_KEY_LEN])
{
	return compute(ticket, key, ticket->mac);
}

int
ticket_check(const struct ticket *ticket, const uint8_t key[TICKET_KEY_LEN],
    uint64_t now)
{
	uint8_t mac[TICKET_MAC_LEN];
	int differs;

	if (compute(ticket, key, mac) == -1)
		return -1;
	differs = CRYPTO_memcmp(mac, ticket->mac, sizeof(mac));
	OPENSSL_cleanse(mac, sizeof(mac));
	/* An empty name is nobody's account, whoever sealed it. */
	if (differs != 0 || now >= ticket->expires ||
	    ticket->account[0] == '\0')
		return -1;
	return 0;
}

void
ticket_put(struct wire_out *out, const struct ticket *ticket)
{
	wire_put_u64(out, ticket->session);
	wire_put_u64(out, ticket->expires);
	wire_put_text(out, ticket->account);
	wire_put_raw(out, ticket->mac, sizeof(ticket->mac));
}

void
ticket_get(struct wire_in *in, struct ticket *ticket)
{
	ticket->session = wire_get_u64(in);
	ticket->expires = wire_get_u64(in);
	wire_get_text(in, ticket->account, sizeof(ticket->account));
	wire_get_raw(in, ticket->mac, sizeof(ticket->mac));
}
