/*
 * Points in time as RFC 5322 3.3 writes them: "Mon, 1 Jan 2001 15:15:15
 * +0000".
 */
#ifndef COMMON_MAIL_DATE_H
#define COMMON_MAIL_DATE_H

#include <stddef.h>
#include <stdint.h>

/* "Mon, 31 Dec 2001 15:15:15 +0000" and its NUL. */
#define MAIL_DATE_SIZE 32

/* Write ms (since 1970 UTC; the year 9999 is the last) with a numeric zone. */
void mail_date_write(uint64_t ms, char out[MAIL_DATE_SIZE]);

/*
 * Read a date-time leniently: no day name, no seconds, two digits of the
 * year and names of zones are taken too (RFC 5322 4.3); before 1970 is 0.
 * Comments must be gone. Returns 0, or -1 for anything else.
 */
int mail_date_read(const char *text, size_t len, uint64_t *ms)
    __attribute__((warn_unused_result));

#endif
