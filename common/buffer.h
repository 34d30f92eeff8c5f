/*
 * A run of octets that grows at its end and is eaten from its start. Once it
 * is empty, its octets are wiped and its memory can be given back.
 */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stddef.h>
#include <stdint.h>

struct buffer {
	uint8_t *data;
	size_t start;
	size_t end;
	size_t size;
};

static inline size_t
buffer_len(const struct buffer *b)
{
	return b->end - b->start;
}

static inline uint8_t *
buffer_at(const struct buffer *b)
{
	return b->data == NULL ? NULL : b->data + b->start;
}

/* Room for len more octets; ends the process without memory. */
uint8_t *buffer_reserve(struct buffer *, size_t len);
void buffer_commit(struct buffer *, size_t len);
void buffer_append(struct buffer *, const void *, size_t len);
/* Eat len octets from the start; the memory stays. */
void buffer_consume(struct buffer *, size_t len);
/* Give the memory of an empty one back. */
void buffer_trim(struct buffer *);
/* Wipe and give back. */
void buffer_free(struct buffer *);

#endif
