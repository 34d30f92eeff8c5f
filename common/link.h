/*
 * The asking end of a door: a connection over a Unix socket that comes back
 * by itself. Questions wait by number, never by pointer; those of one turn of
 * the event loop leave in one write.
 */
#ifndef COMMON_LINK_H
#define COMMON_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/wire.h"

struct event_base;
struct link;

/*
 * The answer to a question: its type and body; type 0 where there is none
 * (time ran out, or the connection broke after the question was sent).
 * who is what the asker gave to link_ask().
 */
typedef void
link_answer_fn(void *arg, uint64_t who, unsigned type, struct wire_in *body);

/* The link is up (again): ask again what must not be lost. */
typedef void link_up_fn(void *arg);

/*
 * Connect to path, now and again after it broke (50 ms, doubled to 1 s).
 * arg goes to every callback. Returns NULL without memory.
 */
struct link *link_new(struct event_base *, const char *path, void *arg);

/*
 * One connection and no more, for one exchange: when it breaks, waiting
 * questions get type 0 and later ones too.
 */
struct link *link_new_once(struct event_base *, const char *path, void *arg);

void link_on_up(struct link *, link_up_fn *);

/*
 * Ask. While the link is down the question waits; after timeout_ms the answer
 * is type 0 and a late one finds nobody. Never calls answer before it returns.
 * Returns the question's number, or 0 where nothing could be queued (then
 * answer is never called).
 */
uint64_t link_ask(struct link *, unsigned type, const struct wire_out *body,
    unsigned timeout_ms, link_answer_fn *answer, uint64_t who)
    __attribute__((warn_unused_result));

/* Say something that has no answer; it is lost where the link is down. */
void link_tell(struct link *, unsigned type, const struct wire_out *body);

/*
 * The answer that is being told is malformed: whoever sent it is not to be
 * spoken with. What else was asked there gets type 0, and the link comes back
 * by itself. Only within link_answer_fn.
 */
void link_reset(struct link *);

bool link_is_up(const struct link *);

/* Write what this turn has gathered, on every link; at the end of a turn. */
void link_flush_all(void);

/* Close; waiting questions are dropped without an answer. */
void link_free(struct link *);

#endif
