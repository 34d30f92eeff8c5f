/*
 * One SASL exchange (RFC 4422, RFC 4954 4): from the mechanism's name to a
 * verdict. A step may block for as long as the backend takes.
 */
#ifndef AUTH_EXCHANGE_H
#define AUTH_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/auth_messages.h"

struct exchange;
struct sasl_setup;

/* What all exchanges of a process share. */
struct exchange_site {
	const struct sasl_setup *setup;
	const uint8_t *ticket_key; /* TICKET_KEY_LEN octets */
	uint64_t ticket_life;	   /* seconds */
	bool fold_case;		   /* ASCII letters of accounts */
	uint32_t generation;	   /* of the configuration */
};

/* What a step came to. */
struct exchange_outcome {
	bool done;		 /* verdict is there; else challenge */
	struct octets challenge; /* the exchange's, until its next step */
	struct auth_verdict verdict;
};

/*
 * Begin with what the client said first, and tell what that came to. Returns
 * NULL where there is nothing to go on with; outcome then has the verdict.
 */
struct exchange *exchange_begin(const struct exchange_site *,
    const struct auth_begin *, struct exchange_outcome *);

/* Go on with the client's response. */
void exchange_step(
    struct exchange *, struct octets response, struct exchange_outcome *);

void exchange_free(struct exchange *);

#endif
