/*
 * Lines of MTQP in both directions: status lines, bodies with their dots
 * stuffed, commands (RFC 3887 2.2, 2.3, 12).
 */
#ifndef COMMON_MTQP_LINE_H
#define COMMON_MTQP_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/wire.h"

enum {
	MTQP_LINE_MAX = 998, /* octets before CRLF */
	MTQP_DOMAIN_MAX = 255
};

enum mtqp_verdict {
	MTQP_OK,      /* one line */
	MTQP_OK_MORE, /* a body follows */
	MTQP_TEMP,    /* temporary */
	MTQP_ERR,     /* permanent */
	MTQP_BAD      /* protocol error */
};

/* A status line. tokens is what stands between verdict and text: "/a/b". */
struct mtqp_status {
	enum mtqp_verdict verdict;
	struct octets tokens;
	struct octets text; /* for the log; any octets */
};

/* Read one, without its CRLF. Returns 0, or -1 for what is none. */
int mtqp_status_read(const char *line, size_t len, struct mtqp_status *)
    __attribute__((warn_unused_result));

/* Is the token there, whatever its letter case? Without the slash. */
bool mtqp_status_has(const struct mtqp_status *, const char *token);

enum mtqp_response_error {
	MTQP_RESPONSE_OK = 0,
	MTQP_RESPONSE_NOT_MTQP, /* the first line is no status line */
	MTQP_RESPONSE_LINE,	/* a line of more than 998 octets, or a NUL */
	MTQP_RESPONSE_TOO_LONG
};

/*
 * One response on its way in. body holds the lines of a +OK+ response, dots
 * unstuffed, each ending in CRLF (a bare LF becomes one).
 */
struct mtqp_response {
	size_t body_max;
	char line[MTQP_LINE_MAX + 2];
	size_t line_len;
	bool has_status;
	struct mtqp_status status; /* points into first */
	char first[MTQP_LINE_MAX + 1];
	struct buffer body;
	bool complete;
	enum mtqp_response_error error;
};

/* A body of more than body_max octets is an error. */
void mtqp_response_init(struct mtqp_response *, size_t body_max);
void mtqp_response_free(struct mtqp_response *);

/*
 * Read on. Takes octets until the response is complete, and none behind it;
 * returns how many it took. Then complete or error is set, and it takes
 * nothing more.
 */
size_t mtqp_response_feed(struct mtqp_response *, const void *, size_t len);

const char *mtqp_response_error_text(enum mtqp_response_error);

/*
 * The parameters of an option in the body of a greeting (RFC 3887 3), in
 * any letter case, with the lines that continue it; {NULL, 0} where the
 * server does not have it, and data set where it has.
 */
struct octets
mtqp_option_find(const struct mtqp_response *greeting, const char *option);

/* Is word among parameters, whatever the letter case? */
bool mtqp_option_has(struct octets parameters, const char *word);

/*
 * Append text as the body of a multi-line response: lines led by a dot get
 * one more, every line ends in CRLF, longer ones than 998 octets are broken,
 * and ".", CRLF ends it.
 */
void mtqp_stuff(struct buffer *, const void *text, size_t len);

/*
 * Append a TRACK command: the ENVID as it stands on the wire, the secret A
 * itself. Returns 0, or -1 where either may not be sent.
 */
int mtqp_command_track(struct buffer *, struct octets envid,
    struct octets secret) __attribute__((warn_unused_result));

/* Append STARTTLS with the name the client believes it talks to; same. */
int mtqp_command_starttls(struct buffer *, const char *domain)
    __attribute__((warn_unused_result));

/* RFC 3887 12: labels with at least one dot between, at most 255 octets. */
bool mtqp_is_domain(const char *, size_t len);

/*
 * Is it local "@" fqhn in xtext, at most ENVID_MAX octets (RFC 3885 3.2)?
 * Returns its length without "<>" around it, or 0; *start is where it begins.
 */
size_t mtqp_envid_trim(const char *, size_t len, const char **start);

#endif
