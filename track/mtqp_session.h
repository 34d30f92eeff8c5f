/*
 * The server's side of one MTQP session (RFC 3887): octets in, octets out,
 * and what its process has to do in between. It knows no socket, no clock
 * and no keeper.
 */
#ifndef TRACK_MTQP_SESSION_H
#define TRACK_MTQP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/keeper_messages.h"
#include "common/mtqp_line.h"

/* What is the same for all sessions of a server; outlives them. */
struct mtqp_rules {
	const char *hostname;  /* in the greeting */
	bool tls;	       /* there is a certificate: STARTTLS is offered */
	bool tls_required;     /* TRACK in clear is refused */
	unsigned commands_max; /* of a session; 0: any number, here and below */
	unsigned bad_max;      /* answers of -BAD */
	unsigned refused_max;  /* answers of -ERR/noinfo */
};

/* What the session waits for. */
enum mtqp_effect {
	MTQP_READ,	/* mtqp_session_feed() */
	MTQP_LOOK_UP,	/* mtqp_session_found() or mtqp_session_refuse() */
	MTQP_START_TLS, /* mtqp_session_tls_begin() or ..._tls_refuse() */
	MTQP_HANDSHAKE, /* mtqp_session_tls_done() */
	MTQP_CLOSE	/* nothing more: write what is in out and close */
};

enum mtqp_security { MTQP_CLEAR = 1, MTQP_SECURE = 2, MTQP_WEAK = 4 };

struct mtqp_session {
	const struct mtqp_rules *rules;
	enum mtqp_effect effect;
	enum mtqp_security security;
	struct buffer out; /* to be written; the caller consumes it */
	/* With MTQP_LOOK_UP; the ENVID in the shortest xtext. */
	char envid[ENVID_MAX + 1];
	uint8_t certifier[CERTIFIER_LEN]; /* SHA-1 of the secret presented */
	/* With MTQP_START_TLS: whom the client believes to talk to. */
	char domain[MTQP_DOMAIN_MAX + 1];
	unsigned commands;
	unsigned bad;
	unsigned refused;
	size_t line_len;
	bool line_too_long;
	char line[MTQP_LINE_MAX + 2];
};

/*
 * Begin with the greeting. refusal is NULL, or the reason why there is no
 * service: "admin" or "unavailable" (RFC 3887 3).
 */
void mtqp_session_start(
    struct mtqp_session *, const struct mtqp_rules *, const char *refusal);

/*
 * Commands from the client, in any pieces. Takes octets while the effect is
 * MTQP_READ and none behind the command that changed it; returns how many.
 */
size_t mtqp_session_feed(struct mtqp_session *, const void *, size_t len);

/* The answer to MTQP_LOOK_UP: a whole MIME body (common/report.h). */
void mtqp_session_found(struct mtqp_session *, const void *body, size_t len);

/*
 * Unknown, wrong, revoked and expired are one refusal (its time is the
 * process's matter); TEMPORARY is for our own faults.
 */
enum mtqp_refusal { MTQP_NOINFO, MTQP_TEMPORARY };
void mtqp_session_refuse(struct mtqp_session *, enum mtqp_refusal);

/*
 * STARTTLS (RFC 3887 6). Refused: no certificate for the domain. unread is
 * what came behind the command in clear: any such session ends, since it may
 * not be the client's (CVE-2011-0411). Else the handshake starts once out is
 * written; returns 0, or -1 where it must not.
 */
void mtqp_session_tls_refuse(struct mtqp_session *);
int mtqp_session_tls_begin(struct mtqp_session *, size_t unread)
    __attribute__((warn_unused_result));

/*
 * The handshake is done: a fresh greeting, all else forgotten but the counts
 * (6.2). Where TLS is weaker than policy wants, only QUIT will do (6.1).
 */
void mtqp_session_tls_done(struct mtqp_session *, bool strong);

/* Wipe and give back the memory. */
void mtqp_session_free(struct mtqp_session *);

#endif
