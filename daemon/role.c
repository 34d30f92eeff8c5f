/*
 * Programs and users of the children.
 */
#include "daemon/role.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "conf/conf.h"

#ifndef WAYBILL_LIBEXEC_DIR
#define WAYBILL_LIBEXEC_DIR "/usr/local/libexec"
#endif

static const char *const names[ROLE_COUNT] = { "keeper", "auth", "proxy",
	"track", "feed" };

const char *
role_name(enum role role)
{
	return names[role];
}

bool
role_is_wanted(const struct conf *conf, enum role role)
{
	if (role == ROLE_TRACK)
		return conf->track_on;
	if (role == ROLE_FEED)
		return conf->msa_log_on;
	return true;
}

static int
is_program(const char *directory, enum role role, char *out, size_t size)
{
	int n;

	n = snprintf(out, size, "%s/waybill-%s", directory, names[role]);
	return n > 0 && (size_t)n < size && access(out, X_OK) == 0;
}

/* Where our own executable stands, cut to the directory above it. */
static int
own_prefix(char out[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
	char *slash;

	if (n <= 0)
		return -1;
	out[n] = '\0';
	for (int i = 0; i < 2; i++) {
		slash = strrchr(out, '/');
		if (slash == NULL)
			return -1;
		*slash = '\0';
	}
	return 0;
}

static int
is_beside(const char *directory, enum role role, char *out, size_t size)
{
	char prefix[PATH_MAX], path[PATH_MAX + 20];

	if (own_prefix(prefix) < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", prefix, directory);
	return is_program(path, role, out, size);
}

int
role_program(enum role role, char *out, size_t size)
{
	const char *given = getenv("WAYBILL_LIBEXEC");
	int found;

	if (given != NULL)
		found = is_program(given, role, out, size);
	else
		found = is_beside("libexec", role, out, size) ||
		    is_beside("libexec/waybill", role, out, size) ||
		    is_program(WAYBILL_LIBEXEC_DIR, role, out, size);
	if (!found && role == ROLE_FEED)
		found = is_beside("bin", role, out, size);
	return found ? 0 : -1;
}

static int
add_group(struct identity *id, gid_t gid)
{
	for (int i = 0; i < id->group_count; i++)
		if (id->groups[i] == gid)
			return 0;
	if (id->group_count == IDENTITY_GROUPS_MAX)
		return -1;
	id->groups[id->group_count++] = gid;
	return 0;
}

/* What the role reads belongs to a group: saslauthd's socket, /var/log. */
static int
add_group_of(enum role role, struct identity *id)
{
	static const char *const groups[ROLE_COUNT] = {
		[ROLE_AUTH] = "sasl", [ROLE_FEED] = "adm"
	};
	const struct group *group =
	    groups[role] != NULL ? getgrnam(groups[role]) : NULL;

	return group == NULL ? 0 : add_group(id, group->gr_gid);
}

static int
identity_find(const char *user, enum role role, struct identity *id, char *why,
    size_t size)
{
	const struct passwd *pw;

	errno = 0;
	pw = getpwnam(user);
	if (pw == NULL) {
		snprintf(why, size,
		    "no user \"%s\" for waybill-%s; make it with "
		    "systemd-sysusers and contrib/waybill.sysusers, or set "
		    "user_%s to one that exists",
		    user, names[role], names[role]);
		return -1;
	}
	snprintf(id->user, sizeof(id->user), "%s", user);
	id->change = true;
	id->uid = pw->pw_uid;
	id->gid = pw->pw_gid;
	id->group_count = IDENTITY_GROUPS_MAX;
	if (getgrouplist(user, id->gid, id->groups, &id->group_count) < 0) {
		snprintf(why, size,
		    "user \"%s\" is in more than %d groups; "
		    "use one of its own",
		    user, IDENTITY_GROUPS_MAX);
		return -1;
	}
	if (add_group_of(role, id) < 0) {
		snprintf(why, size, "user \"%s\" is in too many groups", user);
		return -1;
	}
	return 0;
}

int
identities_find(const struct conf *conf, struct identity ids[ROLE_COUNT],
    char *why, size_t size)
{
	const char *users[ROLE_COUNT] = { conf->user_keeper, conf->user_auth,
		conf->user_proxy, conf->user_track, conf->user_feed };

	memset(ids, 0, ROLE_COUNT * sizeof(ids[0]));
	for (int role = 0; role < ROLE_COUNT; role++) {
		identity_of_door(users[role], &ids[role]);
		if (geteuid() == 0 && role_is_wanted(conf, (enum role)role) &&
		    identity_find(users[role], (enum role)role, &ids[role], why,
			size) < 0)
			return -1;
	}
	return 0;
}

void
identity_of_door(const char *user, struct identity *id)
{
	const struct passwd *pw = geteuid() == 0 ? getpwnam(user) : NULL;

	memset(id, 0, sizeof(*id));
	id->change = pw != NULL;
	id->uid = pw != NULL ? pw->pw_uid : geteuid();
	id->gid = pw != NULL ? pw->pw_gid : getegid();
}

int
identity_take(const struct identity *id)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return -1;
	if (!id->change)
		return 0;
	if (setgroups((size_t)id->group_count, id->groups) != 0 ||
	    setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return -1;
	if (id->uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return 0;
}
