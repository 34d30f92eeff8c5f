/*
 * The mint of a session's next message, which came with the answer to the
 * record of the one before: who sends several in a row waits for none but the
 * first. What is not used within five seconds is forgotten.
 */
#ifndef PROXY_AHEAD_H
#define PROXY_AHEAD_H

#include <stdbool.h>

struct minted;
struct session;

/* A mint that is kept, or NULL in struct session. */
struct ahead;

/*
 * The record of a message is to be stored: is the next one's mint wanted with
 * the answer? Where the session has sent another before.
 */
bool ahead_is_wanted(const struct session *);

/* It came. Returns false where the session has no use for it any more. */
bool ahead_keep(struct session *, const struct minted *);

/*
 * MAIL came, with nothing that the mint depends on: use what is kept, so that
 * the transaction's mint is MINT_DONE; or leave it as it is where there is
 * none that is fresh.
 */
void ahead_take(struct session *);

/* The session ends. */
void ahead_forget(struct session *);

/* The process ends. */
void ahead_end(void);

#endif
