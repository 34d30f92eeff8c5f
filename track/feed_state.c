/*
 * The state file of a feed, and its lock.
 */
#include "track/feed_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"

enum { STORE_MS = 1000, AGAIN_MS = 5000 };

static void
open_lock(struct feed_state *s, char *why, size_t size)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s.lock", s->path) >=
	    sizeof(path)) {
		snprintf(why, size, "%s: the name is too long", s->path);
		return;
	}
	s->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (s->lock != -1)
		return;
	if (errno == ENOENT)
		snprintf(why, size, "%s: there is no such directory", path);
	else
		snprintf(why, size, "%s: %s", path, strerror(errno));
}

/* Is the lock's file of this log, or of none yet? */
static bool
is_of(const struct feed_state *s, const char *log, char *why, size_t size)
{
	char text[PATH_MAX + 1];
	ssize_t n = pread(s->lock, text, sizeof(text) - 1, 0);

	if (n <= 0 || text[n - 1] != '\n')
		return true;
	text[n - 1] = '\0';
	if (strcmp(text, log) == 0)
		return true;
	snprintf(why, size,
	    "%s is the state of another log, %s: name another file, or remove "
	    "it and %s.lock",
	    s->path, text, s->path);
	return false;
}

enum feed_lock
feed_state_lock(struct feed_state *s, const char *log, char *why, size_t size)
{
	char text[PATH_MAX + 1];
	int len = snprintf(text, sizeof(text), "%s\n", log);

	why[0] = '\0';
	if (s->path == NULL)
		return FEED_LOCK_OURS;
	if (s->lock == -1)
		open_lock(s, why, size);
	if (s->lock == -1)
		return FEED_LOCK_FAILED;
	if (flock(s->lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno == EWOULDBLOCK || errno == EINTR)
			return FEED_LOCK_BUSY;
		snprintf(why, size, "%s.lock: %s", s->path, strerror(errno));
		return FEED_LOCK_FAILED;
	}
	if (!is_of(s, log, why, size))
		return FEED_LOCK_OTHER;
	/* A disk that is full does not matter here. */
	if (ftruncate(s->lock, 0) == -1 ||
	    pwrite(s->lock, text, (size_t)len, 0) != len)
		log_warning("state", "%s.lock: %s", s->path, strerror(errno));
	return FEED_LOCK_OURS;
}

int
feed_state_read(struct feed_state *s)
{
	memset(&s->stored, 0, sizeof(s->stored));
	if (s->path == NULL || follow_record_read(s->path, &s->stored) == 0)
		return 0;
	return errno == EBADMSG ? 1 : -1;
}

static bool
is_same(const struct follow_record *a, const struct follow_record *b)
{
	return a->device == b->device && a->inode == b->inode &&
	    a->offset == b->offset && a->has_first == b->has_first &&
	    strcmp(a->cursor, b->cursor) == 0;
}

void
feed_state_store(
    struct feed_state *s, const struct follow_record *at, uint64_t now)
{
	if (s->path == NULL || is_same(at, &s->stored) ||
	    (now != 0 && now < s->next))
		return;
	if (follow_record_write(s->path, at) == -1) {
		if (!s->failing)
			log_error("state-not-stored",
			    "%s: %s; it is tried again, and what is read "
			    "again after a restart counts once",
			    s->path, strerror(errno));
		s->failing = true;
		s->next = now + AGAIN_MS;
		return;
	}
	if (s->failing)
		log_info("state-stored", "%s: written again", s->path);
	s->failing = false;
	s->stored = *at;
	s->next = now + STORE_MS;
}

void
feed_state_close(struct feed_state *s)
{
	if (s->lock != -1)
		close(s->lock);
	s->lock = -1;
}
