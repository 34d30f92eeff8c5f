/*
 * The grid of time on which refusals leave, so that the time of one tells
 * nothing about why it was refused (RFC 3887 4, 11).
 */
#ifndef TRACK_TRACKER_GRID_H
#define TRACK_TRACKER_GRID_H

#include <stdint.h>

enum {
	TRACKER_GRID_MS = 50,
	TRACKER_FLOOR_MS = 30 /* covers what the keeper does for a question */
};

/*
 * When the refusal of a question leaves: the first multiple of the grid that
 * is a floor after it was asked, or the next one to come if that is over. All
 * times are of clock_ms().
 */
uint64_t tracker_grid_due(uint64_t asked, uint64_t now);

#endif
