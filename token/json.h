/*
 * A small writer of JSON (RFC 8259).
 */
#ifndef TOKEN_JSON_H
#define TOKEN_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Starts as {out}. */
struct json {
	FILE *out;
	bool comma; /* the next value wants one before it */
};

/*
 * Write one value; key is its name in an object, NULL in an array and at the
 * top. What is not UTF-8 in a string becomes U+FFFD, since JSON has nothing
 * else for it.
 */
void json_begin(struct json *, const char *key, char bracket);
void json_end(struct json *, char bracket);
void json_text(struct json *, const char *key, const void *text, size_t len);
void json_number(struct json *, const char *key, uint64_t);
void json_flag(struct json *, const char *key, bool);

#endif
