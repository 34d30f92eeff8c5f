/*
 * Where recipients stand and what happened to them, in tables for people: the
 * same words and columns whoever told it.
 */
#ifndef TOKEN_STATE_TABLE_H
#define TOKEN_STATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Texts may be any octets but NUL; "" where nothing is known. */
struct state_line {
	uint64_t time; /* ms since 1970; 0: not known. Of events only */
	const char *recipient;
	const char *words;  /* of status_words() */
	const char *status; /* code; of states only */
	const char *host;
	const char *tls; /* how host was reached */
	const char *text;
};

/* One line each for where the recipients stand. */
void state_table_states(FILE *, const struct state_line *, size_t count);

/* What happened, with times as the user's clock shows them. */
void state_table_events(FILE *, const struct state_line *, size_t count);

/*
 * status_words() of how it stands; branches has "failed" or "waiting" where
 * that is so of some of the addresses that it became.
 */
const char *
state_table_words(uint8_t action, bool attempted, const char *branches);

/* status_words() of something that happened, not of how it stands. */
const char *state_table_happened(uint8_t action, bool attempted);

/* ms since 1970 as the user's clock shows it; "" for 0. */
void state_table_time(uint64_t ms, char *out, size_t size);

#endif
