/*
 * Directories of the keeper.
 */
#include "secrets/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In path's parent; the whole file system where that may not be read. */
static int
parent_sync(const char *path)
{
	char name[PATH_MAX];
	int fd, rc;

	snprintf(name, sizeof(name), "%s/..", path);
	fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		rc = fsync(fd);
	} else {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = fd == -1 ? -1 : syncfs(fd);
	}
	if (fd != -1)
		close(fd);
	return rc;
}

int
directory_make(const char *path)
{
	if (mkdir(path, 0700) == -1)
		return errno == EEXIST ? 0 : -1;
	return parent_sync(path);
}
