/*
 * Syntax of the addresses in MAIL and RCPT: Path and Mailbox of RFC 5321
 * 4.1.2, with the UTF-8 that RFC 6531 3.3 adds.
 */
#ifndef PROXY_MAILBOX_H
#define PROXY_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>

/* RFC 5321 4.5.3.1; the path counts its "<" and ">". */
#define MAILBOX_LOCAL_MAX  64
#define MAILBOX_DOMAIN_MAX 255
#define MAILBOX_PATH_MAX   256

/* Octets inside somebody else's buffer, not NUL terminated. */
struct span {
	const char *at;
	size_t len;
};

/*
 * All spans point into the text that was parsed. whole is "local@domain"
 * as written; all are empty for "<>", and domain is for "<postmaster>".
 */
struct mailbox {
	struct span whole;
	struct span local;  /* a quoted string keeps its quotes */
	struct span domain; /* an address literal keeps its brackets */
	bool utf8;	    /* has octets beyond US-ASCII, well-formed */
};

/* What a path may be besides a mailbox. */
#define MAILBOX_NULL	   1U /* "<>" (Reverse-path) */
#define MAILBOX_POSTMASTER 2U /* "<postmaster>", any case (RCPT) */

/* Is the whole text one Mailbox, within the limits above? */
bool mailbox_parse(const char *text, size_t len, struct mailbox *out);

/*
 * Read "<" [source route ":"] Mailbox ">" at the start of text. The route
 * is checked and dropped (RFC 5321 appendix C). allow has MAILBOX_* bits.
 * Returns the octets read, or -1 where there is no valid path.
 */
long mailbox_parse_path(
    const char *text, size_t len, unsigned allow, struct mailbox *out);

#endif
