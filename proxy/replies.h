/*
 * The one ordered queue of replies to a client: our own and the MSA's, the
 * latter matched by count (RFC 2920 3.1). A reply leaves when all before it
 * have.
 */
#ifndef PROXY_REPLIES_H
#define PROXY_REPLIES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct reply;
struct stream;

/* What a reply of the MSA answers. */
enum reply_to {
	REPLY_TO_NOBODY, /* our own words */
	REPLY_TO_MAIL,
	REPLY_TO_RCPT,
	REPLY_TO_DATA,
	REPLY_TO_END,
	REPLY_TO_RSET, /* the client's */
	REPLY_TO_OURS, /* a command the client knows nothing of */
	REPLY_TO_OUR_RSET
};

struct reply_slot;
STAILQ_HEAD(reply_slots, reply_slot);

struct replies {
	struct reply_slots slots; /* oldest first */
	unsigned waiting;	  /* slots that the MSA has to answer */
	unsigned count;		  /* all slots */
};

void replies_init(struct replies *);

/* Our own reply, lines and CRLFs complete; leaves when its turn comes. */
void
replies_own(struct replies *, struct stream *, const char *text, size_t len);

/* A command went to the MSA. */
void replies_expect(struct replies *, enum reply_to);

/* What the MSA's next reply answers; REPLY_TO_NOBODY: nothing is due. */
enum reply_to replies_due(const struct replies *);

/*
 * The MSA answered: text goes to the client in that place (NULL: nothing
 * does). client may be NULL.
 */
void replies_answer(
    struct replies *, struct stream *client, const char *text, size_t len);

/* The MSA is lost: text answers all that wait for it, but for RSET: 250. */
void replies_fail(struct replies *, struct stream *client, const char *text);

void replies_clear(struct replies *);

#endif
