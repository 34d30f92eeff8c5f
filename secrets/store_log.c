/*
 * A strict reader of RocksDB's log files: blocks of 32 KiB, in them records
 * of {u32 masked CRC-32C, u16 length, u8 type} little-endian and the octets.
 */
#include "secrets/store_log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK	    32768u
#define HEADER	    7u
#define TYPE_FULL   1
#define TYPE_FIRST  2
#define TYPE_LAST   4
#define MASK_DELTA  0xa282ead8u
#define CRC32C_POLY 0x82f63b78u

struct log_file {
	char name[256];
	uint64_t number;
	void *map;
	const uint8_t *data; /* the same */
	size_t len;
};

static uint32_t crc_table[256];

static void
crc_prepare(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLY : 0);
		crc_table[i] = crc;
	}
}

static uint32_t
crc_masked(const uint8_t *data, size_t len)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < len; i++)
		crc = crc >> 8 ^ crc_table[(crc ^ data[i]) & 0xff];
	crc = ~crc;
	return (crc >> 15 | crc << 17) + MASK_DELTA;
}

/*
 * The whole record at offset: its length with the header, or 0 where there
 * is none. Its type goes to *type.
 */
static size_t
record_at(const struct log_file *f, size_t offset, int *type)
{
	size_t left = BLOCK - offset % BLOCK;
	const uint8_t *p = f->data + offset;
	uint32_t crc;
	size_t len;

	if (left > f->len - offset)
		left = f->len - offset;
	if (left < HEADER || p[6] < TYPE_FULL || p[6] > TYPE_LAST)
		return 0;
	len = p[4] | (size_t)p[5] << 8;
	if (len > left - HEADER)
		return 0;
	crc = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
	if (crc != crc_masked(p + 6, len + 1))
		return 0;
	*type = p[6];
	return HEADER + len;
}

/*
 * Walk whole records. Returns where the walk ends: at the end of the file,
 * or at the first octet that belongs to no whole record.
 */
static size_t
walk(const struct log_file *f)
{
	size_t offset = 0, whole = 0, len;
	bool inside = false;
	int type;

	while (offset < f->len) {
		if (BLOCK - offset % BLOCK < HEADER) {
			offset += BLOCK - offset % BLOCK;
			continue;
		}
		len = record_at(f, offset, &type);
		if (len == 0 || inside != (type > TYPE_FIRST))
			return whole;
		offset += len;
		inside = type != TYPE_FULL && type != TYPE_LAST;
		if (!inside)
			whole = offset;
	}
	return whole;
}

/*
 * Does a record begin, whole, after offset? Each batch is synced before the
 * next is written, so what comes before such a record was whole once.
 */
static bool
begins_after(const struct log_file *f, size_t offset)
{
	int type;

	for (offset++; offset + HEADER < f->len; offset++) {
		uint8_t first = f->data[offset + 6];

		if ((first == TYPE_FULL || first == TYPE_FIRST) &&
		    record_at(f, offset, &type) > HEADER)
			return true;
	}
	return false;
}

static int
file_check(const struct log_file *f, bool newest, struct store_log *log)
{
	size_t end = f->len, at = walk(f);

	/* Space that was set aside and never written reads as zeroes. */
	while (end > at && f->data[end - 1] == 0)
		end--;
	if (at >= end)
		return 0;
	log->at = at;
	snprintf(log->file, sizeof(log->file), "%s", f->name);
	if (!newest || begins_after(f, at))
		return -1;
	log->torn = end - at;
	return 0;
}

static int
file_map(struct log_file *f, const char *path)
{
	char name[4096 + 256];
	struct stat st;
	void *data;
	int fd;

	snprintf(name, sizeof(name), "%s/%s", path, f->name);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		goto fail;
	f->len = (size_t)st.st_size;
	f->data = NULL;
	if (f->len != 0) {
		data = mmap(NULL, f->len, PROT_READ, MAP_PRIVATE, fd, 0);
		if (data == MAP_FAILED)
			goto fail;
		f->map = data;
		f->data = data;
	}
	close(fd);
	return 0;
fail:
	if (fd != -1)
		close(fd);
	return -1;
}

static int
by_number(const void *a, const void *b)
{
	const struct log_file *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* The log files at path, in the order they were written; NULL without any. */
static struct log_file *
files_list(const char *path, size_t *count)
{
	struct log_file *list = NULL, *more;
	DIR *d = opendir(path);
	struct dirent *e;

	*count = 0;
	while (d != NULL && (e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name);

		if (len < 5 || strcmp(e->d_name + len - 4, ".log") != 0 ||
		    strspn(e->d_name, "0123456789") != len - 4)
			continue;
		more = reallocarray(list, *count + 1, sizeof(*list));
		if (more == NULL)
			break;
		list = more;
		memset(&list[*count], 0, sizeof(*list));
		snprintf(
		    list[*count].name, sizeof(list->name), "%s", e->d_name);
		list[(*count)++].number = strtoull(e->d_name, NULL, 10);
	}
	if (d != NULL)
		closedir(d);
	if (list != NULL)
		qsort(list, *count, sizeof(*list), by_number);
	return list;
}

int
store_log_check(const char *path, struct store_log *log, char *why, size_t size)
{
	struct log_file *list;
	bool newest = true;
	size_t count;
	int rc = 0;

	memset(log, 0, sizeof(*log));
	crc_prepare();
	list = files_list(path, &count);
	/* Backwards: a log may be torn only if nothing was written after it. */
	for (size_t i = count; rc == 0 && i > 0; i--) {
		struct log_file *f = &list[i - 1];

		if (file_map(f, path) == -1) {
			if (errno == ENOENT)
				continue;
			snprintf(why, size, "%s/%s: %s", path, f->name,
			    strerror(errno));
			rc = -1;
			break;
		}
		rc = file_check(f, newest, log);
		if (rc == -1)
			snprintf(why, size,
			    "%s/%s is damaged at octet %zu, with records after "
			    "it; nothing was changed: restore the vault from "
			    "a copy",
			    path, f->name, log->at);
		if (f->len != 0 && walk(f) != 0)
			newest = false;
		if (f->data != NULL)
			munmap(f->map, f->len);
	}
	free(list);
	return rc;
}
