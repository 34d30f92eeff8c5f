/*
 * The time in milliseconds.
 */
#include "common/clock.h"

#include <stdbool.h>
#include <time.h>

static uint64_t
read_clock(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool in_turns;
static uint64_t turn_ms; /* 0: nobody asked in this turn */

uint64_t
clock_ms(void)
{
	if (!in_turns)
		return read_clock(CLOCK_MONOTONIC);
	if (turn_ms == 0)
		turn_ms = read_clock(CLOCK_MONOTONIC);
	return turn_ms;
}

void
clock_new_turn(void)
{
	in_turns = true;
	turn_ms = 0;
}

uint64_t
clock_wall_ms(void)
{
	return read_clock(CLOCK_REALTIME);
}
