/*
 * Things that wait by number, never by pointer: a hash table from numbers
 * that are never reused to what they stand for.
 */
#ifndef COMMON_NUMBERS_H
#define COMMON_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

/* Stands first in what is put into the table. */
struct numbered {
	uint64_t number;
	struct numbered *next;
};

/* Empty when zero. */
struct numbers {
	struct numbered **heads;
	size_t size; /* 0 or a power of two */
	size_t count;
	size_t first; /* heads below it are empty */
};

/* Returns 0, or -1 without memory. */
int numbers_put(struct numbers *, struct numbered *)
    __attribute__((warn_unused_result));
/* What has this number, or NULL. */
struct numbered *numbers_find(const struct numbers *, uint64_t number);
/* The same, taken out. */
struct numbered *numbers_take(struct numbers *, uint64_t number);
/* Any one of them, taken out; NULL when there is none. */
struct numbered *numbers_take_any(struct numbers *);
/* Give back the table, which must be empty. */
void numbers_free(struct numbers *);

#endif
