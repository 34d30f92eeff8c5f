/*
 * Which file a log is: known again after rotation by rename, by copy and
 * truncation, and while nobody looked.
 */
#include "track/log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

enum { FIRST_MAX = 4096, SIBLINGS_MAX = 512 };

struct sibling {
	struct timespec changed; /* its last write */
	bool current;
	char path[PATH_MAX];
};

/* What stands between a log's name and the end of a rotated one's. */
static bool
is_suffix(const char *suffix)
{
	return (suffix[0] == '.' || suffix[0] == '-') && suffix[1] != '\0' &&
	    suffix[strspn(suffix, "0123456789.-")] == '\0';
}

static void
open_file(const char *path, struct log_file *file)
{
	struct stat st;

	memset(file, 0, sizeof(*file));
	/* A pipe under that name would block. */
	file->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	if (file->fd < 0)
		return;
	if (fstat(file->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		log_file_close(file);
		return;
	}
	file->at.device = st.st_dev;
	file->at.inode = st.st_ino;
}

void
log_file_close(struct log_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* The first line, up to FIRST_MAX octets of it; false while it is not whole. */
static bool
read_first(int fd, uint8_t out[FOLLOW_FINGERPRINT])
{
	char start[FIRST_MAX];
	ssize_t n = pread(fd, start, sizeof(start), 0);
	const char *end;
	size_t len;

	if (n <= 0)
		return false;
	end = memchr(start, '\n', (size_t)n);
	if (end == NULL && n < FIRST_MAX)
		return false;
	len = end != NULL ? (size_t)(end - start) : (size_t)n;
	SHA256((const unsigned char *)start, len, out);
	return true;
}

bool
log_file_is_same(struct log_file *file, uint64_t offset)
{
	uint8_t first[FOLLOW_FINGERPRINT];
	bool has_first = read_first(file->fd, first);
	struct stat st;

	if (fstat(file->fd, &st) != 0 || (uint64_t)st.st_size < offset)
		return false;
	if (!file->at.has_first) {
		file->at.has_first = has_first;
		if (has_first)
			memcpy(file->at.first, first, sizeof(first));
		return true;
	}
	return has_first && memcmp(first, file->at.first, sizeof(first)) == 0;
}

bool
log_file_is_replaced(const char *path, const struct log_file *file)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	    (st.st_dev != file->at.device || st.st_ino != file->at.inode);
}

static int
by_change(const void *a, const void *b)
{
	const struct sibling *x = a, *y = b;
	const char *dash, *dot;

	/* The log itself is the newest, whatever its clock says. */
	if (x->current != y->current)
		return x->current ? 1 : -1;
	if (x->changed.tv_sec != y->changed.tv_sec)
		return x->changed.tv_sec < y->changed.tv_sec ? -1 : 1;
	if (x->changed.tv_nsec != y->changed.tv_nsec)
		return x->changed.tv_nsec < y->changed.tv_nsec ? -1 : 1;
	/* "log.2" was written before "log.1", "log-0802" after "log-0801". */
	dash = strrchr(x->path, '-');
	dot = strrchr(x->path, '.');
	return dash != NULL && (dot == NULL || dash > dot)
	    ? strverscmp(x->path, y->path)
	    : strverscmp(y->path, x->path);
}

static void
add_sibling(const char *directory, const char *entry, const char *name,
    struct sibling *all, size_t *count)
{
	struct sibling *s = &all[*count];
	size_t len = strlen(name);
	struct stat st;

	if (*count == SIBLINGS_MAX || strncmp(entry, name, len) != 0 ||
	    (entry[len] != '\0' && !is_suffix(entry + len)) ||
	    (size_t)snprintf(s->path, sizeof(s->path), "%s/%s", directory,
		entry) >= sizeof(s->path) ||
	    stat(s->path, &st) != 0 || !S_ISREG(st.st_mode))
		return;
	s->changed = st.st_mtim;
	s->current = entry[len] == '\0';
	(*count)++;
}

/* The log and what it was rotated to, the oldest first; NULL without memory. */
static struct sibling *
find_siblings(const char *path, size_t *count)
{
	struct sibling *all = calloc(SIBLINGS_MAX, sizeof(*all));
	const char *slash = strrchr(path, '/');
	char directory[PATH_MAX] = ".";
	struct dirent *entry;
	DIR *dir;

	*count = 0;
	if (slash != NULL)
		snprintf(directory, sizeof(directory), "%.*s",
		    (int)(slash - path) + (slash == path), path);
	if (all == NULL || (dir = opendir(directory)) == NULL)
		return all;
	while ((entry = readdir(dir)) != NULL)
		add_sibling(directory, entry->d_name,
		    slash != NULL ? slash + 1 : path, all, count);
	closedir(dir);
	qsort(all, *count, sizeof(*all), by_change);
	return all;
}

static bool
is_recorded(
    struct log_file *file, const struct follow_record *record, bool same_inode)
{
	if (file->fd < 0 || !log_file_is_same(file, record->offset))
		return false;
	if (same_inode &&
	    (file->at.device != record->device ||
		file->at.inode != record->inode))
		return false;
	if (!record->has_first)
		return same_inode;
	return file->at.has_first &&
	    memcmp(file->at.first, record->first, FOLLOW_FINGERPRINT) == 0;
}

/* A copy has another inode, so the inode is asked for first. */
static bool
open_recorded(const struct sibling *all, size_t count,
    const struct follow_record *record, struct log_file *file)
{
	for (int same_inode = 1; same_inode >= 0; same_inode--) {
		for (size_t i = 0; i < count; i++) {
			open_file(all[i].path, file);
			file->current = all[i].current;
			if (is_recorded(file, record, same_inode == 1))
				return true;
			log_file_close(file);
		}
	}
	return false;
}

void
log_file_open(const char *path, const struct follow_record *record,
    struct log_file *file, bool *found)
{
	struct sibling *all;
	size_t count;

	file->fd = -1;
	*found = false;
	if (record->inode != 0 && (all = find_siblings(path, &count)) != NULL) {
		*found = open_recorded(all, count, record, file);
		/* All that is left was written after it, as far as we know. */
		if (!*found && count > 0) {
			open_file(all[0].path, file);
			file->current = all[0].current;
		}
		free(all);
		if (*found || file->fd >= 0)
			return;
	}
	open_file(path, file);
	file->current = true;
}

static bool
is_later(const struct sibling *s, const struct timespec *than)
{
	return s->current || s->changed.tv_sec > than->tv_sec ||
	    (s->changed.tv_sec == than->tv_sec &&
		s->changed.tv_nsec > than->tv_nsec);
}

/*
 * The place of what was written after a file; count where it is not known. The
 * file itself may be gone by now, compressed as older ones are.
 */
static size_t
place_after(
    const struct sibling *all, size_t count, const struct log_file *file)
{
	struct stat own, st;
	size_t i;

	for (i = 0; i < count; i++)
		if (stat(all[i].path, &st) == 0 &&
		    st.st_dev == file->at.device && st.st_ino == file->at.inode)
			return i + 1;
	if (fstat(file->fd, &own) != 0)
		return count;
	for (i = 0; i < count && !is_later(&all[i], &own.st_mtim); i++)
		continue;
	return i;
}

void
log_file_next(
    const char *path, const struct log_file *file, struct log_file *next)
{
	size_t count = 0, i;
	struct sibling *all = find_siblings(path, &count);

	i = place_after(all, count, file);
	/* Without any, the log itself is what comes next. */
	if (i < count) {
		open_file(all[i].path, next);
		next->current = all[i].current;
	} else {
		open_file(path, next);
		next->current = true;
	}
	free(all);
}
