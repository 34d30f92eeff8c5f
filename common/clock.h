/*
 * The time in milliseconds.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

/* For waits and ages: never set, never running back; from some point on. */
uint64_t clock_ms(void);

/* What the time is, since 1970 UTC; an operator may set it to anything. */
uint64_t clock_wall_ms(void);

/*
 * A turn of the event loop is over. Either clock tells whoever calls this one
 * and the same time all through the next.
 */
void clock_new_turn(void);

#endif
