/*
 * The run directory, its locks and doors, and the directories of the vault.
 */
#include "daemon/run_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "conf/conf.h"
#include "daemon/role.h"

/* Returns 1 where it made path, 0 where it was there, -1 with errno. */
static int
make_directory(const char *path, mode_t mode)
{
	char part[PATH_MAX];
	struct stat st;

	if (stat(path, &st) == 0) {
		errno = ENOTDIR;
		return S_ISDIR(st.st_mode) ? 0 : -1;
	}
	for (const char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		snprintf(part, sizeof(part), "%.*s", (int)(p - path), path);
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -1;
	}
	return mkdir(path, mode) == 0 ? 1 : -1;
}

/* Whoever may write there puts doors of their own in the place of ours. */
static bool
is_ours_alone(const char *path)
{
	mode_t others = geteuid() == 0 ? S_IWGRP | S_IWOTH : S_IWOTH;
	struct stat st;

	return stat(path, &st) == 0 && (st.st_mode & others) == 0 &&
	    (st.st_uid == 0 || st.st_uid == geteuid());
}

/*
 * Whoever may write in a directory above, or owns it, puts a run directory of
 * their own in the place of ours; a sticky one, as /tmp, lets nobody. Returns
 * whether the one that path is cut to is safe.
 */
static bool
is_safe_above(const char *path)
{
	mode_t others = geteuid() == 0 ? S_IWGRP | S_IWOTH : S_IWOTH;
	struct stat st;

	if (lstat(path, &st) != 0)
		return false;
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return false;
	return S_ISLNK(st.st_mode) || (st.st_mode & others) == 0 ||
	    (st.st_mode & S_ISVTX) != 0;
}

/* Cuts unsafe to the directory above path that is not safe, and says so. */
static bool
is_unsafe_above(const char *path, char unsafe[PATH_MAX])
{
	for (const char *p = strchr(path + 1, '/'); p != NULL;
	     p = strchr(p + 1, '/')) {
		snprintf(unsafe, PATH_MAX, "%.*s", (int)(p - path), path);
		if (!is_safe_above(unsafe))
			return true;
	}
	return false;
}

/* As it is written, and as the links in it lead. */
static int
check_above(const char *run_dir, char *why, size_t size)
{
	char unsafe[PATH_MAX] = "a directory", real[PATH_MAX];

	if (!is_unsafe_above(run_dir, unsafe) &&
	    realpath(run_dir, real) != NULL && !is_unsafe_above(real, unsafe))
		return 0;
	snprintf(why, size,
	    "%s, above run_dir, belongs to somebody else, or others may write "
	    "there: they could put a run_dir of their own in its place; chown "
	    "it to root and chmod 755, or move run_dir",
	    unsafe);
	return -1;
}

int
run_dir_claim(const char *run_dir, char *why, size_t size)
{
	char path[PATH_MAX];
	int fd;

	if (make_directory(run_dir, 0755) < 0) {
		snprintf(why, size,
		    "run_dir %s cannot be made: %s; make it, or set run_dir to "
		    "a directory that the user who starts waybilld may write",
		    run_dir, strerror(errno));
		return -1;
	}
	if (!is_ours_alone(run_dir)) {
		snprintf(why, size,
		    "run_dir %s belongs to somebody else, or others may write "
		    "there; chown it to the user who starts waybilld and chmod "
		    "755",
		    run_dir);
		return -1;
	}
	if (check_above(run_dir, why, size) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/waybilld.lock", run_dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		snprintf(why, size,
		    "%s cannot be opened: %s; give run_dir to "
		    "the user who starts waybilld",
		    path, strerror(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		snprintf(why, size,
		    "another waybilld runs in %s; stop it with waybillctl -d "
		    "%s stop, or set run_dir to another directory",
		    run_dir, run_dir);
		close(fd);
		return -1;
	}
	return fd;
}

static int
open_children_lock(const char *path)
{
	return open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* Returns 0 with the lock, 1 without it after wait_ms, -2 for a signal. */
static int
wait_lock(int fd, const char *run_dir, uint64_t wait_ms)
{
	uint64_t start = clock_ms();
	struct timespec pause = { 0, 50000000 };
	sigset_t stop;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	log_warning("waiting-for-children",
	    "children of an earlier waybilld are still in %s", run_dir);
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	while (clock_ms() - start < wait_ms) {
		if (sigtimedwait(&stop, NULL, &pause) > 0)
			return -2;
		if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
			log_info("children-gone", "after %llu ms",
			    (unsigned long long)(clock_ms() - start));
			return 0;
		}
	}
	return 1;
}

int
run_dir_wait_children(
    const char *run_dir, uint64_t wait_ms, char *why, size_t size)
{
	char path[PATH_MAX];
	int fd, status = 0;

	snprintf(path, sizeof(path), "%s/children.lock", run_dir);
	fd = open_children_lock(path);
	if (fd >= 0)
		status = wait_lock(fd, run_dir, wait_ms);
	if (status == 1) {
		/* They keep the old file; ours is one that nobody holds. */
		log_warning("children-stay",
		    "children of an earlier waybilld are still there; starting "
		    "beside them");
		close(fd);
		unlink(path);
		fd = open_children_lock(path);
		status = fd < 0 ? 0 : flock(fd, LOCK_EX | LOCK_NB);
	}
	if (fd < 0 || status == -1)
		snprintf(why, size, "%s: %s", path, strerror(errno));
	if (fd >= 0 && status < 0)
		close(fd);
	return status < 0 ? status : fd;
}

/* By its descriptor: the name may stand for something else by now. */
static int
give_directory(const char *path, const struct identity *owner)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int status;

	if (fd < 0)
		return -1;
	status = fchown(fd, owner->uid, owner->gid);
	close(fd);
	return status;
}

static void
make_private(const char *event, const char *option, const char *path,
    const struct identity *owner)
{
	int made = make_directory(path, 0700);

	if (made == 1 && owner->change && give_directory(path, owner) != 0)
		made = -1;
	if (made < 0)
		log_error(event,
		    "%s %s cannot be made: %s; make it, mode 0700, for the "
		    "user of the %s",
		    option, path, strerror(errno),
		    strcmp(option, "state") == 0 ? "feed" : "keeper");
}

void
run_dir_make_vault(const struct conf *conf, const struct identity *keeper)
{
	make_private("vault-directory", "vault", conf->vault.path, keeper);
	make_private("vault-directory", "keys", conf->vault.keys, keeper);
}

void
run_dir_make_feed(const struct conf *conf, const struct identity *feed)
{
	const char *state = conf->msa_log.state, *slash = strrchr(state, '/');
	char directory[PATH_MAX];

	if (!conf->msa_log_on || slash == NULL || slash == state)
		return;
	snprintf(
	    directory, sizeof(directory), "%.*s", (int)(slash - state), state);
	make_private("feed-directory", "state", directory, feed);
}

/* A socket under a name that only its owner can connect to, from the start. */
static int
bind_private(int fd, const struct sockaddr_un *un)
{
	mode_t before = umask(0177);
	int status;

	if (unlink(un->sun_path) != 0 && errno != ENOENT)
		status = -1;
	else
		status = bind(fd, (const struct sockaddr *)un, sizeof(*un));
	umask(before);
	return status;
}

int
run_dir_door(const char *run_dir, const char *name,
    const struct identity *owner, char *why, size_t size)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd, n;

	n = snprintf(un.sun_path, sizeof(un.sun_path), "%s/%s", run_dir, name);
	if (n < 0 || (size_t)n >= sizeof(un.sun_path)) {
		snprintf(why, size, "run_dir is too long for a socket's name");
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind_private(fd, &un) != 0 ||
	    (owner->change &&
		fchownat(AT_FDCWD, un.sun_path, owner->uid, (gid_t)-1,
		    AT_SYMLINK_NOFOLLOW) != 0) ||
	    listen(fd, 4096) != 0) {
		snprintf(why, size, "door %s: %s; is run_dir writable?",
		    un.sun_path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}
