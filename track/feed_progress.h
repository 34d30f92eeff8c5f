/*
 * How far a feed is, on a terminal: one line that is written over.
 */
#ifndef TRACK_FEED_PROGRESS_H
#define TRACK_FEED_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#include "track/feed.h"

/* Starts as {0}. */
struct feed_progress {
	uint64_t shown; /* ticks */
	uint64_t lines; /* at that time */
	double rate;	/* lines a second */
};

enum { FEED_PROGRESS_MAX = 256 };

/*
 * The line at ticks, without its end, if it is time for one: returns its
 * length, or 0.
 */
size_t feed_progress_line(struct feed_progress *, const struct feed_counts *,
    uint64_t ticks, char out[FEED_PROGRESS_MAX]);

#endif
