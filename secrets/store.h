/*
 * What an engine of the vault does: a batch goes in and its completion comes
 * out, and so with every read, so that a store across a network can have
 * several under way. Families: the vault's own facts, accounts, and one a day.
 */
#ifndef SECRETS_STORE_H
#define SECRETS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"

/* A family: one of these, or the number of a day since 1970 (UTC). */
enum { STORE_META = 0, STORE_ACCOUNTS = 1, STORE_DAY_FIRST = 2 };

enum store_status {
	STORE_OK = 0,
	STORE_NOT_FOUND,
	STORE_FULL,    /* less disk free than min_free: nothing was tried */
	STORE_DAMAGED, /* the engine named what cannot be read in the log */
	STORE_FAILED   /* the engine could not write or read */
};

struct store;
struct store_batch;

struct store_options {
	const char *path;
	int64_t min_free; /* octets of disk that must stay free */
};

/* Is there nothing at path yet (no directory, or an empty one)? */
bool store_is_empty(const char *path);

/*
 * Open the store at path, made where it is missing. A damaged log is refused,
 * never shortened: only a tail that a crash tore is left out. Returns NULL
 * with the reason, naming file and cure, in why.
 */
struct store *store_open(const struct store_options *, char *why, size_t size);
/* Write what is in memory only, and close. */
void store_close(struct store *);

struct store_batch *store_batch_new(struct store *);
void store_batch_put(struct store_batch *, uint32_t family, struct octets key,
    struct octets value);
void
store_batch_delete(struct store_batch *, uint32_t family, struct octets key);
void store_batch_free(struct store_batch *);

/*
 * Commit a batch, whole or not at all, durably; takes the batch. done is
 * called once, perhaps before this returns.
 */
typedef void store_done(void *arg, enum store_status);
void
store_submit(struct store *, struct store_batch *, store_done *, void *arg);

/* Read one value, which got must copy. A missing day holds nothing. */
typedef void store_got(void *arg, enum store_status, struct octets value);
void store_get(
    struct store *, uint32_t family, struct octets key, store_got *, void *arg);

/*
 * Read downwards the keys of family that begin with prefix and are below
 * `below` (empty: from the last one). row returns whether to go on; done is
 * called once, with STORE_OK also where row ended it.
 */
struct store_scan {
	uint32_t family;
	struct octets prefix;
	struct octets below;
	bool (*row)(void *arg, struct octets key, struct octets value);
	store_done *done;
	void *arg;
};
void store_scan(struct store *, const struct store_scan *);

/* Make the family of a day, or drop it with all that is in it. */
void store_day_make(struct store *, uint32_t day, store_done *, void *arg);
void store_day_drop(struct store *, uint32_t day, store_done *, void *arg);
/* The days there are, oldest first; good until one is made or dropped. */
const uint32_t *store_days(const struct store *, size_t *count);
bool store_has_day(const struct store *, uint32_t day);

/* May it be written: is more than min_free free? */
bool store_is_writable(const struct store *);
/* Did a commit fail in a way that only opening the store again may cure? */
bool store_is_broken(const struct store *);
int64_t store_free_octets(const struct store *);
void store_set_min_free(struct store *, int64_t min_free);

#endif
