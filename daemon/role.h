/*
 * The kinds of children: which program each is, and who it runs as.
 */
#ifndef DAEMON_ROLE_H
#define DAEMON_ROLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct conf;

enum role {
	ROLE_KEEPER,
	ROLE_AUTH,
	ROLE_PROXY,
	ROLE_TRACK,
	ROLE_FEED,
	ROLE_COUNT
};

/* "keeper", "auth", "proxy", "track", "feed". */
const char *role_name(enum role);

/* Does conf want processes of that role? Tracker and feed are optional. */
bool role_is_wanted(const struct conf *, enum role);

/*
 * Path of the role's program: in $WAYBILL_LIBEXEC, or ../libexec beside our
 * own executable, or the libexec directory of the installation; the feed is
 * for people, too, and may be in ../bin instead. Returns 0, or -1 where none
 * of them has it; then out names the place looked at last.
 */
int role_program(enum role, char *out, size_t size)
    __attribute__((warn_unused_result));

enum { IDENTITY_GROUPS_MAX = 64 };

/* Who a process runs as; without root everybody is who started waybilld. */
struct identity {
	bool change;
	char user[64];
	uid_t uid;
	gid_t gid;
	gid_t groups[IDENTITY_GROUPS_MAX];
	int group_count;
};

/*
 * Find the users of conf; of a role that is not wanted, as for its door.
 * Returns 0, or -1 with what is wrong and its cure in why.
 */
int identities_find(const struct conf *, struct identity[ROLE_COUNT], char *why,
    size_t size) __attribute__((warn_unused_result));

/*
 * Who a door is for: user, or who started waybilld where that is not root or
 * there is no such user.
 */
void identity_of_door(const char *user, struct identity *);

/*
 * Become that user for good, between fork and exec. Returns 0, or -1 with
 * errno.
 */
int identity_take(const struct identity *) __attribute__((warn_unused_result));

#endif
