/*
 * The Received field that we put on top of a message: RFC 5321 4.4, with
 * the protocol names of RFC 3848 and 6531 4.3, the clause of RFC 8314 4.3.
 */
#ifndef PROXY_RECEIVED_H
#define PROXY_RECEIVED_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* Longest field, folded, with its last CRLF. */
#define RECEIVED_MAX 2560

/* Longest date-time, NUL included. */
#define RECEIVED_DATE_LEN 40

/* The text of every member may be anything: what no field may hold is "?". */
struct received_info {
	const char *helo;     /* what the client called itself */
	const char *name;     /* its host name, NULL: unknown */
	const char *addr;     /* IPv4 or IPv6 as text, no brackets */
	const char *login;    /* NULL: not shown */
	const char *hostname; /* ours */
	const char *cipher;   /* IANA name of the suite, NULL: no TLS */
	const char *envid;    /* xtext, NULL: no id clause */
	bool authenticated;
	bool smtputf8;
	time_t when;
};

/*
 * Write the field into out, RECEIVED_MAX + 1 octets, with a NUL behind it.
 * Lines are folded at 78 where a word allows it and never pass 998.
 * Recipients are not named. Returns the length.
 */
size_t received_write(const struct received_info *info, char *out);

/*
 * Write date-time (RFC 5322 3.3), local time with its numeric zone, in any
 * locale. out holds RECEIVED_DATE_LEN octets.
 */
void received_date(time_t when, char *out);

#endif
