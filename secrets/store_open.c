/*
 * The embedded engine of the vault: how RocksDB is set, opened and closed. What
 * is damaged is named and never written over.
 */
#include "secrets/store_rocksdb.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "secrets/directory.h"
#include "secrets/record.h"
#include "secrets/store_log.h"

#define WRITE_BUFFERS			 (32u << 20) /* octets in memory, all families */
#define LOG_TOTAL			 (64u << 20) /* octets of log before a flush */
#define OPEN_FILES			 256
#define BLOOM_BITS			 10
#define NEVER				 (INT_MAX / 2)
#define RECOVERY_TOLERATE_CORRUPTED_TAIL 0
#define INFO_LOG_WARNINGS		 2

static const char *const fixed_names[STORE_FIXED] = { "default", "accounts" };

bool
store_is_empty(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool empty = true;

	if (d == NULL)
		return errno == ENOENT;
	while (empty && (e = readdir(d)) != NULL)
		empty = strcmp(e->d_name, ".") == 0 ||
		    strcmp(e->d_name, "..") == 0 ||
		    strcmp(e->d_name, "lost+found") == 0;
	closedir(d);
	return empty;
}

void
store_family_name(uint32_t number, char name[STORE_NAME_MAX])
{
	time_t seconds = (time_t)number * 86400;
	struct tm tm;

	if (number < STORE_FIXED) {
		snprintf(name, STORE_NAME_MAX, "%s", fixed_names[number]);
		return;
	}
	gmtime_r(&seconds, &tm);
	strftime(name, STORE_NAME_MAX, "d%Y-%m-%d", &tm);
}

int64_t
store_family_number(const char *name)
{
	struct tm tm = { .tm_isdst = 0 };
	const char *end;
	time_t seconds;

	for (size_t i = 0; i < STORE_FIXED; i++)
		if (strcmp(name, fixed_names[i]) == 0)
			return (int64_t)i;
	end = strptime(name, "d%Y-%m-%d", &tm);
	if (end == NULL || *end != '\0')
		return -1;
	seconds = timegm(&tm);
	return seconds < STORE_DAY_FIRST * 86400 ? -1 : seconds / 86400;
}

/* Keep a copy of RocksDB's words and give back its own. */
static void
take_error(char *error, char *why, size_t size)
{
	snprintf(why, size, "%s", error);
	rocksdb_free(error);
}

/*
 * Many tables of a day hold nothing of an account or an index: a filter by
 * prefix tells, so that a scan does not read them.
 */
static char *
prefix_of(void *state, const char *key, size_t len, size_t *prefix_len)
{
	union {
		const char *given;
		char *same;
	} key_is = { .given = key };

	(void)state;
	*prefix_len =
	    record_prefix_len((struct octets){ (const uint8_t *)key, len });
	return key_is.same;
}

static unsigned char
prefix_is_there(void *state, const char *key, size_t len)
{
	(void)state;
	return record_prefix_len(
		   (struct octets){ (const uint8_t *)key, len }) != 0;
}

static const char *
prefix_name(void *state)
{
	(void)state;
	return "waybill.day.2";
}

static void
prefix_end(void *state)
{
	(void)state;
}

static rocksdb_options_t *
options_make(bool day)
{
	rocksdb_options_t *o = rocksdb_options_create();
	rocksdb_block_based_table_options_t *table;

	table = rocksdb_block_based_options_create();
	rocksdb_block_based_options_set_filter_policy(
	    table, rocksdb_filterpolicy_create_bloom_full(BLOOM_BITS));
	rocksdb_options_set_block_based_table_factory(o, table);
	rocksdb_block_based_options_destroy(table);
	rocksdb_options_set_compression(o, rocksdb_no_compression);
	rocksdb_options_set_write_buffer_size(o, WRITE_BUFFERS / 2);
	if (day) {
		rocksdb_options_set_prefix_extractor(o,
		    rocksdb_slicetransform_create(NULL, prefix_end, prefix_of,
			prefix_is_there, prefix_is_there, prefix_name));
		/*
		 * A day is written once and dropped whole. Compacting it
		 * would only stall its writers, and stop them all where one
		 * file is damaged.
		 */
		rocksdb_options_set_disable_auto_compactions(o, 1);
		rocksdb_options_set_level0_file_num_compaction_trigger(
		    o, NEVER);
		rocksdb_options_set_level0_slowdown_writes_trigger(o, NEVER);
		rocksdb_options_set_level0_stop_writes_trigger(o, NEVER);
		rocksdb_options_set_soft_pending_compaction_bytes_limit(o, 0);
		rocksdb_options_set_hard_pending_compaction_bytes_limit(o, 0);
	}
	return o;
}

static void
options_set_store(rocksdb_options_t *o)
{
	rocksdb_options_set_create_if_missing(o, 1);
	rocksdb_options_set_create_missing_column_families(o, 1);
	rocksdb_options_set_paranoid_checks(o, 1);
	rocksdb_options_set_wal_recovery_mode(
	    o, RECOVERY_TOLERATE_CORRUPTED_TAIL);
	rocksdb_options_set_max_total_wal_size(o, LOG_TOTAL);
	rocksdb_options_set_db_write_buffer_size(o, WRITE_BUFFERS);
	rocksdb_options_set_max_open_files(o, OPEN_FILES);
	rocksdb_options_set_info_log_level(o, INFO_LOG_WARNINGS);
	rocksdb_options_set_max_log_file_size(o, 1u << 20);
	rocksdb_options_set_keep_log_file_num(o, 4);
	rocksdb_options_set_stats_dump_period_sec(o, 0);
	rocksdb_options_set_stats_persist_period_sec(o, 0);
	rocksdb_options_set_max_background_jobs(o, 2);
	rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
}

/*
 * What the C interface has no function for: a log that is gone or shorter
 * than it was is noticed, and to open a store on a full disk writes little.
 * Returns o, or another in its place.
 */
static rocksdb_options_t *
options_set_more(rocksdb_options_t *o)
{
	rocksdb_options_t *more = rocksdb_options_create();
	char *error = NULL, words[STORE_ERROR_MAX];

	rocksdb_get_options_from_string(o,
	    "track_and_verify_wals_in_manifest=true;"
	    "avoid_flush_during_recovery=true",
	    more, &error);
	if (error != NULL) {
		take_error(error, words, sizeof(words));
		log_warning("vault", "options of RocksDB: %s", words);
		rocksdb_options_destroy(more);
		return o;
	}
	rocksdb_options_destroy(o);
	return more;
}

static int
families_take(struct store *s, const char *const *names,
    rocksdb_column_family_handle_t **handles, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (store_family_add(s, (uint32_t)store_family_number(names[i]),
			handles[i]) == -1)
			return -1;
	return 0;
}

/* Open with all families there are; those of names are all ours. */
static int
open_families(struct store *s, const char *const *names, size_t count,
    char *why, size_t size)
{
	rocksdb_column_family_handle_t **handles;
	const rocksdb_options_t **options;
	char *error = NULL;
	int rc = -1;

	handles = calloc(count, sizeof(*handles));
	options = calloc(count, sizeof(*options));
	if (handles == NULL || options == NULL)
		goto out;
	for (size_t i = 0; i < count; i++)
		options[i] = store_family_number(names[i]) < STORE_DAY_FIRST
		    ? s->options
		    : s->day_options;
	s->db = rocksdb_open_column_families(
	    s->options, s->path, (int)count, names, options, handles, &error);
	if (error != NULL)
		take_error(error, why, size);
	else
		rc = families_take(s, names, handles, count);
out:
	free(handles);
	free(options);
	return rc;
}

static int
open_existing(struct store *s, char *why, size_t size)
{
	size_t count = 0;
	char *error = NULL, **names;
	int rc = -1;

	names =
	    rocksdb_list_column_families(s->options, s->path, &count, &error);
	if (error != NULL) {
		take_error(error, why, size);
		return -1;
	}
	for (size_t i = 0; i < count; i++)
		if (store_family_number(names[i]) == -1) {
			snprintf(why, size,
			    "%s holds \"%s\", which is not ours: vault.path "
			    "must name a directory of its own",
			    s->path, names[i]);
			goto out;
		}
	if (count < STORE_FIXED) {
		/* a crash while it was made: nothing can be in it */
		rc = open_families(s, fixed_names, STORE_FIXED, why, size);
		goto out;
	}
	rc = open_families(s, (const char *const *)names, count, why, size);
out:
	rocksdb_list_column_families_destroy(names, count);
	return rc;
}

/* Files of a store without CURRENT: making it anew would write over them. */
static bool
holds_data(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	bool found = false;

	while (d != NULL && !found && (e = readdir(d)) != NULL) {
		const char *dot = strrchr(e->d_name, '.');

		found = dot != NULL &&
		    (strcmp(dot, ".sst") == 0 || strcmp(dot, ".log") == 0);
	}
	if (d != NULL)
		closedir(d);
	return found;
}

static int
open_directory(struct store *s, char *why, size_t size)
{
	if (directory_make(s->path) == -1) {
		snprintf(why, size, "%s: %s", s->path, strerror(errno));
		return -1;
	}
	if (access(s->path, R_OK | W_OK | X_OK) == 0)
		s->directory = open(s->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->directory != -1)
		return 0;
	snprintf(why, size, "%s: %s; it must belong to the user of the keeper",
	    s->path, strerror(errno));
	return -1;
}

static int
open_any(struct store *s, struct store_log *log, char *why, size_t size)
{
	char name[PATH_MAX];

	if (open_directory(s, why, size) == -1)
		return -1;
	snprintf(name, sizeof(name), "%s/CURRENT", s->path);
	if (access(name, F_OK) == -1) {
		if (holds_data(s->path)) {
			snprintf(why, size,
			    "%s is missing, but the vault is not empty; "
			    "nothing was changed: restore it from a copy",
			    name);
			return -1;
		}
		return open_families(s, fixed_names, STORE_FIXED, why, size);
	}
	if (store_log_check(s->path, log, why, size) == -1)
		return -1;
	if (open_existing(s, why, size) == 0)
		return 0;
	if (strncmp(why, "Corruption", 10) != 0 ||
	    (strstr(why, ".sst") == NULL && strstr(why, ".ldb") == NULL) ||
	    log->torn != 0)
		return -1;
	/* One table is damaged and the log is whole: serve the others. */
	log_error("vault-damaged",
	    "%s: %s; it is left as it is, what can be read is served", s->path,
	    why);
	rocksdb_options_set_paranoid_checks(s->options, 0);
	return open_existing(s, why, size);
}

/* RocksDB's words for the errors that an operator meets, with the cure. */
static void
explain(
    const struct store *s, const struct store_log *log, char *why, size_t size)
{
	char words[STORE_ERROR_MAX];

	snprintf(words, sizeof(words), "%s", why);
	if (strstr(words, "/LOCK") != NULL)
		snprintf(why, size,
		    "%s is open in another keeper: one vault, one daemon (%s)",
		    s->path, words);
	else if (strncmp(words, "Corruption", 10) == 0 && log->torn != 0)
		snprintf(why, size,
		    "%s/%s is damaged at octet %zu, its end; nothing was "
		    "changed: restore the vault from a copy or, if power "
		    "failed, keep a copy and truncate -s %zu it (%s)",
		    s->path, log->file, log->at, log->at, words);
	else if (strncmp(words, "Corruption", 10) == 0)
		snprintf(why, size,
		    "%s is damaged; nothing was changed: restore the file "
		    "named here, or the vault, from a copy (%s)",
		    s->path, words);
}

/* With nothing left in the log, the next start has no tail to judge. */
static void
flush_all(struct store *s)
{
	rocksdb_flushoptions_t *waiting = rocksdb_flushoptions_create();
	char *error = NULL, words[STORE_ERROR_MAX];

	for (size_t i = 0; i < s->count && error == NULL; i++)
		rocksdb_flush_cf(s->db, waiting, s->families[i].handle, &error);
	if (error != NULL) {
		take_error(error, words, sizeof(words));
		log_warning("vault", "flush: %s", words);
	}
	rocksdb_flushoptions_destroy(waiting);
}

struct store *
store_open(const struct store_options *options, char *why, size_t size)
{
	struct store *s = calloc(1, sizeof(*s));
	struct store_log log = { .torn = 0 };

	if (s == NULL || (s->path = strdup(options->path)) == NULL) {
		free(s);
		snprintf(why, size, "no memory");
		return NULL;
	}
	s->directory = -1;
	s->min_free = options->min_free;
	/* This thread would count each comparison of two keys, for nobody. */
	rocksdb_set_perf_level(rocksdb_disable);
	s->options = options_make(false);
	s->day_options = options_make(true);
	options_set_store(s->options);
	s->options = options_set_more(s->options);
	s->rows = rocksdb_writebatch_create();
	s->synced = rocksdb_writeoptions_create();
	rocksdb_writeoptions_set_sync(s->synced, 1);
	s->reading = rocksdb_readoptions_create();
	s->scanning = rocksdb_readoptions_create();
	rocksdb_readoptions_set_prefix_same_as_start(s->scanning, 1);
	if (open_any(s, &log, why, size) == 0) {
		if (log.torn != 0)
			log_warning("vault",
			    "%s/%s: its last %" PRIu64 " octets were not "
			    "written whole before a crash and are left out",
			    s->path, log.file, log.torn);
		/* Else what is written from now on comes after that tail. */
		if (log.torn != 0 && store_is_writable(s))
			flush_all(s);
		return s;
	}
	explain(s, &log, why, size);
	store_close(s);
	return NULL;
}

void
store_close(struct store *s)
{
	if (s == NULL)
		return;
	if (s->db != NULL && !s->broken && store_is_writable(s))
		flush_all(s);
	for (size_t i = 0; i < s->count; i++)
		rocksdb_column_family_handle_destroy(s->families[i].handle);
	if (s->db != NULL)
		rocksdb_close(s->db);
	store_batch_destroy(s->spare);
	rocksdb_writebatch_destroy(s->rows);
	rocksdb_readoptions_destroy(s->reading);
	rocksdb_readoptions_destroy(s->scanning);
	rocksdb_writeoptions_destroy(s->synced);
	rocksdb_options_destroy(s->day_options);
	rocksdb_options_destroy(s->options);
	if (s->directory != -1)
		close(s->directory);
	free(s->families);
	free(s->days);
	free(s->path);
	free(s);
}
