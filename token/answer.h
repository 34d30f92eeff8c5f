/*
 * What a server answers to XMTRK (docs/xmtrk.md): lines of a word and
 * key=xtext. Strict about form and bounds, since the server may be anybody's;
 * lenient about words and keys that came later than this program.
 */
#ifndef TOKEN_ANSWER_H
#define TOKEN_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

enum {
	ANSWER_LINE_MAX = 510,	 /* octets without CRLF */
	ANSWER_FIELDS_MAX = 32,	 /* in a line */
	ANSWER_LINES_MAX = 20000 /* in an answer */
};

struct answer_field {
	const char *key;
	const char *value; /* decoded; any octets, and a NUL behind them */
	size_t len;
};

/* One line. */
struct answer_record {
	size_t size; /* of this allocation, to wipe it */
	const char *word;
	size_t count;
	struct answer_field fields[];
};

/* Starts as {0}. */
struct answer {
	struct answer_record **records;
	size_t count;
	size_t size;
	bool more;	   /* LIST: older messages may be left */
	const char *error; /* with ANSWER_BAD: what is wrong */
};

enum answer_next { ANSWER_MORE, ANSWER_END, ANSWER_BAD };

/* Take the next line of the reply, without its CRLF. */
enum answer_next
answer_take_line(struct answer *, const char *line, size_t len);

/* The field of that key, or NULL. */
const struct answer_field *
answer_get(const struct answer_record *, const char *key);

/* The same in the first line of that word that has the key. */
const struct answer_field *
answer_find(const struct answer *, const char *word, const char *key);

/* Wipe and give back the memory. */
void answer_free(struct answer *);

#endif
