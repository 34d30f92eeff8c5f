/*
 * The time line of a message: what happened to it, hop by hop.
 */
#ifndef TOKEN_TRACK_LINES_H
#define TOKEN_TRACK_LINES_H

#include "token/track.h"

/* Something that happened. Texts are as in struct report. */
struct track_line {
	uint64_t time;	       /* ms since 1970; 0: not known */
	const char *recipient; /* NULL: the message as a whole */
	bool received;	       /* by host; else what follows counts */
	uint8_t action;	       /* enum history_action */
	bool attempted;	       /* to deliver it, for status_words() */
	bool submitted;	       /* what was said at submission */
	const char *status;
	const char *host;
	const char *tls;
	const char *text;
	size_t order;
};

/*
 * All lines, oldest first, in memory to be freed; their number in *count.
 * NULL without memory.
 */
struct track_line *track_lines(const struct track *, size_t *count);

/* The host and the words that a block tells of the last attempt, or "". */
const char *track_host(const struct report_recipient *);
const char *track_text(const struct report_recipient *);

#endif
