/*
 * The grid of time on which refusals leave; see tracker_grid.h.
 */
#include "track/tracker_grid.h"

static uint64_t
next_tick(uint64_t at)
{
	return (at + TRACKER_GRID_MS - 1) / TRACKER_GRID_MS * TRACKER_GRID_MS;
}

uint64_t
tracker_grid_due(uint64_t asked, uint64_t now)
{
	uint64_t due = next_tick(asked + TRACKER_FLOOR_MS);

	return due > now ? due : next_tick(now + 1);
}
