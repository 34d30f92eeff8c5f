/*
 * The run directory: made once, claimed by one waybilld, and not taken over
 * while children of a dead one are there. Keys and copies that go with it.
 */
#include "daemon/run_dir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "daemon/role.h"
#include "daemon/secret_file.h"

static char directory[] = "/tmp/run-dir-test-XXXXXX";
static char run_dir[100];

static int
make_directory(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(run_dir, sizeof(run_dir), "%s/deep/run", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	static const char *const names[] = { "deep/run/waybilld.lock",
		"deep/run/children.lock", "deep/run/door", "file" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	rmdir(run_dir);
	snprintf(path, sizeof(path), "%s/deep", directory);
	rmdir(path);
	return rmdir(directory);
}

static void
one_waybilld_claims_it(void **state)
{
	char why[300] = "";
	struct stat st;
	int fd;

	(void)state;
	fd = run_dir_claim(run_dir, why, sizeof(why));
	assert_true(fd >= 0);
	assert_int_equal(stat(run_dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(run_dir_claim(run_dir, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "another waybilld runs in"));
	close(fd);
	fd = run_dir_claim(run_dir, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
}

/* Who may rename what is above it puts a directory of their own there. */
static void
a_directory_above_that_others_write_is_refused(void **state)
{
	char why[600] = "", above[200];
	int fd;

	(void)state;
	snprintf(above, sizeof(above), "%s/deep", directory);
	assert_int_equal(chmod(above, 0777), 0);
	assert_int_equal(run_dir_claim(run_dir, why, sizeof(why)), -1);
	assert_non_null(strstr(why, above));
	assert_non_null(strstr(why, "above run_dir"));
	assert_int_equal(chmod(above, 01777), 0);
	fd = run_dir_claim(run_dir, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(chmod(above, 0755), 0);
	if (geteuid() != 0)
		return;
	assert_int_equal(chown(above, 1, 1), 0);
	assert_int_equal(run_dir_claim(run_dir, why, sizeof(why)), -1);
	assert_int_equal(chown(above, 0, 0), 0);
}

static void
a_link_to_it_is_followed_and_checked(void **state)
{
	char why[600] = "", path[300], target[200], above[200];

	(void)state;
	snprintf(above, sizeof(above), "%s/deep", directory);
	snprintf(target, sizeof(target), "%s/link", directory);
	assert_int_equal(symlink(above, target), 0);
	snprintf(path, sizeof(path), "%s/run", target);
	assert_int_equal(chmod(above, 0777), 0);
	assert_int_equal(run_dir_claim(path, why, sizeof(why)), -1);
	assert_non_null(strstr(why, above));
	assert_int_equal(chmod(above, 0755), 0);
	assert_int_equal(unlink(target), 0);
}

static void
the_state_of_the_feed_has_a_directory_of_its_own(void **state)
{
	char path[200], file[220];
	struct conf conf = { .msa_log_on = true, .msa_log.state = file };
	struct identity feed = { .uid = geteuid() };
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/feed", directory);
	snprintf(file, sizeof(file), "%s/main", path);
	run_dir_make_feed(&conf, &feed);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(rmdir(path), 0);
	conf.msa_log_on = false;
	run_dir_make_feed(&conf, &feed);
	assert_int_equal(stat(path, &st), -1);
}

static void
what_cannot_be_made_is_explained(void **state)
{
	char path[200], why[300] = "";
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", directory);
	f = fopen(path, "we");
	assert_non_null(f);
	fclose(f);
	assert_int_equal(run_dir_claim(path, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "Not a directory"));
	assert_non_null(strstr(why, "set run_dir"));
}

static void
one_that_is_not_ours_alone_is_refused(void **state)
{
	static const struct {
		mode_t mode;
		bool foreign;
		bool good;
		bool root_only;
	} cases[] = {
		{ 0755, false, true, false },
		{ 0700, false, true, false },
		{ 0757, false, false, false },
		{ 01777, false, false, false },
		{ 0775, false, false, true },
		{ 0755, true, false, true },
	};
	char path[200], why[300];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/run", directory);
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].root_only && geteuid() != 0)
			continue;
		assert_int_equal(chmod(path, cases[i].mode), 0);
		if (cases[i].foreign)
			assert_int_equal(chown(path, 65534, 65534), 0);
		why[0] = '\0';
		fd = run_dir_claim(path, why, sizeof(why));
		assert_int_equal(fd >= 0, cases[i].good);
		assert_int_equal(strstr(why, "chmod 755") == NULL, fd >= 0);
		if (fd >= 0)
			close(fd);
	}
	snprintf(path, sizeof(path), "%s/run/waybilld.lock", directory);
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
}

/* A child has the very descriptor, so the lock is free when it is gone. */
static void
children_of_a_dead_one_are_waited_for(void **state)
{
	char why[300] = "";
	int fd, child, again;

	(void)state;
	fd = run_dir_wait_children(run_dir, 0, why, sizeof(why));
	assert_true(fd >= 0);
	child = dup(fd);
	close(fd);
	again = run_dir_wait_children(run_dir, 120, why, sizeof(why));
	/* It went on beside them: with a lock of its own. */
	assert_true(again >= 0);
	close(child);
	fd = run_dir_wait_children(run_dir, 0, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
	close(again);
	fd = run_dir_wait_children(run_dir, 0, why, sizeof(why));
	assert_true(fd >= 0);
	close(fd);
}

static void
a_signal_ends_the_wait(void **state)
{
	char why[300] = "";
	sigset_t stop;
	int fd;

	(void)state;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	fd = run_dir_wait_children(run_dir, 0, why, sizeof(why));
	assert_true(fd >= 0);
	raise(SIGTERM);
	assert_int_equal(
	    run_dir_wait_children(run_dir, 10000, why, sizeof(why)), -2);
	close(fd);
	sigprocmask(SIG_UNBLOCK, &stop, NULL);
}

static void
a_door_is_its_owners_alone_and_replaces_a_stale_one(void **state)
{
	struct identity self = { .uid = geteuid() };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	char why[300] = "";
	struct stat st;
	int stale, door, client;

	(void)state;
	stale = run_dir_door(run_dir, "door", &self, why, sizeof(why));
	assert_true(stale >= 0);
	close(stale);
	door = run_dir_door(run_dir, "door", &self, why, sizeof(why));
	assert_true(door >= 0);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/door", run_dir);
	assert_int_equal(stat(un.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	client = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(client, (struct sockaddr *)&un, sizeof(un)), 0);
	close(client);
	close(door);
}

static void
keys_are_random_and_sealed_and_shared_memory_is_neither(void **state)
{
	char a[32], b[32], zero[32] = { 0 };
	int x = secret_file_random("x", sizeof(a));
	int y = secret_file_random("y", sizeof(b));
	int shared = secret_file_shared("shared", 4096);

	(void)state;
	assert_int_equal(pread(x, a, sizeof(a), 0), sizeof(a));
	assert_int_equal(pread(y, b, sizeof(b), 0), sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a, zero, sizeof(a));
	assert_int_equal(pwrite(x, a, 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(pwrite(shared, "x", 1, 4095), 1);
	assert_int_equal(ftruncate(shared, 1), -1);
	close(x);
	close(y);
	close(shared);
}

static void
a_copy_is_what_the_file_was(void **state)
{
	char path[200], text[10] = "";
	FILE *f;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/file", directory);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs("before", f);
	fclose(f);
	fd = secret_file_copy("copy", path);
	assert_true(fd >= 0);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs("after", f);
	fclose(f);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 6);
	assert_memory_equal(text, "before", 6);
	close(fd);
	unlink(path);
	assert_int_equal(secret_file_copy("copy", path), -1);
	assert_int_equal(errno, ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_waybilld_claims_it),
		cmocka_unit_test(
		    a_directory_above_that_others_write_is_refused),
		cmocka_unit_test(a_link_to_it_is_followed_and_checked),
		cmocka_unit_test(
		    the_state_of_the_feed_has_a_directory_of_its_own),
		cmocka_unit_test(what_cannot_be_made_is_explained),
		cmocka_unit_test(one_that_is_not_ours_alone_is_refused),
		cmocka_unit_test(children_of_a_dead_one_are_waited_for),
		cmocka_unit_test(a_signal_ends_the_wait),
		cmocka_unit_test(
		    a_door_is_its_owners_alone_and_replaces_a_stale_one),
		cmocka_unit_test(
		    keys_are_random_and_sealed_and_shared_memory_is_neither),
		cmocka_unit_test(a_copy_is_what_the_file_was),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
