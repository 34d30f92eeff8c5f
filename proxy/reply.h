/*
 * Replies of the MSA: reading them from the wire, and what can be learnt
 * from them (RFC 5321 4.2, RFC 2034).
 */
#ifndef PROXY_REPLY_H
#define PROXY_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#define REPLY_MAX      65536 /* octets of one reply, all its lines */
#define REPLY_LINE_MAX 4096  /* octets of one of its lines, CRLF included */
#define REPLY_OURS_MAX 512   /* octets of a line we add to (4.5.3.1.5) */
#define REPLY_QUEUE_ID 65    /* room for any queue id, NUL included */

enum reply_error {
	REPLY_OK = 0,
	REPLY_BAD_CODE,	     /* no code of 200 to 599 at a line's start */
	REPLY_BAD_SEPARATOR, /* neither space nor hyphen behind it */
	REPLY_OTHER_CODE,    /* the lines of one reply disagree */
	REPLY_BAD_OCTET,     /* NUL, or CR that ends no line */
	REPLY_LINE_TOO_LONG,
	REPLY_TOO_LONG,
	REPLY_NO_MEMORY
};

/*
 * One reply on its way in. text holds its lines exactly as they came, each
 * ending in CRLF (a bare LF of the MSA becomes one), and a NUL behind them.
 */
struct reply {
	char *text;
	size_t len;  /* octets in text */
	size_t size; /* octets text has room for */
	size_t line; /* where the line being read begins */
	size_t last; /* where the last whole line begins */
	unsigned lines;
	int code; /* 200 to 599, 0 before the first line */
	bool complete;
	enum reply_error error;
};

void reply_init(struct reply *r);

/* Forget what was read, and give the memory back: as after reply_init(). */
void reply_clear(struct reply *r);

/* Forget what was read, and keep the memory for the next one. */
void reply_again(struct reply *r);

/*
 * Read on. Takes octets until one reply is complete, and none behind it;
 * returns how many it took. Then r->complete is set and r->code is valid,
 * or r->error says what the MSA did wrong and the connection is of no use
 * any more. Having either, it takes nothing until reply_again()
 * or reply_clear().
 * Any number of lines is accepted, in bounds of REPLY_MAX.
 */
size_t reply_feed(struct reply *r, const char *in, size_t len);

/* What an error means, for the log. */
const char *reply_error_text(enum reply_error error);

/*
 * The text of the last line of a complete reply, without code, separator
 * and CRLF. Not NUL-terminated: *len octets.
 */
const char *reply_last_text(const struct reply *r, size_t *len);

/*
 * Turn a 421 into 451, in each line of a reply's text, a string: it is the
 * MSA that leaves, not we, and our client may go on (RFC 5321 3.8).
 */
void reply_stay(char *text);

/*
 * The id under which the MSA queued the message, from its last reply, as
 * Postfix, Exim, Sendmail and OpenSMTPD write it. out is a string of less
 * than size octets, empty where the reply names none or a longer one.
 * Returns its length.
 */
size_t reply_queue_id(const struct reply *r, char *out, size_t size);

/*
 * Write the whole reply, its last line with " [envid]" at its end, provided
 * that this line then has at most REPLY_OURS_MAX octets; otherwise
 * unchanged. out (size octets) gets no NUL and needs at most r->len +
 * strlen(envid) + 3. Returns the length, or 0 where out is too small.
 */
size_t reply_append_envid(const struct reply *r, const char *envid, char *out,
    size_t size) __attribute__((warn_unused_result));

#endif
