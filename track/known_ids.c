/*
 * The queue ids that a log has named lately, and what is to be known of each
 * for as long as it means one message.
 */
#include "track/known_ids.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { ORIGINS_MAX = 16 << 20 }; /* octets of all of them */

TAILQ_HEAD(by_age, known_id);

struct known_ids {
	struct by_age ages; /* the newest first */
	struct known_id *ids;
	struct known_id **buckets; /* as many as a power of two */
	size_t max;
	size_t used;
	size_t mask;
	size_t origins; /* octets */
	uint64_t secret;
};

struct known_ids *
known_ids_new(size_t max)
{
	struct known_ids *k = calloc(1, sizeof(*k));
	size_t buckets = 1;

	if (k == NULL)
		return NULL;
	while (buckets < max)
		buckets *= 2;
	k->ids = calloc(max, sizeof(*k->ids));
	k->buckets = calloc(buckets, sizeof(*k->buckets));
	if (k->ids == NULL || k->buckets == NULL ||
	    getrandom(&k->secret, sizeof(k->secret), 0) != sizeof(k->secret)) {
		free(k->ids);
		free(k->buckets);
		free(k);
		return NULL;
	}
	TAILQ_INIT(&k->ages);
	k->max = max;
	k->mask = buckets - 1;
	return k;
}

void
known_ids_free(struct known_ids *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->used; i++)
		known_ids_drop_origins(k, &k->ids[i]);
	free(k->ids);
	free(k->buckets);
	free(k);
}

/* FNV-1a from a secret start: a table's order, never a proof. */
static uint64_t
mix(uint64_t h, struct octets text)
{
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ text.data[i]) * 0x100000001b3ULL;
	return (h ^ 0xff) * 0x100000001b3ULL;
}

uint64_t
known_ids_key(const struct known_ids *k, struct octets host, struct octets text)
{
	uint64_t h = mix(mix(0xcbf29ce484222325ULL ^ k->secret, host), text);

	h ^= h >> 29;
	return h != 0 ? h : 1;
}

static struct known_id **
place_of(struct known_ids *k, uint64_t key)
{
	struct known_id **at = &k->buckets[key & k->mask];

	while (*at != NULL && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

struct known_id *
known_ids_find(struct known_ids *k, uint64_t key)
{
	struct known_id *id = *place_of(k, key);

	if (id != NULL && id != TAILQ_FIRST(&k->ages)) {
		TAILQ_REMOVE(&k->ages, id, age);
		TAILQ_INSERT_HEAD(&k->ages, id, age);
	}
	return id;
}

static struct known_id *
take_oldest(struct known_ids *k)
{
	struct known_id *id;

	if (k->used < k->max)
		return &k->ids[k->used++];
	id = TAILQ_LAST(&k->ages, by_age);
	TAILQ_REMOVE(&k->ages, id, age);
	*place_of(k, id->key) = id->next;
	return id;
}

struct known_id *
known_ids_get(struct known_ids *k, uint64_t key)
{
	struct known_id *id = known_ids_find(k, key);

	if (id != NULL)
		return id;
	id = take_oldest(k);
	id->key = key;
	known_ids_renew(k, id);
	id->next = k->buckets[key & k->mask];
	k->buckets[key & k->mask] = id;
	TAILQ_INSERT_HEAD(&k->ages, id, age);
	return id;
}

void
known_ids_renew(struct known_ids *k, struct known_id *id)
{
	known_ids_drop_origins(k, id);
	id->message_id = 0;
	id->joined_from = 0;
	id->born = 0;
	id->recipients = 0;
	id->by_filter = id->forwarded = id->ended = false;
	id->aliased = id->passed_on = false;
}

void
known_ids_add_origin(struct known_ids *k, struct known_id *id,
    struct octets recipient, struct octets original)
{
	size_t size =
	    sizeof(struct known_origin) + recipient.len + original.len;
	struct known_origin *o;
	uint8_t *text;

	if (recipient.len == 0 || original.len == 0 ||
	    known_ids_origin(id, recipient).len > 0 ||
	    k->origins + size > ORIGINS_MAX || (o = malloc(size)) == NULL)
		return;
	text = (uint8_t *)(o + 1);
	memcpy(text, recipient.data, recipient.len);
	memcpy(text + recipient.len, original.data, original.len);
	o->recipient = (struct octets){ text, recipient.len };
	o->original = (struct octets){ text + recipient.len, original.len };
	o->next = id->origins;
	id->origins = o;
	k->origins += size;
}

struct octets
known_ids_origin(const struct known_id *id, struct octets recipient)
{
	for (struct known_origin *o = id->origins; o != NULL; o = o->next)
		if (o->recipient.len == recipient.len &&
		    memcmp(o->recipient.data, recipient.data, recipient.len) ==
			0)
			return o->original;
	return (struct octets){ NULL, 0 };
}

void
known_ids_drop_origins(struct known_ids *k, struct known_id *id)
{
	struct known_origin *o;

	while ((o = id->origins) != NULL) {
		id->origins = o->next;
		k->origins -= sizeof(*o) + o->recipient.len + o->original.len;
		free(o);
	}
}
