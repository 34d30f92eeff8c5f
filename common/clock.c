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
/* 0: nobody asked in this turn */
static uint64_t turn_ms, turn_wall_ms;

static uint64_t
once_a_turn(clockid_t id, uint64_t *ms)
{
	if (!in_turns)
		return read_clock(id);
	if (*ms == 0)
		*ms = read_clock(id);
	return *ms;
}

uint64_t
clock_ms(void)
{
	return once_a_turn(CLOCK_MONOTONIC, &turn_ms);
}

uint64_t
clock_wall_ms(void)
{
	return once_a_turn(CLOCK_REALTIME, &turn_wall_ms);
}

void
clock_new_turn(void)
{
	in_turns = true;
	turn_ms = turn_wall_ms = 0;
}
