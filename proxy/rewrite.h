/*
 * The MAIL and RCPT lines for the MSA, built from what the client's said and
 * what this MSA connection offers (RFC 3461 5.2, RFC 3885 3, RFC 6409 8).
 */
#ifndef PROXY_REWRITE_H
#define PROXY_REWRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/params.h"

/* Longest line that our additions may lead to, CRLF included. */
#define REWRITE_LINE_MAX 2048

/* One line, CRLF included, with a NUL behind it. */
struct rewrite_line {
	char text[REWRITE_LINE_MAX + 1];
	size_t len;
	bool failed; /* did not fit, or holds what no command line may */
};

/* What the keeper drew for a message. */
struct rewrite_mint {
	const char *envid;     /* xtext, local@fqhn, at most 100 */
	const char *certifier; /* B, 27 characters */
	uint32_t seconds;      /* at most 999999999 */
};

/*
 * Build MAIL. caps is the mask of CAP_* of this MSA connection. size_extra
 * is how many octets we may add to the message. mint is NULL where nothing
 * of ours goes along; its envid is not used where the client gave one, nor
 * its certifier where the client gave one or an ENVID that cannot be
 * tracked. What is sent:
 *   MTRK: ENVID and MTRK; DSN alone: ENVID; neither: none of them.
 *   RET with DSN only. AUTH never: the MSA does not know us, so it would
 *   take the value for "<>" (RFC 4954 5).
 * Returns the length, or -1 where a value is not fit for a command line.
 */
long rewrite_mail(const struct mail_params *mail, unsigned caps,
    uint64_t size_extra, const struct rewrite_mint *mint,
    struct rewrite_line *out) __attribute__((warn_unused_result));

/*
 * Build RCPT: the client's NOTIFY with DSN, its ORCPT with DSN or MTRK. Where
 * it gave no ORCPT and add_orcpt is set, one is made of the address as
 * received (RFC 3461 5.2.1 (d)), of type utf-8 for an address beyond US-ASCII
 * (RFC 6533 3); it is left out where it or the line would grow too long.
 * Returns as above.
 */
long rewrite_rcpt(const struct rcpt_params *rcpt, unsigned caps, bool add_orcpt,
    struct rewrite_line *out) __attribute__((warn_unused_result));

#endif
