/*
 * How one message lies in the family of its day.
 */
#include "secrets/record.h"

#include <string.h>

#define VERSION	    2
#define UNCLAIMED   1 /* the version that had no claim */
#define HEADER_LEN  2 /* version and kind stand before the box */
#define DAY_MS	    86400000u
#define SECRET_MOST 128

static void
put_be(uint8_t *out, size_t len, uint64_t value)
{
	while (len-- > 0) {
		out[len] = (uint8_t)value;
		value >>= 8;
	}
}

static uint64_t
get_be(const uint8_t *in, size_t len)
{
	uint64_t value = 0;

	while (len-- > 0)
		value = value << 8 | *in++;
	return value;
}

void
record_key(const struct envid_parts *p, uint8_t key[RECORD_KEY_LEN])
{
	key[0] = RECORD_TAG;
	put_be(key + 1, RECORD_ACCOUNT_LEN, p->account);
	put_be(key + 6, 6, p->time);
	put_be(key + 12, 4, (uint64_t)p->node << 20 | p->counter);
}

int
record_parts(struct octets key, struct envid_parts *p)
{
	uint64_t last;

	if (key.len != RECORD_KEY_LEN || key.data[0] != RECORD_TAG)
		return -1;
	last = get_be(key.data + 12, 4);
	p->account = get_be(key.data + 1, RECORD_ACCOUNT_LEN);
	p->time = get_be(key.data + 6, 6);
	p->node = (uint16_t)(last >> 20);
	p->counter = (uint32_t)(last & 0xfffff);
	return 0;
}

bool
record_is_same(const struct envid_parts *a, const struct envid_parts *b)
{
	return a->account == b->account && a->time == b->time &&
	    a->node == b->node && a->counter == b->counter;
}

uint32_t
record_day(uint64_t time)
{
	return (uint32_t)(time / DAY_MS);
}

/* Lengths of keys and of what is searched by, for each tag. */
static const struct {
	uint8_t tag;
	size_t least;
	size_t prefix;
} forms[] = {
	{ RECORD_TAG, RECORD_KEY_LEN, 1 + RECORD_ACCOUNT_LEN },
	{ RECORD_REVOKED, RECORD_KEY_LEN, 1 + RECORD_ACCOUNT_LEN },
	{ RECORD_EVENT, RECORD_EVENT_LEN, RECORD_KEY_LEN },
	{ RECORD_BY_ENVID, RECORD_INDEX_LEN,
	    1 + SEAL_HASH_LEN + RECORD_ACCOUNT_LEN },
	{ RECORD_BY_QUEUE_ID, RECORD_WINDOW_LEN, 1 + SEAL_HASH_LEN },
	{ RECORD_BY_CERTIFIER, RECORD_INDEX_LEN, 1 + SEAL_HASH_LEN },
};

size_t
record_prefix_len(struct octets key)
{
	if (key.len == 0)
		return 0;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].tag == key.data[0])
			return key.len < forms[i].least ? 0 : forms[i].prefix;
	return 0;
}

void
record_index(uint8_t tag, const uint8_t hash[SEAL_HASH_LEN],
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_INDEX_LEN])
{
	out[0] = tag;
	memcpy(out + 1, hash, SEAL_HASH_LEN);
	memcpy(out + 1 + SEAL_HASH_LEN, key + 1, RECORD_KEY_LEN - 1);
}

int
record_indexed(struct octets index, uint8_t key[RECORD_KEY_LEN])
{
	if (index.len != RECORD_INDEX_LEN)
		return -1;
	key[0] = RECORD_TAG;
	memcpy(key + 1, index.data + 1 + SEAL_HASH_LEN, RECORD_KEY_LEN - 1);
	return 0;
}

enum { QUEUE_CLAIM = 'c', QUEUE_WINDOW = 'w', CLAIM_TIME_LEN = 6 };

#define CLAIM_TIME_MASK ((1ull << 8 * CLAIM_TIME_LEN) - 1)

void
record_claim(const uint8_t hash[SEAL_HASH_LEN], uint64_t claimed,
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_CLAIM_LEN])
{
	*out++ = RECORD_BY_QUEUE_ID;
	memcpy(out, hash, SEAL_HASH_LEN);
	out += SEAL_HASH_LEN;
	*out++ = QUEUE_CLAIM;
	put_be(out, CLAIM_TIME_LEN, ~claimed & CLAIM_TIME_MASK);
	memcpy(out + CLAIM_TIME_LEN, key + 1, RECORD_KEY_LEN - 1);
}

void
record_window(const uint8_t hash[SEAL_HASH_LEN],
    const uint8_t key[RECORD_KEY_LEN], uint8_t out[RECORD_WINDOW_LEN])
{
	*out++ = RECORD_BY_QUEUE_ID;
	memcpy(out, hash, SEAL_HASH_LEN);
	out += SEAL_HASH_LEN;
	*out++ = QUEUE_WINDOW;
	memcpy(out, key + 1, RECORD_KEY_LEN - 1);
}

size_t
record_queue_key(
    struct octets key, uint8_t record[RECORD_KEY_LEN], uint64_t *claimed)
{
	const uint8_t *kind = key.data + 1 + SEAL_HASH_LEN;

	*claimed = 0;
	if (key.len == RECORD_CLAIM_LEN && *kind == QUEUE_CLAIM)
		*claimed = ~get_be(kind + 1, CLAIM_TIME_LEN) & CLAIM_TIME_MASK;
	else if (key.len != RECORD_WINDOW_LEN || *kind != QUEUE_WINDOW)
		return 0;
	record[0] = RECORD_TAG;
	memcpy(record + 1, key.data + key.len - (RECORD_KEY_LEN - 1),
	    RECORD_KEY_LEN - 1);
	return key.len;
}

void
record_revoked(const struct envid_parts *p, uint8_t key[RECORD_KEY_LEN])
{
	record_key(p, key);
	key[0] = RECORD_REVOKED;
}

void
record_event(const struct envid_parts *p, const uint8_t hash[SEAL_HASH_LEN],
    uint8_t key[RECORD_EVENT_LEN])
{
	record_key(p, key);
	key[0] = RECORD_EVENT;
	memcpy(key + RECORD_KEY_LEN, hash, SEAL_HASH_LEN);
}

/* What a box is bound to: the record's key and its ENVID. */
static struct octets
bound_to(const struct envid_parts *p, const uint8_t *handle,
    uint8_t out[RECORD_KEY_LEN + HANDLE_LEN])
{
	record_key(p, out);
	memcpy(out + RECORD_KEY_LEN, handle, HANDLE_LEN);
	return (struct octets){ out, RECORD_KEY_LEN + HANDLE_LEN };
}

/* Make room for len octets more and return where they begin. */
static uint8_t *
room(struct wire_out *out, size_t len)
{
	static const uint8_t zeroes[4096];
	size_t start = out->len, left = len;

	while (left > 0 && !out->failed) {
		size_t part = left < sizeof(zeroes) ? left : sizeof(zeroes);

		wire_put_raw(out, zeroes, part);
		left -= part;
	}
	return out->failed ? NULL : out->data + start;
}

int
record_close(const uint8_t seal_key[SEAL_KEY_LEN],
    const uint8_t handle[HANDLE_LEN], const struct envid_parts *p,
    const struct record *r, struct wire_out *value)
{
	uint8_t with_octets[RECORD_KEY_LEN + HANDLE_LEN], *box;
	struct octets with = bound_to(p, handle, with_octets);
	struct wire_out plain = { 0 };
	int rc = -1;

	wire_begin(&plain);
	wire_put_u8(&plain, r->settled);
	wire_put_octets(&plain, r->secret.data, r->secret.len);
	wire_put_u64(&plain, r->claim.claimed);
	wire_put_u64(&plain, r->claim.since);
	if (r->mail != NULL)
		mail_body_put(&plain, r->mail);
	else
		wire_put_raw(&plain, r->body.data, r->body.len);
	wire_begin(value);
	wire_put_u8(value, VERSION);
	wire_put_u8(value, (uint8_t)p->kind);
	box = room(value, plain.len + SEAL_OVERHEAD);
	if (box != NULL && !plain.failed)
		rc = seal_close(seal_key, with,
		    (struct octets){ plain.data, plain.len }, box);
	wire_free(&plain);
	return rc;
}

static bool
has_known_version(struct octets value)
{
	return value.len > HEADER_LEN + SEAL_OVERHEAD &&
	    (value.data[0] == VERSION || value.data[0] == UNCLAIMED);
}

int
record_kind(struct octets value, enum envid_kind *kind)
{
	if (!has_known_version(value) || value.data[1] > ENVID_RANDOM)
		return -1;
	*kind = value.data[1] == ENVID_RANDOM ? ENVID_RANDOM : ENVID_DERIVED;
	return 0;
}

int
record_open(const uint8_t seal_key[SEAL_KEY_LEN], const struct record_sealed *s,
    struct record *r, struct wire_out *plain)
{
	uint8_t with_octets[RECORD_KEY_LEN + HANDLE_LEN], *out;
	struct octets with = bound_to(&s->parts, s->handle, with_octets);
	struct octets box;
	struct wire_in in;

	if (!has_known_version(s->value))
		return -1;
	box.data = s->value.data + HEADER_LEN;
	box.len = s->value.len - HEADER_LEN;
	wire_begin(plain);
	out = room(plain, box.len - SEAL_OVERHEAD);
	if (out == NULL || seal_open(seal_key, with, box, out) == -1)
		return -1;
	wire_read(&in, plain->data, plain->len);
	r->settled = wire_get_u8(&in) == 1;
	r->secret = wire_get_octets(&in, SECRET_MOST);
	r->claim = (struct queue_claim){ 0, 0 };
	if (s->value.data[0] != UNCLAIMED) {
		r->claim.claimed = wire_get_u64(&in);
		r->claim.since = wire_get_u64(&in);
	}
	r->mail = NULL;
	r->body.data = in.next;
	r->body.len = in.failed ? 0 : (size_t)(in.end - in.next);
	return in.failed ? -1 : 0;
}
