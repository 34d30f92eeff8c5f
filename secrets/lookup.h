/*
 * One message of the asking user, by ENVID or Message-ID: the search that
 * SHOW, TOKEN and REVOKE share, and what each makes of what was found.
 */
#ifndef SECRETS_LOOKUP_H
#define SECRETS_LOOKUP_H

#include "secrets/events.h"
#include "secrets/finder.h"

struct lookup;

/* What is asked about the message. */
struct lookup_kind {
	unsigned answer; /* the type of its answer */
	bool unsettled;	 /* also of a message that only its ENVID tells */
	/* A message was found: answer in the end by lookup_end(). */
	void (*found)(struct lookup *);
	/* Write the body of an answer without one. */
	void (*fail)(struct wire_out *, uint8_t status);
};

struct lookup {
	struct job job; /* first */
	struct slow slow;
	const struct lookup_kind *kind;
	struct one_query query;
	struct finder finder;
	struct envid_parts tries[2]; /* newest first */
	bool minted[2];		     /* named by an ENVID of ours */
	unsigned count, next;
	bool failed; /* something could not be read */
	/* what was found */
	uint8_t handle[HANDLE_LEN];
	struct wire_out plain;
	struct octets secret;	 /* A, where it is stored */
	struct mail_record mail; /* of an unsettled one the ENVID alone */
	bool revoked;
	struct events events;
};

int lookup_start(struct vault *, struct question, struct wire_in *body,
    const struct lookup_kind *);
/* Answer, and end; body may be NULL where nothing is said. */
void lookup_end(struct lookup *, const struct wire_out *body);
void lookup_fail(struct lookup *, uint8_t status);

/* Who asked for which message, as a line of the log. */
void lookup_log(const struct lookup *, const char *event);

#endif
