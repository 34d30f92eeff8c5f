/*
 * Lines of the log that a peer could cause without end.
 */
#include "common/seldom.h"

#define MINUTE_MS 60000u

bool
seldom_may(struct seldom *s, uint64_t now, uint64_t *withheld)
{
	/* A clock that was set back begins another minute, too. */
	if (now < s->since || now - s->since >= MINUTE_MS) {
		s->since = now;
		s->lines = 0;
	}
	if (s->lines >= SELDOM_LINES) {
		s->withheld++;
		return false;
	}
	s->lines++;
	*withheld = s->withheld;
	s->withheld = 0;
	return true;
}
