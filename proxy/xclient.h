/*
 * Telling the MSA who the client is: XCLIENT and XFORWARD command lines
 * (Postfix XCLIENT_README, XFORWARD_README), values as xtext (RFC 3461 4).
 */
#ifndef PROXY_XCLIENT_H
#define PROXY_XCLIENT_H

#include <stddef.h>
#include <stdint.h>

/* Longest command, CRLF included. */
#define XCLIENT_LINE_MAX 512
#define XCLIENT_LINES	 4

/* A client. What is NULL or 0 is not sent, but for name. */
struct xclient_client {
	const char *name; /* host name, NULL: "[UNAVAILABLE]" */
	const char *addr; /* IPv4 or IPv6 as text, no brackets */
	uint16_t port;
	const char *proto;     /* "ESMTP" or "SMTP" */
	const char *helo;      /* what the client called itself */
	const char *login;     /* the account it logged in to */
	const char *dest_addr; /* the address that it connected to */
	uint16_t dest_port;
};

/* The commands in the order in which to send them, CRLF included. */
struct xclient_lines {
	char line[XCLIENT_LINES][XCLIENT_LINE_MAX + 1];
	size_t count;
};

/*
 * Build the XCLIENT commands for an MSA that announced attrs, a mask of
 * ATTR_*. NAME and ADDR come last, together, since the right to send
 * XCLIENT may end with them. Each command is answered 220 and wants a new
 * EHLO before the next. A HELO or NAME that fits no command is sent as
 * "[UNAVAILABLE]". count is 0 where the MSA takes nothing that is known.
 * Returns 0, or -1 where the LOGIN fits no command: it is never cut.
 */
int xclient_build(const struct xclient_client *client, unsigned attrs,
    struct xclient_lines *out) __attribute__((warn_unused_result));

/*
 * Write "XFORWARD IDENT=envid" and CRLF; IDENT lasts for one transaction.
 * Returns the length, or -1 where it does not fit a command or out.
 */
long xforward_ident(const char *envid, char *out, size_t size)
    __attribute__((warn_unused_result));

#endif
