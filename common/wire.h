/*
 * Cursors over the bodies of the messages between processes: fixed-width
 * big-endian integers, and octets led by their length. A reader insists on
 * the end: short or left-over octets are an error of the sender.
 */
#ifndef COMMON_WIRE_H
#define COMMON_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A body being written; grows by itself up to WIRE_BODY_MAX. */
struct wire_out {
	uint8_t *data;
	size_t len;
	size_t size;
	bool failed; /* too long, or no memory: never sent */
};

#define WIRE_BODY_MAX (1u << 20)

/* A run of octets inside somebody else's buffer. */
struct octets {
	const uint8_t *data;
	size_t len;
};

/* As strcmp(); what the other begins with comes first. */
int octets_compare(struct octets, struct octets);

/* Start an empty body, keeping the memory of an earlier one. */
void wire_begin(struct wire_out *);
/* Wipe and give back the memory. */
void wire_free(struct wire_out *);

void wire_put_u8(struct wire_out *, uint8_t);
void wire_put_u16(struct wire_out *, uint16_t);
void wire_put_u32(struct wire_out *, uint32_t);
void wire_put_u64(struct wire_out *, uint64_t);
/* A fixed number of octets, without a length. */
void wire_put_raw(struct wire_out *, const void *, size_t);
/* u32 length, then the octets. */
void wire_put_octets(struct wire_out *, const void *, size_t);
/* A C string as octets, without its NUL; NULL is empty. */
void wire_put_text(struct wire_out *, const char *);

struct wire_in {
	const uint8_t *next;
	const uint8_t *end;
	bool failed;
};

void wire_read(struct wire_in *, const void *, size_t);
uint8_t wire_get_u8(struct wire_in *);
uint16_t wire_get_u16(struct wire_in *);
uint32_t wire_get_u32(struct wire_in *);
uint64_t wire_get_u64(struct wire_in *);
/* Copies len octets; zeroes on failure. */
void wire_get_raw(struct wire_in *, void *, size_t len);
/* Octets of at most max; points into the message; {NULL, 0} on failure. */
struct octets wire_get_octets(struct wire_in *, size_t max);
/* Octets without NUL of less than size, as a C string in out. */
void wire_get_text(struct wire_in *, char *out, size_t size);

/*
 * Was everything read, and nothing too much? Returns 0, or -1 for a message
 * that its sender got wrong.
 */
int wire_end(const struct wire_in *) __attribute__((warn_unused_result));

#endif
