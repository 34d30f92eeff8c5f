/*
 * What the proxy asks of the keeper, and what it makes of its silence: a mint
 * that is not answered is given up (tracking never costs mail), a settle is
 * tried again until it is written.
 */
#ifndef PROXY_KEEPER_H
#define PROXY_KEEPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/keeper_messages.h"

struct event;
struct event_base;
struct link;
struct conf;

struct keeper_settle;
TAILQ_HEAD(keeper_settles, keeper_settle);

/*
 * The answers, for session who. A mint, a list and so on that were not
 * answered come with status KEEPER_UNAVAILABLE. Memory in an answer lives
 * until the callback returns.
 */
struct keeper_answers {
	void (*minted)(void *arg, uint64_t who, const struct minted *);
	/*
	 * Stored, or given up waiting: the reply may pass either way. Was the
	 * next mint taken? What is not is forgotten.
	 */
	bool (*settled)(
	    void *arg, uint64_t who, bool stored, const struct minted *next);
	/* body is behind the status; NULL unless status is KEEPER_OK. */
	void (*listed)(
	    void *arg, uint64_t who, enum keeper_status, struct wire_in *body);
	void (*shown)(
	    void *arg, uint64_t who, enum keeper_status, struct wire_in *body);
	void (*token)(void *arg, uint64_t who, const struct token_answer *);
	void (*revoked)(void *arg, uint64_t who, const struct revoke_answer *);
};

struct keeper {
	struct link *link;
	const struct conf *conf;
	const struct keeper_answers *answers;
	void *arg;
	unsigned silent; /* mints in a row without an answer */
	uint64_t silent_since;
	struct keeper_settles asked;   /* not answered yet, oldest first */
	struct keeper_settles unasked; /* to be asked (again), oldest first */
	size_t asked_octets;
	size_t settle_count; /* of both: not yet known to be stored */
	size_t settle_octets;
	uint64_t settle_next;
	struct event *retry;
	struct wire_out body; /* being written */
};

void keeper_open(struct keeper *, struct event_base *, const struct conf *,
    const struct keeper_answers *, void *arg);
void keeper_close(struct keeper *);

/*
 * Ask for ENVID and certifier. Returns false where the keeper has been silent
 * several times in a row: then there is no answer, and no wait.
 */
bool keeper_mint(struct keeper *, const struct mint *, uint64_t who)
    __attribute__((warn_unused_result));

/* The message is about to end; it is kept should we die before the reply. */
void keeper_describe(struct keeper *, const struct mail_record *);

/*
 * The MSA has taken the message, or its answer was lost. who is 0 where
 * nobody waits; go_on asks for the mint of the session's next message, too.
 * Returns false where there is no room to remember it.
 */
bool keeper_settle(struct keeper *, const struct mail_record *, uint64_t who,
    bool go_on) __attribute__((warn_unused_result));

/* Nothing came of it (rule: only a 4xx, a 5xx or an unwritten end). */
void keeper_forget(
    struct keeper *, const struct ticket *, const uint8_t handle[HANDLE_LEN]);
/* It came with a settle, and no MAIL came: it does not count as unfinished. */
void keeper_forget_ahead(
    struct keeper *, const struct ticket *, const uint8_t handle[HANDLE_LEN]);

/* For XMTRK. Return false where nothing could be asked. */
bool keeper_list(struct keeper *, const struct list_query *, uint64_t who)
    __attribute__((warn_unused_result));
bool keeper_show(struct keeper *, const struct one_query *, uint64_t who)
    __attribute__((warn_unused_result));
bool keeper_token(struct keeper *, const struct one_query *, uint64_t who)
    __attribute__((warn_unused_result));
bool keeper_revoke(struct keeper *, const struct one_query *, uint64_t who)
    __attribute__((warn_unused_result));

#endif
