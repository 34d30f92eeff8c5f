/*
 * One mail client's session, from the first octet to the last. Its parts are
 * in session.c (life and states), input.c (the client's lines), commands.c
 * (verbs), replies.c (the ordered queue), login.c (AUTH), envelope.c (MAIL,
 * RCPT), message.c (DATA), upstream.c (the MSA), tracking.c and ahead.c (the
 * keeper) and queries.c (XMTRK).
 */
#ifndef PROXY_SESSION_H
#define PROXY_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "common/addresses.h"
#include "common/keeper_messages.h"
#include "common/stream.h"
#include "proxy/ehlo.h"
#include "proxy/params.h"
#include "proxy/replies.h"
#include "proxy/transaction.h"
#include "proxy/xclient.h"

struct ahead;
struct event;
struct link;
struct msa;
struct worker;

/* Bits, so that a command's row can name the states it is legal in. */
enum session_state {
	SESSION_CLEAR = 1,	   /* no TLS yet, on a STARTTLS port */
	SESSION_SECURING = 2,	   /* TLS handshake */
	SESSION_OPEN = 4,	   /* TLS, not logged in */
	SESSION_EXCHANGE = 8,	   /* AUTH: lines are responses */
	SESSION_JUDGING = 16,	   /* AUTH: waiting for waybill-auth */
	SESSION_IDLE = 32,	   /* logged in, no transaction */
	SESSION_ASKING = 64,	   /* XMTRK: waiting for the keeper */
	SESSION_MINTING = 128,	   /* MAIL: waiting for keeper and MSA */
	SESSION_MAIL = 256,	   /* transaction open at the MSA */
	SESSION_BROKEN = 512,	   /* the MSA was lost in the transaction */
	SESSION_DATA_ASKED = 1024, /* waiting for the reply to DATA */
	SESSION_DATA = 2048,	   /* the message flows */
	SESSION_DISCARD = 4096,	   /* the rest of a message already refused */
	SESSION_ENDED = 8192,	   /* waiting for the reply to the message */
	SESSION_SETTLING = 16384,  /* that came; waiting for the keeper */
	SESSION_QUITTING = 32768,  /* QUIT came; the MSA owes replies */
	SESSION_OVER = 65536	   /* no client any more */
};

struct session {
	struct worker *w;
	uint64_t id; /* never 0, never reused */
	LIST_ENTRY(session) bucket;
	enum session_state state;
	uint64_t since; /* clock_ms() at its start */

	/* the client */
	struct stream *client; /* NULL: it is gone */
	struct sockaddr_storage peer;
	char address[ADDRESSES_TEXT_LEN]; /* without brackets */
	uint16_t port;
	char local_address[ADDRESSES_TEXT_LEN];
	uint16_t local_port;
	bool implicit_tls;
	char tls[16];			/* its version, "": none yet */
	char helo[EHLO_DOMAIN_MAX + 1]; /* "": neither EHLO nor HELO yet */
	bool esmtp;			/* it said EHLO */
	unsigned offered;		/* CAP_* that its EHLO was shown */
	bool skipping;			/* the rest of an overlong line */
	bool processing;		/* session_process() is at work */
	unsigned bad_commands;

	/* login */
	char mechanism[AUTH_NAME_ROOM];
	struct link *exchange; /* with waybill-auth, or NULL */
	uint8_t *initial;      /* response that waits for its turn */
	size_t initial_len;
	bool has_initial;
	struct event *delay; /* of an address that keeps failing */
	bool counted;	     /* among the address's open exchanges */
	unsigned auth_failures;
	uint64_t exchange_since; /* start of the last exchange */
	uint64_t exchanges_ms;	 /* time spent in those that failed */
	struct ticket ticket;	 /* account[0] == '\0': not logged in */

	/* the MSA */
	struct msa *msa;
	struct xclient_client identity;
	char msa_trouble[256]; /* why the last one was lost */

	struct replies replies;
	struct transaction *mail; /* from MAIL to its end, or NULL */
	bool sent_before;	  /* a message, in this session */
	struct ahead *ahead;	  /* the next one's mint, or NULL */
};

/* session.c */

/* A client connected: takes fd. */
void session_start(struct worker *, int fd, const struct sockaddr_storage *,
    bool implicit_tls);
struct session *session_find(struct worker *, uint64_t id);
/* The one place where the state changes: logs it, refuses nonsense. */
void session_enter(struct session *, enum session_state);
/* Say goodbye with a reply ("421 4.3.2 ...") and end. */
void session_bye(struct session *, const char *reply);
/* The client is gone or unwanted; what is at its MSA is finished. */
void session_end(struct session *, const char *why);
void session_free(struct session *);
/* ms that are left for the message that flows, at least 1. */
uint64_t session_message_left(const struct session *);
/* Restart the client's clock for the state it is in. */
void session_arm(struct session *);
bool session_is_secure(const struct session *);
bool session_logged_in(const struct session *);
/* waybilld says that time is over. */
void session_expire(struct session *);

/* input.c */

/* Take the lines and octets that are there, as far as the state allows. */
void session_process(struct session *);

/* commands.c */
void commands_run(struct session *, const char *line, size_t len);

/* login.c */
void login_begin(struct session *, const char *args, size_t len);
void login_response(struct session *, const char *line, size_t len);
void login_cancel(struct session *);

/* envelope.c */
void envelope_mail(struct session *, const char *args, size_t len);
void envelope_rcpt(struct session *, const char *args, size_t len);
void envelope_rset(struct session *, const char *args, size_t len);
/* Keeper or MSA has answered: send MAIL when both have. */
void envelope_go(struct session *);
/* The transaction ended without a message. */
void envelope_abandon(struct session *);

/* message.c */
void message_data(struct session *, const char *args, size_t len);
void message_begin(struct session *);
/* Octets behind DATA, too early: then the session is over. */
bool message_is_pipelined(struct session *);
void message_input(struct session *);
void message_replied(struct session *, const struct reply *);
/* The client was lost before the end. */
void message_cut(struct session *, const char *why);
/* The MSA does not want it: eat the rest, then answer with text. */
void message_refuse(struct session *, const char *text, size_t len);
/* The reply may pass: the record is durable, or waited for long enough. */
void message_finish(struct session *, bool stored);

/* upstream.c */
/* Have a connection to the MSA, or one on its way. Returns false if not. */
bool upstream_want(struct session *);
void upstream_send(struct session *, enum reply_to, const char *, size_t);
/* May another command go to the MSA now? */
bool upstream_takes_more(const struct session *);
/* Restart the MSA's clock for what it owes. */
void upstream_arm(struct session *);
/* Give it back, with QUIT. */
void upstream_release(struct session *);
/* Cut it, so that what is under way does not end there. */
void upstream_drop(struct session *);

/* tracking.c */
bool tracking_mint(struct session *);
void tracking_describe(struct session *);
bool tracking_settle(struct session *, bool outcome_known);
void tracking_forget(struct session *);
extern const struct keeper_answers tracking_answers;

/* queries.c */
void queries_xmtrk(struct session *, const char *args, size_t len);
void queries_listed(void *, uint64_t, enum keeper_status, struct wire_in *);
void queries_shown(void *, uint64_t, enum keeper_status, struct wire_in *);
void queries_token(void *, uint64_t, const struct token_answer *);
void queries_revoked(void *, uint64_t, const struct revoke_answer *);

#endif
