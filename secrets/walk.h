/*
 * An account's messages, newest first and in slices: what a listing shows and
 * a search by Message-ID looks through.
 */
#ifndef SECRETS_WALK_H
#define SECRETS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/keeper_messages.h"
#include "secrets/record.h"

struct account;
struct slow;

struct walk {
	/*
	 * Is given each settled message, good until it returns; returns
	 * whether to go on.
	 */
	bool (*mail)(void *arg, const struct envid_parts *,
	    const struct record *, const struct mail_record *);
	void *arg;
	uint64_t oldest;   /* ms: what was minted before is not read */
	struct slow *slow; /* marked while the store is asked */
	const struct account *account;
	bool finished;
	bool failed;		       /* something could not be read */
	uint32_t day;		       /* 0: all were read */
	uint8_t below[RECORD_KEY_LEN]; /* rows under it are next */
	bool more;		       /* the day has more under `below` */
	uint64_t skip;		       /* ms, past what is damaged */
	unsigned rows_left;	       /* of this step */
	size_t octets;		       /* that it read */
};

/* Begin at the newest; the caller sets mail, arg and oldest. */
void walk_start(struct walk *, struct slow *, const struct account *);
/* Begin below a message instead. */
void walk_below(struct walk *, const struct envid_parts *);
/* Read some more, until it is finished. */
void walk_step(struct walk *);

#endif
