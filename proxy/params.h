/*
 * The arguments of MAIL and RCPT: addresses (RFC 5321 4.1.1.2, 4.1.1.3) and
 * the parameters of RFC 1870, 3461, 3885, 4954, 6152 and 6531.
 */
#ifndef PROXY_PARAMS_H
#define PROXY_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/mailbox.h"

#define PARAMS_ENVID_MAX     100 /* RFC 3461 4.4, in its xtext form */
#define PARAMS_ORCPT_MAX     500 /* RFC 3461 5.4 */
#define PARAMS_CERTIFIER_LEN 27	 /* base64 of 20 octets, unpadded */
#define PARAMS_HASH_LEN	     20	 /* SHA-1 (RFC 3885 3.1) */

/*
 * X(name, code, enhanced code, text): every way in which parsing fails.
 * PARAMS_E_name is its number, below zero.
 */
#define PARAMS_ERROR_LIST(X)                                                   \
	X(MAIL_SYNTAX, 501, "5.5.2", "Syntax: MAIL FROM:<address>")            \
	X(RCPT_SYNTAX, 501, "5.5.2", "Syntax: RCPT TO:<address>")              \
	X(OCTETS, 501, "5.5.2", "Control or ill-formed characters")            \
	X(SENDER, 501, "5.1.7", "Bad sender address syntax")                   \
	X(RECIPIENT, 501, "5.1.3", "Bad recipient address syntax")             \
	X(MAIL_UTF8, 550, "5.6.7", "Address needs SMTPUTF8")                   \
	X(RCPT_UTF8, 553, "5.6.7", "Address needs SMTPUTF8")                   \
	X(MALFORMED, 501, "5.5.4", "Malformed parameter")                      \
	X(DUPLICATE, 501, "5.5.4", "Parameter given twice")                    \
	X(UNKNOWN, 555, "5.5.4", "Parameter not recognized")                   \
	X(BODY, 504, "5.5.4", "BODY value not implemented")                    \
	X(SIZE, 501, "5.5.4", "Bad SIZE value")                                \
	X(RET, 501, "5.5.4", "RET must be FULL or HDRS")                       \
	X(ENVID, 501, "5.5.4", "Bad ENVID value")                              \
	X(MTRK, 501, "5.5.4", "Bad MTRK value")                                \
	X(MTRK_ENVID, 501, "5.5.4", "MTRK requires ENVID=local@host")          \
	X(AUTH, 501, "5.5.4", "Bad AUTH value")                                \
	X(NOTIFY, 501, "5.5.4", "Bad NOTIFY value")                            \
	X(ORCPT, 501, "5.5.4", "Bad ORCPT value")

enum params_code {
	PARAMS_E_END = -100, /* the rows follow it, all below zero */
#define X(name, code, enhanced, text) PARAMS_E_##name,
	PARAMS_ERROR_LIST(X)
#undef X
};

struct params_error {
	int code;
	const char *enhanced;
	const char *text;
};

/* Which parameters were given: bits of mail_params.given, rcpt_params.given. */
enum params_bit {
	PARAM_SIZE = 1U << 0,
	PARAM_BODY = 1U << 1,
	PARAM_SMTPUTF8 = 1U << 2,
	PARAM_AUTH = 1U << 3,
	PARAM_RET = 1U << 4,
	PARAM_ENVID = 1U << 5,
	PARAM_MTRK = 1U << 6,
	PARAM_NOTIFY = 1U << 7,
	PARAM_ORCPT = 1U << 8,
};

enum params_body {
	BODY_7BIT,
	BODY_8BITMIME,
};

enum params_ret {
	RET_FULL,
	RET_HDRS,
};

/* Bits of rcpt_params.notify; NEVER stands alone. */
enum params_notify {
	NOTIFY_NEVER = 1U << 0,
	NOTIFY_SUCCESS = 1U << 1,
	NOTIFY_FAILURE = 1U << 2,
	NOTIFY_DELAY = 1U << 3,
};

/* RFC 3885 3.1. Without a timeout, timeout_text is empty, timeout 0. */
struct params_mtrk {
	struct span certifier; /* PARAMS_CERTIFIER_LEN characters */
	struct span timeout_text;
	uint32_t timeout; /* seconds */
	uint8_t hash[PARAMS_HASH_LEN];
};

/*
 * A parsed MAIL. Spans point into the line, which must live as long; a
 * member counts only where its bit is in given.
 */
struct mail_params {
	struct mailbox from; /* empty for "<>" */
	unsigned given;
	uint64_t size;
	enum params_body body;
	enum params_ret ret;
	struct span auth;  /* xtext as written */
	struct span envid; /* xtext as written */
	bool envid_unique; /* is local@fqhn (RFC 3885 3.2) */
	struct params_mtrk mtrk;
};

/* A parsed RCPT, likewise. */
struct rcpt_params {
	struct mailbox to; /* without a domain for "<postmaster>" */
	unsigned given;
	bool smtputf8;	 /* MAIL had SMTPUTF8 */
	unsigned notify; /* NOTIFY_* bits */
	struct span notify_text;
	struct span orcpt; /* byte for byte, as RFC 3461 5.2.1 (d) wants it */
};

/*
 * Parse what follows "MAIL" and its space: FROM:<path> and parameters, no
 * CRLF. caps is the mask of CAP_* that were offered to this client. Returns
 * 0, or a PARAMS_E_* code; out is then not to be used.
 */
int params_parse_mail(const char *line, size_t len, unsigned caps,
    struct mail_params *out) __attribute__((warn_unused_result));

/*
 * The same for RCPT: TO:<path> and parameters. smtputf8 says whether the
 * transaction's MAIL had SMTPUTF8; only then may there be UTF-8.
 */
int params_parse_rcpt(const char *line, size_t len, unsigned caps,
    bool smtputf8, struct rcpt_params *out) __attribute__((warn_unused_result));

/* The reply for a PARAMS_E_* code; never NULL. */
const struct params_error *params_error(int code);

/*
 * Mask of the CAP_* that an MSA connection must have to carry what was
 * asked for; what it may lack without loss is left out by the rewriting.
 */
unsigned params_mail_needs(const struct mail_params *mail);
unsigned params_rcpt_needs(const struct rcpt_params *rcpt);

#endif
