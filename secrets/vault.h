/*
 * The vault: what the keeper does for each message it may be asked, over any
 * store (RFC 3885, RFC 3888). Nothing here knows sockets: a question comes as
 * a body, its answer leaves through reply().
 */
#ifndef SECRETS_VAULT_H
#define SECRETS_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/ticket.h"
#include "common/wire.h"

struct vault;

/* What the configuration says; a running vault takes all but the paths. */
struct vault_settings {
	const char *path;
	const char *keys;
	const char *hostname;
	int64_t min_free;	 /* octets */
	uint64_t retention;	 /* ms */
	uint64_t queue_lifetime; /* ms: the longest an MSA keeps a message */
	uint32_t mints_unfinished;
	bool random; /* certifier */
	bool remember_message_id;
	bool remember_recipients;
	bool remember_subject;
};

/* Who asked; answers find nobody where the asker is gone. */
struct question {
	uint64_t asker;
	uint64_t id;
};

struct vault_owner {
	void (*reply)(void *arg, struct question, unsigned type,
	    const struct wire_out *body);
	void *arg;
	uint64_t (*now)(void); /* the clock: ms since 1970 */
	uint8_t ticket_key[TICKET_KEY_LEN];
};

/*
 * Open the vault, made where its directory and that of the keys are empty.
 * Returns NULL with one line naming file and cure in why: a master key that
 * is missing, damage, no permission, a second keeper.
 */
struct vault *vault_open(const struct vault_settings *,
    const struct vault_owner *, char *why, size_t size);

/* Take new settings; paths are not looked at. */
void vault_set(struct vault *, const struct vault_settings *);

/*
 * The questions of the proxy's door, each by its message of that name in
 * common/messages.h. They read body to its end; return 0, or -1 where it is
 * malformed, without an answer.
 */
int vault_mint(struct vault *, struct question, struct wire_in *body);
int vault_describe(struct vault *, struct question, struct wire_in *body);
int vault_settle(struct vault *, struct question, struct wire_in *body);
/* Its session goes on: the answer has the mint of the next message with it. */
int vault_settle_next(struct vault *, struct question, struct wire_in *body);
/* One that may be stored already: its queue id is claimed since then. */
int vault_settle_again(struct vault *, struct question, struct wire_in *body);
int vault_forget(struct vault *, struct question, struct wire_in *body);
int vault_list(struct vault *, struct question, struct wire_in *body);
int vault_show(struct vault *, struct question, struct wire_in *body);
int vault_token(struct vault *, struct question, struct wire_in *body);
int vault_revoke(struct vault *, struct question, struct wire_in *body);

/* The same of the feed's door, and of the tracker's. */
int vault_feed(struct vault *, struct question, struct wire_in *body);
int vault_track(struct vault *, struct question, struct wire_in *body);

/* An asker is gone: what it described and did not settle is written. */
void vault_asker_gone(struct vault *, uint64_t asker);

/*
 * How many wait for the commit, where a moment may bring more: they are many,
 * messages that were described are not settled yet, and none of a lost proxy
 * are being written. Else 0.
 */
size_t vault_gathered(const struct vault *);

/*
 * The end of a turn of the keeper: commit what was asked in it, all at
 * once; then a slice of what takes long, which returns whether some is left.
 */
void vault_commit(struct vault *);
bool vault_slices(struct vault *);

/* Once an hour: make the days ahead, drop what is past retention. */
void vault_hour(struct vault *);

/* The operator agrees with the clock. Writes what was done to out. */
bool vault_accept_clock(struct vault *, char *out, size_t size);

/* key=value pairs for the operator. */
void vault_status(const struct vault *, char *out, size_t size);

/* Is anything under way that has not been answered? */
bool vault_is_busy(const struct vault *);
/* Can only a restart cure the store? */
bool vault_is_broken(const struct vault *);

/* Write what was described and not settled, flush, close and wipe. */
void vault_close(struct vault *);

#endif
