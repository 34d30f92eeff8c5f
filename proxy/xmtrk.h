/*
 * The text of XMTRK, the verb by which users ask for their own messages and
 * secrets on the submission port (docs/xmtrk.md). Pure: it reads what stands
 * behind the verb and writes replies; the session asks the keeper between.
 */
#ifndef PROXY_XMTRK_H
#define PROXY_XMTRK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/keeper_messages.h"
#include "common/tracking_messages.h"

/* A line of a reply with its CRLF (RFC 5321 4.5.3.1.5). */
#define XMTRK_LINE_MAX 512

enum xmtrk_verb { XMTRK_LIST, XMTRK_SHOW, XMTRK_TOKEN, XMTRK_REVOKE };

struct xmtrk_command {
	enum xmtrk_verb verb;
	uint64_t since; /* LIST: ms since 1970, 0: all */
	uint16_t limit; /* LIST: 1 to LIST_LIMIT_MAX */
	/*
	 * An ENVID in its form on the wire, or a Message-ID with its "<>":
	 * LIST's AFTER (id_len 0: none), what the others ask for.
	 */
	size_t id_len;
	uint8_t id[MESSAGE_ID_MAX];
};

/*
 * Read what stands behind "XMTRK", without the line's CRLF. Returns 0, or -1
 * with a whole reply line without CRLF in *error_reply: 501 5.5.4 for an
 * unknown subcommand or parameter and one that is malformed or doubled.
 */
int xmtrk_parse(const char *text, size_t len, struct xmtrk_command *out,
    const char **error_reply) __attribute__((warn_unused_result));

/*
 * A multi-line 250 reply that is being written, CRLFs and all. It starts as
 * {0}. failed: no memory, or a line that could not be had whole; then answer
 * xmtrk_error(KEEPER_UNAVAILABLE) instead. Secrets pass through it, so give it
 * back with xmtrk_reply_free(), which wipes.
 */
struct xmtrk_reply {
	char *data;
	size_t len;
	size_t size;
	unsigned lines;
	bool failed;
};

/*
 * The answer to LIST: a line a message, and the end. more: older messages may
 * be left. For a line that gets too long the subject is cut, then the first
 * recipient left out, then the Message-ID; "cut=" names them.
 */
void xmtrk_list_row(struct xmtrk_reply *, const struct list_row *);
void xmtrk_list_end(struct xmtrk_reply *, bool more);

struct status_view;

/* What is known since the MSA took a message, and what of it may be seen. */
struct xmtrk_since {
	bool revoked;
	struct history history;
	const struct status_view *view;
};

/*
 * The whole answer to SHOW: the message, a line for where each recipient
 * stands and one for each event of the history, as far as view allows.
 */
void xmtrk_show(struct xmtrk_reply *, const struct mail_record *,
    const struct xmtrk_since *);

/*
 * The whole answer to TOKEN. server and port (0: the usual one) are those of
 * the tracking server, for the URI.
 */
void xmtrk_token(struct xmtrk_reply *, const struct token_answer *,
    const char *server, unsigned port);

/* The whole answer to REVOKE. */
void xmtrk_revoked(struct xmtrk_reply *, const struct revoke_answer *);

void xmtrk_reply_free(struct xmtrk_reply *);

/*
 * The reply line, without CRLF, to a question that the keeper did not answer
 * with KEEPER_OK; also KEEPER_UNAVAILABLE where it did not answer at all.
 */
const char *xmtrk_error(enum keeper_status);

#endif
