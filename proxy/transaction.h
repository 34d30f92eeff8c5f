/*
 * One mail transaction (RFC 5321 3.3): the envelope as submitted, what the
 * keeper drew for it, what the MSA said, and the message on its way through.
 */
#ifndef PROXY_TRANSACTION_H
#define PROXY_TRANSACTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/keeper_messages.h"
#include "proxy/data.h"
#include "proxy/ehlo.h"
#include "proxy/header.h"
#include "proxy/params.h"
#include "proxy/redial.h"

enum { AUTH_NAME_ROOM = 24 };

/* Where the question to the keeper stands. */
enum transaction_mint {
	MINT_NONE, /* not asked: tracking is off */
	MINT_ASKED,
	MINT_DONE,    /* minted is good */
	MINT_GIVEN_UP /* no answer: goes untracked */
};

struct transaction_rcpt {
	char *address; /* as submitted, without "<>" */
	uint16_t code; /* the MSA's reply, 0: none yet */
	char *reply;   /* its last line, cut */
};

struct transaction_body {
	uint64_t since; /* clock_ms() at the reply to DATA */
	struct data_scan scan;
	struct data_stuff stuff;
	struct header_scan header;
	char message_id[512]; /* the field that we added, or "" */
};

struct transaction {
	char *line;		   /* MAIL's arguments */
	struct mail_params params; /* points into line */
	enum transaction_mint mint;
	struct minted minted;
	char envid[ENVID_MAX + 1]; /* the message's, on the wire */
	bool ident_sent;	   /* XFORWARD went ahead of MAIL */
	bool mtrk_sent;
	char msa_host[EHLO_DOMAIN_MAX + 1]; /* who took it, or "" */
	bool envid_sent;
	struct transaction_rcpt *rcpts; /* those forwarded */
	size_t rcpt_count;
	size_t rcpt_room;
	size_t answered; /* of them, by the MSA */
	size_t accepted;
	bool refused;		       /* MAIL was; a reply to DATA is due */
	struct transaction_body *body; /* from 354 on, in body_space */
	char *early;		       /* reply that came before the end */
	size_t early_len;
	char message_id[HEADER_ID_MAX + 1]; /* with its "<>" */
	uint16_t code;			    /* of the reply to the end */
	char *reply;			    /* that reply, whole */
	size_t reply_len;
	char reply_text[256]; /* its last line, for log and record */
	char queue_id[QUEUE_ID_MAX + 1];

	/* transaction_new() leaves these as they are; redial is the first. */
	struct redial redial;
	struct mail_record record; /* from tracking_describe() on */
	struct transaction_body body_space;
	LIST_ENTRY(transaction) spare;
};

/* Keeps a copy of args; parses nothing. Never NULL. */
struct transaction *transaction_new(const char *args, size_t len);
/* The message begins: its body, for message_begin() to fill. */
struct transaction_body *transaction_begin_body(struct transaction *);
/* The next RCPT goes to the MSA. */
void transaction_add_rcpt(struct transaction *, const char *, size_t len);
/* The MSA's reply to the oldest RCPT without one. */
void transaction_rcpt_replied(
    struct transaction *, int code, const char *text, size_t len);
void transaction_free(struct transaction *);
/* The process ends: give back the memory that was kept for the next ones. */
void transaction_end_spares(void);

#endif
