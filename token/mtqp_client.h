/*
 * One question to one tracking server (RFC 3887): found by SRV, asked in TLS,
 * its answer read within bounds of time and size.
 */
#ifndef TOKEN_MTQP_CLIENT_H
#define TOKEN_MTQP_CLIENT_H

#include "common/report.h"
#include "common/wire.h"
#include "token/options.h"
#include "token/resolver.h"

struct mtqp_question {
	const struct options *options;
	struct resolver *resolver;
	const char *server;   /* the name its certificate must be for */
	unsigned port;	      /* 0: SRV is asked */
	bool use_connect;     /* go where options->connect says instead */
	struct octets envid;  /* in its form on the wire */
	struct octets secret; /* A */
	size_t answer_max;    /* octets */
	size_t answer_len;    /* out: what the answer took of that */
	bool went_clear;      /* out: the secret went out without TLS */
};

enum mtqp_outcome {
	MTQP_ANSWERED,
	MTQP_LATER,   /* not reached, or not now */
	MTQP_NO_INFO, /* knows no such message, or will not tell */
	MTQP_NEVER    /* asking again will not help */
};

/*
 * Ask. report starts as {0} and is to be freed where it was answered; else
 * the problem is set.
 */
enum mtqp_outcome
mtqp_ask(struct mtqp_question *, struct report *, struct problem *);

#endif
