/*
 * The mint of a session's next message, asked together with the record of the
 * one before: who sends several in a row waits for none but the first. What is
 * not used within five seconds is forgotten.
 */
#ifndef PROXY_AHEAD_H
#define PROXY_AHEAD_H

#include <stdint.h>

struct minted;
struct session;

/* A mint that was asked ahead, or NULL in struct session. */
struct ahead;

/*
 * The record of a message is being stored: ask for the next one's mint, where
 * the session has sent another before.
 */
void ahead_ask(struct session *);

/*
 * MAIL came, with nothing that the mint depends on: use what was asked ahead.
 * The transaction's mint is MINT_DONE, or MINT_ASKED where the answer is still
 * on its way, or left as it is where there is none that is fresh.
 */
void ahead_take(struct session *);

/* The session ends. */
void ahead_forget(struct session *);

/* The process ends. */
void ahead_end(void);

/* The keeper's answer; arg is the worker, who the session. */
void ahead_on_minted(void *arg, uint64_t who, const struct minted *);

#endif
