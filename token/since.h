/*
 * Points in time as people give them: dates, times and ages.
 */
#ifndef TOKEN_SINCE_H
#define TOKEN_SINCE_H

#include <stdint.h>

/*
 * Read "2026-11-22" (midnight here), a date-time of RFC 3339, or an age before
 * now (seconds since 1970): "90m", "12h", "3d", "2w". Returns 0 with ms since
 * 1970, or -1 for anything else.
 */
int since_read(const char *text, int64_t now, uint64_t *ms)
    __attribute__((warn_unused_result));

#endif
