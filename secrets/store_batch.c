/*
 * What is to be written at once, gathered until it is. Its rows go to RocksDB
 * sorted: neighbours take the same way through the skip list of a memtable,
 * still in the processor's caches.
 */
#include "secrets/store_rocksdb.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/log.h"

enum { ROWS_KEPT = 4096 }; /* with STORE_OCTETS_KEPT: memory for the next */

struct row {
	uint32_t family;
	bool is_delete;
	size_t at; /* in octets: the key, then the value */
	size_t key_len, value_len;
};

struct store_batch {
	struct store *store;
	struct row *rows;
	size_t count, room;
	struct buffer octets;
};

struct store_batch *
store_batch_new(struct store *s)
{
	struct store_batch *b = s->spare;

	s->spare = NULL;
	if (b == NULL && (b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	b->store = s;
	return b;
}

static struct row *
add_row(struct store_batch *b, uint32_t family, struct octets key)
{
	struct row *row;

	if (b->count == b->room) {
		b->room = b->room == 0 ? 64 : 2 * b->room;
		b->rows = reallocarray(b->rows, b->room, sizeof(*b->rows));
		if (b->rows == NULL)
			fatal("out of memory");
	}
	row = &b->rows[b->count++];
	*row = (struct row){ .family = family,
		.at = buffer_len(&b->octets),
		.key_len = key.len };
	buffer_append(&b->octets, key.data, key.len);
	return row;
}

void
store_batch_put(struct store_batch *b, uint32_t family, struct octets key,
    struct octets value)
{
	struct row *row = add_row(b, family, key);

	row->value_len = value.len;
	if (value.len > 0)
		buffer_append(&b->octets, value.data, value.len);
}

void
store_batch_delete(struct store_batch *b, uint32_t family, struct octets key)
{
	add_row(b, family, key)->is_delete = true;
}

void
store_batch_destroy(struct store_batch *b)
{
	if (b == NULL)
		return;
	free(b->rows);
	buffer_free(&b->octets);
	free(b);
}

void
store_batch_free(struct store_batch *b)
{
	if (b == NULL)
		return;
	if (b->store->spare == NULL && b->room <= ROWS_KEPT &&
	    b->octets.size <= STORE_OCTETS_KEPT) {
		b->count = 0;
		buffer_consume(&b->octets, buffer_len(&b->octets));
		b->store->spare = b;
		return;
	}
	store_batch_destroy(b);
}

/* Of two rows with one key the later stays behind: it holds. */
static int
compare_rows(const void *one, const void *other, void *octets)
{
	const struct row *a = one, *b = other;
	const uint8_t *at = octets;
	int order;

	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	order = octets_compare((struct octets){ at + a->at, a->key_len },
	    (struct octets){ at + b->at, b->key_len });
	if (order != 0)
		return order;
	return a->at < b->at ? -1 : a->at > b->at;
}

int
store_batch_fill(struct store_batch *b, rocksdb_writebatch_t *out)
{
	uint8_t *octets = buffer_at(&b->octets);
	const struct family *f = NULL;

	rocksdb_writebatch_clear(out);
	if (b->count > 1)
		qsort_r(
		    b->rows, b->count, sizeof(*b->rows), compare_rows, octets);
	for (size_t i = 0; i < b->count; i++) {
		const struct row *row = &b->rows[i];
		const char *key = (const char *)octets + row->at;

		if (f == NULL || f->number != row->family)
			f = store_family_find(b->store, row->family);
		if (f != NULL && row->is_delete)
			rocksdb_writebatch_delete_cf(
			    out, f->handle, key, row->key_len);
		else if (f != NULL)
			rocksdb_writebatch_put_cf(out, f->handle, key,
			    row->key_len, key + row->key_len, row->value_len);
		else if (!row->is_delete)
			return -1;
	}
	return 0;
}
