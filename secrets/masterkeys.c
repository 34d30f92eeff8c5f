/*
 * The master keys: a directory of files of 32 octets.
 */
#include "secrets/masterkeys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "secrets/directory.h"

#define CREDENTIAL_PREFIX "waybill-master"
#define USED_NAME	  ".used"

/* Where keys are read from, and what is asked of their files. */
struct key_source {
	const char *dir;
	const char *prefix;
	bool strict; /* nobody else may read them */
};

struct complaint {
	char *why;
	size_t size;
};

static int
complain(const struct complaint *c, const char *format, const char *dir,
    const char *name)
{
	int error = errno;
	int len = snprintf(c->why, c->size, "%s/%s: ", dir, name);

	if (len < 0 || (size_t)len >= c->size)
		return -1;
	if (format != NULL)
		snprintf(c->why + len, c->size - (size_t)len, "%s", format);
	else
		snprintf(
		    c->why + len, c->size - (size_t)len, "%s", strerror(error));
	return -1;
}

static int
key_identify(struct masterkey *k)
{
	struct octets none = { NULL, 0 };

	return seal_hash(k->key, "waybill master key", none, k->id);
}

static int
key_read_open(int fd, struct masterkey *k, const struct key_source *from,
    const struct complaint *c)
{
	uint8_t more[SEAL_KEY_LEN + 1];
	struct stat st;
	ssize_t len;

	if (fstat(fd, &st) == -1)
		return complain(c, NULL, from->dir, k->name);
	if (!S_ISREG(st.st_mode))
		return complain(c, "not a regular file; keep only keys here",
		    from->dir, k->name);
	if (from->strict && (st.st_mode & 077) != 0)
		return complain(c,
		    "others may read this master key; "
		    "chmod 600 it",
		    from->dir, k->name);
	len = read(fd, more, sizeof(more));
	if (len == -1)
		return complain(c, NULL, from->dir, k->name);
	if (len == SEAL_KEY_LEN)
		memcpy(k->key, more, SEAL_KEY_LEN);
	OPENSSL_cleanse(more, sizeof(more));
	if (len != SEAL_KEY_LEN)
		return complain(c,
		    "a master key has 32 octets, this has not; "
		    "restore it or take it away",
		    from->dir, k->name);
	return key_identify(k);
}

static int
key_read(int dir_fd, struct masterkey *k, const struct key_source *from,
    const struct complaint *c)
{
	int fd = openat(dir_fd, k->name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int rc;

	if (fd == -1)
		return complain(c, NULL, from->dir, k->name);
	rc = key_read_open(fd, k, from, c);
	close(fd);
	return rc;
}

static int
keys_add(struct masterkeys *keys, const char *name)
{
	size_t size = (keys->count + 1) * sizeof(*keys->key);
	struct masterkey *more = malloc(size);

	if (more == NULL)
		return -1;
	if (keys->count != 0) {
		memcpy(more, keys->key, size - sizeof(*more));
		OPENSSL_cleanse(keys->key, size - sizeof(*more));
	}
	free(keys->key);
	keys->key = more;
	memset(&more[keys->count], 0, sizeof(*more));
	snprintf(more[keys->count].name, sizeof(more->name), "%s", name);
	keys->count++;
	return 0;
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(((const struct masterkey *)a)->name,
	    ((const struct masterkey *)b)->name);
}

static int
keys_read_dir(struct masterkeys *keys, DIR *d, const struct key_source *from,
    const struct complaint *c)
{
	struct dirent *e;

	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' ||
		    strncmp(e->d_name, from->prefix, strlen(from->prefix)) != 0)
			continue;
		if (keys_add(keys, e->d_name) == -1)
			return complain(c, "no memory", from->dir, e->d_name);
		if (key_read(dirfd(d), &keys->key[keys->count - 1], from, c) ==
		    -1)
			return -1;
	}
	if (keys->count != 0)
		qsort(keys->key, keys->count, sizeof(*keys->key), by_name);
	return 0;
}

static int
keys_read_from(struct masterkeys *keys, const struct key_source *from,
    const struct complaint *c)
{
	DIR *d = opendir(from->dir);
	int rc;

	if (d == NULL) {
		if (errno == ENOENT)
			return 0;
		return complain(c, NULL, from->dir, "");
	}
	rc = keys_read_dir(keys, d, from, c);
	closedir(d);
	return rc;
}

int
masterkeys_read(
    struct masterkeys *keys, const char *dir, char *why, size_t size)
{
	struct key_source from = { dir, "", true };
	struct complaint c = { why, size };
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int rc;

	memset(keys, 0, sizeof(*keys));
	rc = keys_read_from(keys, &from, &c);
	if (rc == 0 && keys->count == 0 && credentials != NULL) {
		/* systemd mounts these for the service alone */
		from = (struct key_source){ credentials, CREDENTIAL_PREFIX,
			false };
		rc = keys_read_from(keys, &from, &c);
	}
	if (rc == -1)
		masterkeys_free(keys);
	return rc;
}

static int
key_write(int dir_fd, const char *name)
{
	uint8_t key[SEAL_KEY_LEN];
	int fd = -1, rc = -1;

	if (RAND_bytes(key, sizeof(key)) == 1)
		fd = openat(dir_fd, name,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1 && write(fd, key, sizeof(key)) == sizeof(key) &&
	    fsync(fd) == 0)
		rc = 0;
	OPENSSL_cleanse(key, sizeof(key));
	if (fd != -1 && close(fd) == -1)
		rc = -1;
	return rc;
}

/*
 * Under a hidden name until it is whole: a crash leaves no half key. And never
 * over another: a second keeper may have sealed with that one by now.
 */
static int
key_make(int dir_fd, const char *name)
{
	const char *hidden = ".making";
	int rc = -1;

	unlinkat(dir_fd, hidden, 0);
	if (key_write(dir_fd, hidden) == 0 &&
	    linkat(dir_fd, hidden, dir_fd, name, 0) == 0 &&
	    unlinkat(dir_fd, hidden, 0) == 0 && fsync(dir_fd) == 0)
		rc = 0;
	return rc;
}

int
masterkeys_make(const char *dir, uint64_t now, char *why, size_t size)
{
	struct complaint c = { why, size };
	time_t seconds = (time_t)(now / 1000);
	char name[64];
	struct tm tm;
	int dir_fd, rc;

	gmtime_r(&seconds, &tm);
	strftime(name, sizeof(name), "%Y-%m-%dT%H%M%SZ.key", &tm);
	if (directory_make(dir) == -1)
		return complain(&c, NULL, dir, "");
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd == -1)
		return complain(&c, NULL, dir, "");
	rc = key_make(dir_fd, name);
	if (rc == -1)
		complain(&c, NULL, dir, name);
	close(dir_fd);
	return rc;
}

bool
masterkeys_are_used(const char *dir)
{
	char name[PATH_MAX];

	snprintf(name, sizeof(name), "%s/%s", dir, USED_NAME);
	return access(name, F_OK) == 0;
}

void
masterkeys_mark_used(const char *dir)
{
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;

	if (dir_fd != -1)
		fd = openat(dir_fd, USED_NAME,
		    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd != -1) {
		close(fd);
		fsync(dir_fd);
	}
	if (dir_fd != -1)
		close(dir_fd);
}

const struct masterkey *
masterkeys_newest(const struct masterkeys *keys)
{
	return keys->count != 0 ? &keys->key[keys->count - 1] : NULL;
}

const struct masterkey *
masterkeys_find(
    const struct masterkeys *keys, const uint8_t id[MASTERKEY_ID_LEN])
{
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->key[i].id, id, MASTERKEY_ID_LEN) == 0)
			return &keys->key[i];
	return NULL;
}

int
masterkeys_close(const struct masterkeys *keys, struct octets with,
    struct octets plain, uint8_t *out)
{
	const struct masterkey *k = masterkeys_newest(keys);

	if (k == NULL)
		return -1;
	memcpy(out, k->id, MASTERKEY_ID_LEN);
	return seal_close(k->key, with, plain, out + MASTERKEY_ID_LEN);
}

int
masterkeys_open(const struct masterkeys *keys, struct octets with,
    struct octets box, uint8_t *out)
{
	const struct masterkey *k;

	if (box.len < MASTERKEY_OVERHEAD)
		return -1;
	k = masterkeys_find(keys, box.data);
	if (k == NULL)
		return -1;
	box.data += MASTERKEY_ID_LEN;
	box.len -= MASTERKEY_ID_LEN;
	return seal_open(k->key, with, box, out);
}

void
masterkeys_free(struct masterkeys *keys)
{
	if (keys->key != NULL)
		OPENSSL_cleanse(keys->key, keys->count * sizeof(*keys->key));
	free(keys->key);
	keys->key = NULL;
	keys->count = 0;
}
