/*
 * Keys, copies and shared memory, each a memfd.
 */
#include "daemon/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_LONGEST = 1 << 20 };

static const int sealed =
    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;

static int
make(const char *name, const void *data, size_t len, int seals)
{
	int fd, saved;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -1;
	if ((data != NULL ? write(fd, data, len) != (ssize_t)len
			  : ftruncate(fd, (off_t)len) != 0) ||
	    fcntl(fd, F_ADD_SEALS, seals) != 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

int
secret_file_random(const char *name, size_t len)
{
	uint8_t key[256];
	int fd;

	if (len > sizeof(key) || getrandom(key, len, 0) != (ssize_t)len)
		return -1;
	fd = make(name, key, len, sealed);
	explicit_bzero(key, sizeof(key));
	return fd;
}

int
secret_file_shared(const char *name, size_t len)
{
	return make(name, NULL, len, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW);
}

/* Returns the length, or -1 with errno. */
static ssize_t
read_file(const char *path, uint8_t *out, size_t size)
{
	/* Without O_NONBLOCK a named pipe would hold us up for ever. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	while (len < size && (n = read(fd, out + len, size - len)) > 0)
		len += (size_t)n;
	close(fd);
	if (len == size) {
		errno = EFBIG;
		return -1;
	}
	return n < 0 ? -1 : (ssize_t)len;
}

int
secret_file_copy(const char *name, const char *path)
{
	uint8_t *data = malloc(COPY_LONGEST);
	ssize_t len;
	int fd = -1;

	if (data == NULL)
		return -1;
	len = read_file(path, data, COPY_LONGEST);
	if (len >= 0)
		fd = make(name, data, (size_t)len, sealed);
	explicit_bzero(data, COPY_LONGEST);
	free(data);
	return fd;
}
