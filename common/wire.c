/*
 * Cursors over the bodies of the messages between processes. Bodies carry
 * tickets and passwords, so memory is wiped before it is given back.
 */
#include "common/wire.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

enum { WIRE_FIRST_SIZE = 1024 }; /* room for most bodies and records */

_Static_assert(WIRE_BODY_MAX % WIRE_FIRST_SIZE == 0 &&
	(WIRE_BODY_MAX & (WIRE_BODY_MAX - 1)) == 0,
    "doubled, the room of a body ends at the most one may have");

int
octets_compare(struct octets a, struct octets b)
{
	size_t len = a.len < b.len ? a.len : b.len;
	int order = len == 0 ? 0 : memcmp(a.data, b.data, len);

	if (order != 0)
		return order;
	return a.len < b.len ? -1 : a.len > b.len;
}

void
wire_begin(struct wire_out *out)
{
	out->len = 0;
	out->failed = false;
}

void
wire_free(struct wire_out *out)
{
	if (out->data != NULL)
		explicit_bzero(out->data, out->size);
	free(out->data);
	memset(out, 0, sizeof(*out));
}

/* Not realloc(): it would leave a copy of a secret in freed memory. */
static bool
grow(struct wire_out *out, size_t more)
{
	size_t size = out->size > 0 ? out->size : WIRE_FIRST_SIZE;
	uint8_t *data;

	if (more > WIRE_BODY_MAX - out->len)
		return false;
	while (size < out->len + more)
		size *= 2;
	if ((data = malloc(size)) == NULL)
		return false;
	if (out->data != NULL) {
		memcpy(data, out->data, out->len);
		explicit_bzero(out->data, out->size);
		free(out->data);
	}
	out->data = data;
	out->size = size;
	return true;
}

static inline uint8_t *
reserve(struct wire_out *out, size_t len)
{
	uint8_t *place;

	if (out->failed)
		return NULL;
	if (len > out->size - out->len && !grow(out, len)) {
		out->failed = true;
		return NULL;
	}
	place = out->data + out->len;
	out->len += len;
	return place;
}

static inline void
write_integer(uint8_t *place, uint64_t value, unsigned octets)
{
	value = htobe64(value << (64 - 8 * octets));
	memcpy(place, &value, octets);
}

static inline void
put_integer(struct wire_out *out, uint64_t value, unsigned octets)
{
	uint8_t *place = reserve(out, octets);

	if (place != NULL)
		write_integer(place, value, octets);
}

void
wire_put_u8(struct wire_out *out, uint8_t value)
{
	put_integer(out, value, 1);
}

void
wire_put_u16(struct wire_out *out, uint16_t value)
{
	put_integer(out, value, 2);
}

void
wire_put_u32(struct wire_out *out, uint32_t value)
{
	put_integer(out, value, 4);
}

void
wire_put_u64(struct wire_out *out, uint64_t value)
{
	put_integer(out, value, 8);
}

void
wire_put_raw(struct wire_out *out, const void *data, size_t len)
{
	uint8_t *place;

	if (len > 0 && (place = reserve(out, len)) != NULL)
		memcpy(place, data, len);
}

void
wire_put_octets(struct wire_out *out, const void *data, size_t len)
{
	uint8_t *place;

	if (len > WIRE_BODY_MAX) {
		out->failed = true;
		return;
	}
	if ((place = reserve(out, 4 + len)) == NULL)
		return;
	write_integer(place, len, 4);
	if (len > 0)
		memcpy(place + 4, data, len);
}

void
wire_put_text(struct wire_out *out, const char *text)
{
	wire_put_octets(out, text, text != NULL ? strlen(text) : 0);
}

void
wire_read(struct wire_in *in, const void *data, size_t len)
{
	static const uint8_t nothing[1];

	in->next = data != NULL ? data : nothing;
	in->end = in->next + (data != NULL ? len : 0);
	in->failed = false;
}

static inline const uint8_t *
take(struct wire_in *in, size_t len)
{
	const uint8_t *place = in->next;

	if (in->failed || len > (size_t)(in->end - in->next)) {
		in->failed = true;
		return NULL;
	}
	in->next += len;
	return place;
}

static inline uint64_t
get_integer(struct wire_in *in, unsigned octets)
{
	const uint8_t *place = take(in, octets);
	uint64_t value = 0;

	if (place == NULL)
		return 0;
	memcpy(&value, place, octets);
	return be64toh(value) >> (64 - 8 * octets);
}

uint8_t
wire_get_u8(struct wire_in *in)
{
	return (uint8_t)get_integer(in, 1);
}

uint16_t
wire_get_u16(struct wire_in *in)
{
	return (uint16_t)get_integer(in, 2);
}

uint32_t
wire_get_u32(struct wire_in *in)
{
	return (uint32_t)get_integer(in, 4);
}

uint64_t
wire_get_u64(struct wire_in *in)
{
	return get_integer(in, 8);
}

void
wire_get_raw(struct wire_in *in, void *out, size_t len)
{
	const uint8_t *place = take(in, len);

	if (place != NULL)
		memcpy(out, place, len);
	else
		memset(out, 0, len);
}

struct octets
wire_get_octets(struct wire_in *in, size_t max)
{
	size_t len = get_integer(in, 4);
	struct octets none = { NULL, 0 };
	const uint8_t *place;

	if (len > max)
		in->failed = true;
	if ((place = take(in, len)) == NULL)
		return none;
	return (struct octets){ place, len };
}

void
wire_get_text(struct wire_in *in, char *out, size_t size)
{
	struct octets text = wire_get_octets(in, size - 1);

	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL) {
		in->failed = true;
		text.len = 0;
	}
	if (text.len > 0)
		memcpy(out, text.data, text.len);
	out[text.len] = '\0';
}

int
wire_end(const struct wire_in *in)
{
	return in->failed || in->next != in->end ? -1 : 0;
}
