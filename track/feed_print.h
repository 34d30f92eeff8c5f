/*
 * Steps as JSON lines on standard output, in the members of docs/feed-json.md.
 */
#ifndef TRACK_FEED_PRINT_H
#define TRACK_FEED_PRINT_H

#include "track/log_event.h"

/* One line; octets that are not UTF-8 stand there as Latin-1. */
void feed_print(const struct log_event *);

#endif
