/*
 * The command line of waybill-feed.
 */
#ifndef TRACK_FEED_OPTIONS_H
#define TRACK_FEED_OPTIONS_H

#include <stdbool.h>

#include "track/feed.h"

enum { FEED_FILTERS_MAX = 64, FEED_EXIT_USAGE = 64 };

struct feed_command {
	struct feed_options feed; /* its texts are those of argv */
	const char *state;	  /* NULL: none */
	const char *journal_user; /* NULL: the MSA's usual one */
	bool standard_input;
	bool print;
	bool quiet;
	const char *filters[FEED_FILTERS_MAX + 1];
};

/*
 * Read the command line. --help and --version are answered here (exit 0); a
 * mistake is named on standard error (exit 64).
 */
void feed_options_read(struct feed_command *, int argc, char **argv);

#endif
