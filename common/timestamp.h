/*
 * Points in time as text: RFC 3339, UTC when written.
 */
#ifndef COMMON_TIMESTAMP_H
#define COMMON_TIMESTAMP_H

#include <stddef.h>
#include <stdint.h>

/* "2026-11-22T02:09:09.123Z" and its NUL. */
#define TIMESTAMP_SIZE 25

/* Write ms (since 1970 UTC; the year 9999 is the last) with milliseconds. */
void timestamp_write(uint64_t ms, char out[TIMESTAMP_SIZE]);

/*
 * Read a date-time of RFC 3339 5.6: any offset, any fraction (what is finer
 * than a millisecond is dropped); a time before 1970 is 0. Returns 0, or -1
 * for anything else.
 */
int timestamp_read(const char *text, size_t len, uint64_t *ms)
    __attribute__((warn_unused_result));

#endif
