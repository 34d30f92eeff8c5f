/*
 * A growing run of octets; see buffer.h.
 */
#include "common/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

enum { BUFFER_FIRST = 2048 };

uint8_t *
buffer_reserve(struct buffer *b, size_t len)
{
	size_t have = buffer_len(b);
	size_t size = b->size > 0 ? b->size : BUFFER_FIRST;
	uint8_t *data;

	if (b->size - b->end >= len)
		return b->data + b->end;
	if (b->start > 0 && b->size - have >= len && b->start >= have) {
		memcpy(b->data, b->data + b->start, have);
		explicit_bzero(b->data + have, b->end - have);
	} else {
		while (size - have < len)
			size *= 2;
		if ((data = malloc(size)) == NULL)
			fatal("out of memory for %zu octets", size);
		if (have > 0)
			memcpy(data, b->data + b->start, have);
		if (b->data != NULL)
			explicit_bzero(b->data, b->end);
		free(b->data);
		b->data = data;
		b->size = size;
	}
	b->start = 0;
	b->end = have;
	return b->data + b->end;
}

void
buffer_commit(struct buffer *b, size_t len)
{
	b->end += len;
}

void
buffer_append(struct buffer *b, const void *data, size_t len)
{
	if (len == 0)
		return;
	memcpy(buffer_reserve(b, len), data, len);
	b->end += len;
}

void
buffer_consume(struct buffer *b, size_t len)
{
	b->start += len;
	if (b->start != b->end || b->end == 0)
		return;
	/* Lines hold passwords: what was used is wiped. */
	explicit_bzero(b->data, b->end);
	b->start = b->end = 0;
}

void
buffer_trim(struct buffer *b)
{
	if (buffer_len(b) == 0)
		buffer_free(b);
}

void
buffer_free(struct buffer *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->end);
	free(b->data);
	*b = (struct buffer){ 0 };
}
