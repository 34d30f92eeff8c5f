/*
 * Values of answers on their way to people and programs.
 */
#ifndef TOKEN_PRINT_H
#define TOKEN_PRINT_H

#include <stdio.h>

#include "token/answer.h"
#include "token/json.h"

/* How a key of an answer stands in JSON. */
enum print_kind { PRINT_TEXT, PRINT_NUMBER, PRINT_FLAG, PRINT_HEADER };

struct print_key {
	const char *key;
	enum print_kind kind;
};

/*
 * Write the fields of record that keys list, into the object that is open;
 * keys ends with a key of NULL.
 */
void print_json_fields(
    struct json *, const struct answer_record *, const struct print_key *keys);

/* Write "cut": [keys that the server cut], where there are any. */
void print_json_cut(struct json *, const struct answer *, const char *word);

/* Write "label  value" for people, the value cleaned. */
void print_line(FILE *, const char *label, const char *text, size_t len);

/* The same for a field that may be NULL: then nothing is written. */
void print_field(FILE *, const char *label, const struct answer_field *);

/*
 * A time of an answer in the user's time zone, by strftime(3); as it stands
 * where it cannot be read.
 */
void print_time(
    const struct answer_field *, const char *format, char *out, size_t size);

#endif
