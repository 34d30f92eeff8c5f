/*
 * The queue ids that have steps under way, each with its steps in order.
 */
#include "track/feed_ids.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { BUCKETS = 1 << 17 };

int
feed_ids_init(struct feed_ids *ids)
{
	ids->buckets = calloc(BUCKETS, sizeof(struct feed_id *));
	if (ids->buckets == NULL ||
	    getrandom(&ids->secret, sizeof(ids->secret), 0) !=
		sizeof(ids->secret))
		return -1;
	return 0;
}

static void
free_id(struct feed_id *id)
{
	struct feed_step *step;

	while ((step = TAILQ_FIRST(&id->steps)) != NULL) {
		TAILQ_REMOVE(&id->steps, step, next);
		free(step);
	}
	free(id);
}

void
feed_ids_free(struct feed_ids *ids)
{
	struct feed_id *id;

	for (size_t i = 0; ids->buckets != NULL && i < BUCKETS; i++)
		while ((id = ids->buckets[i]) != NULL) {
			ids->buckets[i] = id->bucket;
			free_id(id);
		}
	free(ids->buckets);
	ids->buckets = NULL;
}

/* FNV-1a from a secret start, so that nobody fills one bucket. */
static uint64_t
hash_of(const struct feed_ids *ids, struct octets text)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ ids->secret;

	for (size_t i = 0; i < text.len; i++)
		h = (h ^ text.data[i]) * 0x100000001b3ULL;
	return h ^ h >> 29;
}

struct feed_id *
feed_ids_get(struct feed_ids *ids, struct octets text)
{
	uint64_t hash = hash_of(ids, text);
	struct feed_id **bucket = &ids->buckets[hash % BUCKETS], *id;

	for (id = *bucket; id != NULL; id = id->bucket)
		if (id->hash == hash && id->len == text.len &&
		    memcmp(id->text, text.data, text.len) == 0)
			return id;
	id = calloc(1, sizeof(*id) + text.len);
	if (id == NULL)
		return NULL;
	TAILQ_INIT(&id->steps);
	id->hash = hash;
	id->len = text.len;
	memcpy(id->text, text.data, text.len);
	id->bucket = *bucket;
	*bucket = id;
	return id;
}

void
feed_ids_drop(struct feed_ids *ids, struct feed_id *id)
{
	struct feed_id **at = &ids->buckets[id->hash % BUCKETS];

	while (*at != id)
		at = &(*at)->bucket;
	*at = id->bucket;
	free(id);
}

void
feed_id_move(
    struct feed_id *id, enum feed_id_state state, struct feed_id_list *list)
{
	if (id->list != NULL)
		TAILQ_REMOVE(id->list, id, next);
	if (list != NULL)
		TAILQ_INSERT_TAIL(list, id, next);
	id->list = list;
	id->state = state;
}
