/*
 * Lines of the log that a mad or hostile peer could cause without end: some a
 * minute are written, and the next one says how many were not.
 */
#ifndef COMMON_SELDOM_H
#define COMMON_SELDOM_H

#include <stdbool.h>
#include <stdint.h>

#define SELDOM_LINES 10 /* a minute */

/* Starts as {0}. */
struct seldom {
	uint64_t since; /* ms: when this minute began */
	unsigned lines; /* written in it */
	uint64_t withheld;
};

/*
 * May a line be written now (ms, of any clock)? If so, *withheld is how many
 * were not since the last that was.
 */
bool seldom_may(struct seldom *, uint64_t now, uint64_t *withheld);

#endif
