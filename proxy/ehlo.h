/*
 * EHLO on both sides: what the MSA offers, and what we offer to the client
 * of it (RFC 5321 4.1.1.1, 4.2.5).
 */
#ifndef PROXY_EHLO_H
#define PROXY_EHLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/caps.h"
#include "proxy/reply.h"

#define EHLO_AUTH_MAX	500 /* octets of a list of mechanisms */
#define EHLO_DOMAIN_MAX 255 /* octets of a name (RFC 5321 4.5.3.1.2) */

/* Room that is enough for our reply. */
#define EHLO_REPLY_MAX 2048

/* What an MSA offers, all zero before it is known. */
struct msa_caps {
	unsigned mask;	   /* CAP_* */
	uint64_t size;	   /* octets of a message; 0: no limit named */
	unsigned xclient;  /* ATTR_* of XCLIENT */
	unsigned xforward; /* ATTR_* of XFORWARD */
	char auth[EHLO_AUTH_MAX + 1]; /* mechanisms, upper case, one space */
	/* What it calls itself, if that can be looked up in the DNS; or "". */
	char name[EHLO_DOMAIN_MAX + 1];
};

/* What we offer. */
struct ehlo_offer {
	const char *hostname; /* ours, at most EHLO_DOMAIN_MAX */
	unsigned mask;	      /* CAP_*, from ehlo_offer_mask() */
	uint64_t size;	      /* from ehlo_offer_size() */
	const char *auth;     /* mechanisms for CAP_AUTH, one space between,
				 at most EHLO_AUTH_MAX */
};

/*
 * Read a complete positive reply to EHLO, or to HELO, which offers nothing.
 * Keywords come in any order and case; unknown ones, values that make no
 * sense and mechanisms beyond EHLO_AUTH_MAX are left out. "AUTH=" counts as
 * AUTH.
 */
void ehlo_parse(const struct reply *r, struct msa_caps *caps);

/* Do the two offer the same, in whatever order, whatever their names? */
bool ehlo_same_caps(const struct msa_caps *a, const struct msa_caps *b);

/* Is the name of len octets one of a list of mechanisms? In either case. */
bool ehlo_has_mechanism(const char *list, const char *name, size_t len);

/*
 * What to offer to a client: of the MSA's extensions those that we carry
 * through, PIPELINING, which we do ourselves, and those of ours, a mask of
 * CAP_STARTTLS, CAP_AUTH, CAP_MTRK and CAP_XMTRK, that the caller has for
 * this client now. Nothing else is ever offered.
 */
unsigned ehlo_offer_mask(const struct msa_caps *caps, unsigned ours);

/*
 * The SIZE to offer (RFC 1870): the MSA's, less the headroom octets that we
 * may add to a message; 0 where the MSA names no limit.
 */
uint64_t ehlo_offer_size(const struct msa_caps *caps, uint64_t headroom);

/*
 * Write our reply to EHLO, CRLF included, no NUL. Returns its length, or 0
 * where out (size octets) is too small; EHLO_REPLY_MAX is enough.
 */
size_t ehlo_build(const struct ehlo_offer *offer, char *out, size_t size)
    __attribute__((warn_unused_result));

/* The same for HELO: one line. */
size_t ehlo_build_helo(const char *hostname, char *out, size_t size)
    __attribute__((warn_unused_result));

/*
 * Take the client's argument of EHLO or HELO, without CRLF. Accepted is
 * what clients send as a domain or an address literal, underscores, single
 * labels and addresses without brackets included; never controls, 8-bit,
 * inner spaces or more than EHLO_DOMAIN_MAX octets. out must hold
 * EHLO_DOMAIN_MAX + 1 and becomes a string. Returns whether it was taken.
 */
bool ehlo_parse_domain(const char *in, size_t len, char *out)
    __attribute__((warn_unused_result));

#endif
