/*
 * The operator's door: waybillctl asks here. root and the user who started
 * waybilld may.
 */
#ifndef DAEMON_OPERATOR_H
#define DAEMON_OPERATOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

struct operator_door;
struct supervisor;

/* Answers that take a while. */
enum operator_waits {
	OPERATOR_WAITS_STATUS,
	OPERATOR_WAITS_RELOAD,
	OPERATOR_WAITS_RELOAD_AGAIN, /* for the one after that under way */
	OPERATOR_WAITS_CLOCK,
	OPERATOR_WAITS_COUNT
};

/* Serve fd, a listening socket. Returns NULL without memory. */
struct operator_door *operator_open(struct supervisor *, int fd);
void operator_free(struct operator_door *);

/* Answer all who wait for this. */
void operator_answer(
    struct supervisor *, enum operator_waits, bool done, const char *text);

/* The next reload begins: who waited for it waits for this one now. */
void operator_reloads_again(struct supervisor *);

/* A child has said how it is, or has ended: do we know of all now? */
void operator_heard_status(struct supervisor *);

/* What the keeper says about its clock. */
void operator_heard_clock(struct supervisor *, uint8_t done, struct octets);

#endif
