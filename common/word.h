/*
 * Eight octets looked at together, for text that is nearly always plain. What
 * word_below() and word_has() answer holds for words of ASCII only.
 */
#ifndef COMMON_WORD_H
#define COMMON_WORD_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WORD_LEN = 8 };

/* The octet in each place of a word. */
#define WORD_OF(octet) (UINT64_C(0x0101010101010101) * (octet))

static inline uint64_t
word_at(const void *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static inline bool
word_is_ascii(uint64_t word)
{
	return (word & WORD_OF(0x80)) == 0;
}

/* Is an octet of it less than the one given? */
static inline bool
word_below(uint64_t word, uint8_t octet)
{
	return ((word - WORD_OF(octet)) & WORD_OF(0x80)) != 0;
}

static inline bool
word_has(uint64_t word, uint8_t octet)
{
	return word_below(word ^ WORD_OF(octet), 1);
}

#endif
