/*
 * What the parts of the embedded engine share: store_open.c opens and closes
 * it, store_rocksdb.c reads and writes what store_batch.c gathered.
 */
#ifndef SECRETS_STORE_ROCKSDB_H
#define SECRETS_STORE_ROCKSDB_H

#include <time.h>

#include <rocksdb/c.h>

#include "secrets/store.h"

enum {
	STORE_FIXED = 2,
	STORE_NAME_MAX = 32,
	STORE_ERROR_MAX = 512,
	STORE_OCTETS_KEPT = 1 << 20 /* of the memory of a batch */
};

struct family {
	uint32_t number;
	rocksdb_column_family_handle_t *handle;
};

struct store {
	rocksdb_t *db;
	rocksdb_options_t *options; /* of the store and its fixed families */
	rocksdb_options_t *day_options;
	rocksdb_writeoptions_t *synced;
	rocksdb_readoptions_t *reading;
	rocksdb_readoptions_t *scanning; /* by prefix, in a day */
	rocksdb_writebatch_t *rows;	 /* of the batch being submitted */
	struct store_batch *spare;	 /* or NULL: memory for the next one */
	struct family *families;	 /* by number; the fixed ones first */
	size_t count;
	uint32_t *days; /* the numbers after the fixed ones */
	char *path;
	int directory; /* path, open: no name to look up at each commit */
	int64_t min_free;
	bool broken;
	char last_words[STORE_ERROR_MAX]; /* logged */
	time_t last_logged;
};

/* The name of a family, and back; -1 for a name that is not ours. */
void store_family_name(uint32_t number, char name[STORE_NAME_MAX]);
int64_t store_family_number(const char *name);

/* Take a handle over. Returns 0, or -1 without memory. */
int store_family_add(
    struct store *, uint32_t number, rocksdb_column_family_handle_t *);
/* NULL where there is no such family. */
struct family *store_family_find(const struct store *, uint32_t number);
void store_family_forget(struct store *, struct family *);

/*
 * Put the rows of a batch into out, in the order of their keys. Returns 0, or
 * -1 where it puts something into a family that is not there.
 */
int store_batch_fill(struct store_batch *, rocksdb_writebatch_t *out)
    __attribute__((warn_unused_result));
/* Free it, rather than keep its memory for the next. */
void store_batch_destroy(struct store_batch *);

#endif
