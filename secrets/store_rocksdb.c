/*
 * The embedded engine of the vault: RocksDB through its C interface. A commit
 * is one synced write and completes before submit returns.
 */
#include "secrets/store_rocksdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "common/log.h"

struct family *
store_family_find(const struct store *s, uint32_t number)
{
	size_t low = 0, high = s->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (s->families[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < s->count && s->families[low].number == number)
		return &s->families[low];
	return NULL;
}

/* days mirrors the families after the fixed ones. */
static void
days_mirror(struct store *s)
{
	for (size_t i = STORE_FIXED; i < s->count; i++)
		s->days[i - STORE_FIXED] = s->families[i].number;
}

int
store_family_add(
    struct store *s, uint32_t number, rocksdb_column_family_handle_t *handle)
{
	struct family *more;
	uint32_t *days;
	size_t at = s->count;

	more = reallocarray(s->families, s->count + 1, sizeof(*more));
	if (more == NULL)
		return -1;
	s->families = more;
	days = reallocarray(s->days, s->count + 1, sizeof(*days));
	if (days == NULL)
		return -1;
	s->days = days;
	while (at > 0 && more[at - 1].number > number) {
		more[at] = more[at - 1];
		at--;
	}
	more[at] = (struct family){ number, handle };
	s->count++;
	days_mirror(s);
	return 0;
}

void
store_family_forget(struct store *s, struct family *f)
{
	size_t at = (size_t)(f - s->families);

	rocksdb_column_family_handle_destroy(f->handle);
	s->count--;
	memmove(f, f + 1, (s->count - at) * sizeof(*f));
	days_mirror(s);
}

/*
 * Log RocksDB's words and say what they mean for the asker. The same words
 * are logged once a minute: a damaged block is met again and again.
 */
static enum store_status
failure(struct store *s, const char *what, char *error)
{
	bool damaged = strncmp(error, "Corruption", 10) == 0;
	time_t now = time(NULL);

	if (strncmp(s->last_words, error, sizeof(s->last_words) - 1) != 0 ||
	    now > s->last_logged + 60) {
		log_error(damaged ? "vault-damaged" : "vault-failed",
		    "%s: %s: %s", s->path, what, error);
		snprintf(s->last_words, sizeof(s->last_words), "%s", error);
		s->last_logged = now;
	}
	rocksdb_free(error);
	return damaged ? STORE_DAMAGED : STORE_FAILED;
}

/* The memory of a large batch is not kept for small ones. */
static void
rows_done(struct store *s)
{
	size_t len;

	rocksdb_writebatch_data(s->rows, &len);
	if (len <= STORE_OCTETS_KEPT)
		return;
	rocksdb_writebatch_destroy(s->rows);
	s->rows = rocksdb_writebatch_create();
}

void
store_submit(
    struct store *s, struct store_batch *b, store_done *done, void *arg)
{
	enum store_status status = STORE_OK;
	char *error = NULL;

	if (!store_is_writable(s)) {
		status = STORE_FULL;
	} else if (store_batch_fill(b, s->rows) == -1) {
		status = STORE_FAILED;
	} else if (rocksdb_writebatch_count(s->rows) > 0) {
		rocksdb_write(s->db, s->synced, s->rows, &error);
		if (error != NULL) {
			s->broken = true;
			status = failure(s, "commit", error);
		}
	}
	rows_done(s);
	store_batch_free(b);
	done(arg, status);
}

void
store_get(struct store *s, uint32_t family, struct octets key, store_got *got,
    void *arg)
{
	struct family *f = store_family_find(s, family);
	struct octets value = { NULL, 0 };
	rocksdb_pinnableslice_t *slice;
	char *error = NULL;

	if (f == NULL) {
		got(arg, STORE_NOT_FOUND, value);
		return;
	}
	slice = rocksdb_get_pinned_cf(s->db, s->reading, f->handle,
	    (const char *)key.data, key.len, &error);
	if (error != NULL) {
		got(arg, failure(s, "read", error), value);
		return;
	}
	if (slice == NULL) {
		got(arg, STORE_NOT_FOUND, value);
		return;
	}
	value.data =
	    (const uint8_t *)rocksdb_pinnableslice_value(slice, &value.len);
	got(arg, STORE_OK, value);
	rocksdb_pinnableslice_destroy(slice);
}

/*
 * Stand on the last key below `below`, or on the last one with prefix: no
 * key of ours goes on with octets 0xff. As long as any key is, so that a
 * filter by prefix takes it for one.
 */
static void
scan_start(rocksdb_iterator_t *it, const struct store_scan *scan)
{
	uint8_t past[64];
	size_t len = scan->prefix.len;

	if (scan->below.len != 0) {
		rocksdb_iter_seek_for_prev(
		    it, (const char *)scan->below.data, scan->below.len);
		return;
	}
	if (len > sizeof(past) - 8)
		len = sizeof(past) - 8;
	memset(past, 0xff, sizeof(past));
	if (len > 0)
		memcpy(past, scan->prefix.data, len);
	rocksdb_iter_seek_for_prev(it, (const char *)past, sizeof(past));
}

static bool
scan_row(rocksdb_iterator_t *it, const struct store_scan *scan)
{
	struct octets key, value;

	key.data = (const uint8_t *)rocksdb_iter_key(it, &key.len);
	if (key.len < scan->prefix.len)
		return false;
	if (scan->prefix.len != 0 &&
	    memcmp(key.data, scan->prefix.data, scan->prefix.len) != 0)
		return false;
	if (key.len == scan->below.len &&
	    memcmp(key.data, scan->below.data, key.len) == 0)
		return true;
	value.data = (const uint8_t *)rocksdb_iter_value(it, &value.len);
	return scan->row(scan->arg, key, value);
}

void
store_scan(struct store *s, const struct store_scan *scan)
{
	struct family *f = store_family_find(s, scan->family);
	enum store_status status = STORE_OK;
	rocksdb_iterator_t *it;
	char *error = NULL;

	if (f == NULL) {
		scan->done(scan->arg, STORE_OK);
		return;
	}
	it = rocksdb_create_iterator_cf(s->db,
	    f->number < STORE_DAY_FIRST ? s->reading : s->scanning, f->handle);
	scan_start(it, scan);
	while (rocksdb_iter_valid(it) && scan_row(it, scan))
		rocksdb_iter_prev(it);
	rocksdb_iter_get_error(it, &error);
	if (error != NULL)
		status = failure(s, "scan", error);
	rocksdb_iter_destroy(it);
	scan->done(scan->arg, status);
}

void
store_day_make(struct store *s, uint32_t day, store_done *done, void *arg)
{
	enum store_status status = STORE_OK;
	rocksdb_column_family_handle_t *handle;
	char name[STORE_NAME_MAX], *error = NULL;

	if (store_has_day(s, day)) {
		done(arg, STORE_OK);
		return;
	}
	if (!store_is_writable(s)) {
		done(arg, STORE_FULL);
		return;
	}
	store_family_name(day, name);
	handle =
	    rocksdb_create_column_family(s->db, s->day_options, name, &error);
	if (error != NULL)
		status = failure(s, name, error);
	else if (store_family_add(s, day, handle) == -1)
		status = STORE_FAILED;
	done(arg, status);
}

void
store_day_drop(struct store *s, uint32_t day, store_done *done, void *arg)
{
	struct family *f = store_family_find(s, day);
	char name[STORE_NAME_MAX], *error = NULL;

	if (f == NULL || day < STORE_DAY_FIRST) {
		done(arg, STORE_NOT_FOUND);
		return;
	}
	store_family_name(day, name);
	rocksdb_drop_column_family(s->db, f->handle, &error);
	if (error != NULL) {
		done(arg, failure(s, name, error));
		return;
	}
	store_family_forget(s, f);
	done(arg, STORE_OK);
}

const uint32_t *
store_days(const struct store *s, size_t *count)
{
	*count = s->count - STORE_FIXED;
	return s->days;
}

bool
store_has_day(const struct store *s, uint32_t day)
{
	return day >= STORE_DAY_FIRST && store_family_find(s, day) != NULL;
}

int64_t
store_free_octets(const struct store *s)
{
	struct statvfs v;

	if (fstatvfs(s->directory, &v) == -1)
		return -1;
	return (int64_t)(v.f_bavail * v.f_frsize);
}

bool
store_is_writable(const struct store *s)
{
	int64_t left = store_free_octets(s);

	return left == -1 || left >= s->min_free;
}

bool
store_is_broken(const struct store *s)
{
	return s->broken;
}

void
store_set_min_free(struct store *s, int64_t min_free)
{
	s->min_free = min_free;
}
