/*
 * The end of a turn of the event loop: what ended during the turn is freed
 * there, so that any callback may end its own object.
 */
#ifndef COMMON_TURN_H
#define COMMON_TURN_H

/* Call destroy(object) when the turn is over. */
void turn_free_later(void (*destroy)(void *), void *object);

/* The turn is over. */
void turn_end(void);

#endif
