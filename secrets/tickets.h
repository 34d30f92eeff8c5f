/*
 * The tickets that were found genuine: a session shows its own with each
 * question, and an HMAC each time would be a tenth of what its message costs.
 */
#ifndef SECRETS_TICKETS_H
#define SECRETS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/ticket.h"

struct tickets;

/* Returns NULL without memory. */
struct tickets *tickets_new(const uint8_t key[TICKET_KEY_LEN]);
void tickets_free(struct tickets *);

/* Is it genuine, and not expired at now (seconds since 1970)? */
bool tickets_know(struct tickets *, const struct ticket *, uint64_t now);

#endif
