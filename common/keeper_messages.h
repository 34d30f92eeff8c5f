/*
 * What proxy and keeper say to each other about one message. Text that came
 * from a mail client or an MSA is octets, never trusted to be printable.
 */
#ifndef COMMON_KEEPER_MESSAGES_H
#define COMMON_KEEPER_MESSAGES_H

#include "common/ticket.h"
#include "common/wire.h"

/*
 * The longest record with its ticket: sealed, and in any answer that holds
 * it, it still fits into one body.
 */
#define MAIL_RECORD_MAX (WIRE_BODY_MAX - 1024u)

enum {
	HANDLE_LEN = 16,     /* a message's own number, opaque to the proxy */
	ENVID_MAX = 100,     /* RFC 3461 4.4, as it stands on the wire */
	CERTIFIER_LEN = 20,  /* B = SHA-1(A); RFC 3885 3.1 */
	CERTIFIER_TEXT = 27, /* its base64, unpadded */
	SECRET_MAX = 128,    /* A, RFC 3885 3.1 */
	MESSAGE_ID_MAX = 998,
	SUBJECT_MAX = 256,
	ADDRESS_MAX = 1024,    /* of an envelope, as it stands on the wire */
	REPLY_TEXT_MAX = 1024, /* of an MSA's reply, cut */
	QUEUE_ID_MAX = 128,
	MSA_NAME_MAX = 255,
	CLIENT_TEXT_MAX = 64, /* address of a client, in text */
	RECORD_RECIPIENTS_MAX = 5000,
	LIST_LIMIT = 100,
	LIST_LIMIT_MAX = 1000
};

enum keeper_status {
	KEEPER_OK = 0,
	KEEPER_REFUSED,	    /* the ticket is not good */
	KEEPER_LIMITED,	    /* too many unfinished transactions */
	KEEPER_UNAVAILABLE, /* the store cannot be written or read */
	KEEPER_NOT_FOUND,
	KEEPER_NO_SECRET /* known, but the client kept A itself */
};

struct mint {
	struct ticket ticket;
	struct octets envid;   /* the client's own, or empty */
	uint8_t untracked;     /* 1: a handle only, no certifier */
	uint8_t own_certifier; /* 1: certifier is the client's B */
	uint8_t certifier[CERTIFIER_LEN];
	uint32_t timeout; /* with it, seconds; 0: none given */
};

struct minted {
	uint8_t status; /* enum keeper_status */
	uint8_t handle[HANDLE_LEN];
	char envid[ENVID_MAX + 1];	    /* xtext, as it goes on the wire */
	char certifier[CERTIFIER_TEXT + 1]; /* "" with untracked */
	uint32_t timeout;		    /* seconds, for MTRK */
};

enum mail_outcome {
	OUTCOME_UNKNOWN = 0, /* the end was sent, no reply came yet */
	OUTCOME_ACCEPTED     /* the MSA said 2xx */
};

enum mail_flag {
	MAIL_MTRK_SENT = 1, /* MTRK went to the MSA */
	MAIL_ENVID_SENT = 2,
	MAIL_CLIENT_ENVID = 4, /* envid is the client's own */
	MAIL_CLIENT_MTRK = 8,  /* certifier is the client's own, A unknown */
	MAIL_UNTRACKED = 16,   /* remembered, not tracked */
	MAIL_MSA_HOST = 32     /* in a body only: it holds msa_host */
};

struct mail_recipient {
	struct octets address; /* as submitted, without "<>" */
	uint16_t code;	       /* the MSA's reply to RCPT */
	struct octets reply;
};

struct mail_record {
	struct ticket ticket;
	uint8_t handle[HANDLE_LEN];
	struct octets envid;		  /* as on the wire */
	uint8_t flags;			  /* enum mail_flag */
	uint8_t certifier[CERTIFIER_LEN]; /* with MAIL_CLIENT_MTRK */
	uint32_t timeout;		  /* with it */
	uint8_t outcome;		  /* enum mail_outcome */
	uint64_t time; /* ms since 1970: when the end was sent */
	struct octets sender;
	struct octets message_id; /* with "<>"; may be empty */
	struct octets subject;
	uint64_t size;	   /* octets, as submitted */
	struct octets msa; /* name of the section msa */
	/* The MSA's name in the DNS, where it took MTRK and told one. */
	struct octets msa_host;
	uint16_t code; /* of the MSA's reply to the end */
	struct octets reply;
	struct octets queue_id;
	uint32_t recipient_count;
	struct mail_recipient *recipients;
};

struct list_query {
	struct ticket ticket;
	uint64_t since;	     /* ms since 1970, 0: all */
	uint16_t limit;	     /* 1 to LIST_LIMIT_MAX */
	struct octets after; /* ENVID: rows older than it; or empty */
};

struct list_row {
	struct octets envid;
	uint64_t time; /* ms since 1970 */
	struct octets message_id;
	struct octets recipient; /* the first */
	uint32_t recipient_count;
	struct octets subject;
	uint64_t size;
	uint8_t outcome;
};

/* SHOW, TOKEN, REVOKE: one message by ENVID, or by Message-ID with its "<>". */
struct one_query {
	struct ticket ticket;
	struct octets id;
	struct octets client; /* client's address, for the log */
};

struct revoke_answer {
	uint8_t status; /* enum keeper_status */
	struct octets envid;
	uint8_t mtrk_sent; /* 1: servers that took MTRK go on answering */
};

struct token_answer {
	uint8_t status;	 /* enum keeper_status */
	uint8_t revoked; /* 1: nobody can track with A here any more */
	struct octets envid;
	struct octets secret; /* A */
	char certifier[CERTIFIER_TEXT + 1];
	uint64_t expires; /* seconds since 1970 */
};

/*
 * Each pair writes and reads one body. Readers point into the message and
 * fail the cursor on anything out of bounds; a record's recipients are
 * allocated and given back by mail_record_free(), after a failure too.
 */
void mint_put(struct wire_out *, const struct mint *);
void mint_get(struct wire_in *, struct mint *);
void minted_put(struct wire_out *, const struct minted *);
void minted_get(struct wire_in *, struct minted *);
/*
 * A record that would be longer than MAIL_RECORD_MAX goes without what the
 * MSA said to each recipient (its codes stay); one that still is fails.
 */
void mail_record_put(struct wire_out *, const struct mail_record *);
void mail_record_get(struct wire_in *, struct mail_record *);
/* Without the ticket, for SHOWN and for the vault. */
void mail_body_put(struct wire_out *, const struct mail_record *);
void mail_body_get(struct wire_in *, struct mail_record *);
void mail_record_free(struct mail_record *);
void list_query_put(struct wire_out *, const struct list_query *);
void list_query_get(struct wire_in *, struct list_query *);
void list_row_put(struct wire_out *, const struct list_row *);
void list_row_get(struct wire_in *, struct list_row *);
void one_query_put(struct wire_out *, const struct one_query *);
void one_query_get(struct wire_in *, struct one_query *);
void revoke_answer_put(struct wire_out *, const struct revoke_answer *);
void revoke_answer_get(struct wire_in *, struct revoke_answer *);
void token_answer_put(struct wire_out *, const struct token_answer *);
void token_answer_get(struct wire_in *, struct token_answer *);

#endif
