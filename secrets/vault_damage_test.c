/*
 * A vault that is damaged, full, without its keys or open elsewhere: what is
 * wrong is named, what can be read is served, nothing is written over.
 */
#include "secrets/vault_fixture.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define FILLED 300

/* The last file in the vault's directory whose name ends so, or "". */
static void
file_named(const char *ending, char *path, size_t size)
{
	DIR *d = opendir(fx.path);
	char best[256] = "";
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		size_t len = strlen(e->d_name), end = strlen(ending);

		if (len > end && strcmp(e->d_name + len - end, ending) == 0 &&
		    strcmp(e->d_name, best) > 0)
			snprintf(best, sizeof(best), "%s", e->d_name);
	}
	closedir(d);
	snprintf(path, size, "%s/%s", fx.path, best);
}

static long
file_size(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (long)st.st_size;
}

static void
flip(const char *path, long at, uint8_t bits)
{
	int fd = open(path, O_RDWR);
	uint8_t octet;

	assert_int_equal(pread(fd, &octet, 1, at), 1);
	octet ^= bits;
	assert_int_equal(pwrite(fd, &octet, 1, at), 1);
	close(fd);
}

static uint64_t
checksum(const char *path)
{
	uint64_t sum = 0xcbf29ce484222325u;
	FILE *f = fopen(path, "r");
	int c;

	assert_non_null(f);
	while ((c = getc(f)) != EOF)
		sum = (sum ^ (uint64_t)c) * 0x100000001b3u;
	fclose(f);
	return sum;
}

static struct minted filled[FILLED];

/*
 * RocksDB's threads do not live in a forked child: each child is this
 * program again, by its name for the part it plays.
 */
static int
play(const char *part, int out)
{
	char fd[16], path[32] = "/proc/self/exe";
	char now[32];
	int status;
	pid_t pid;

	snprintf(fd, sizeof(fd), "%d", out);
	snprintf(now, sizeof(now), "%llu", (unsigned long long)fx.now);
	pid = fork();
	if (pid == 0) {
		execl(path, path, part, fx.dir, now, fd, (char *)NULL);
		_exit(127);
	}
	close(out);
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int
part_fill(int out, bool crash)
{
	char id[32];

	fx_open();
	for (int i = 0; i < FILLED; i++) {
		fx.now += 1000;
		filled[i] = fx_mint("alice");
		snprintf(id, sizeof(id), "<%d@x>", i);
		if (fx_settle("alice", &filled[i], id) != KEEPER_OK)
			return 1;
	}
	if (write(out, filled, sizeof(filled)) != sizeof(filled))
		return 1;
	if (crash)
		kill(getpid(), SIGKILL);
	fx_close();
	return 0;
}

/*
 * Fill a vault in a process of its own, which then is killed, or closes it.
 * What it minted comes back in a file.
 */
static void
fill(bool crash)
{
	char name[] = "/tmp/waybill-filled-XXXXXX";
	int fd = mkstemp(name), again = dup(fd);

	assert_int_equal(play(crash ? "crash" : "fill", again), crash ? -1 : 0);
	assert_int_equal(pread(fd, filled, sizeof(filled), 0), sizeof(filled));
	close(fd);
	unlink(name);
	fx.now += FILLED * 1000;
}

static int
readable(void)
{
	int count = 0;

	for (int i = 0; i < FILLED; i++) {
		struct mail_record r;

		count += fx_show("alice", filled[i].envid, &r) == KEEPER_OK;
		mail_record_free(&r);
	}
	return count;
}

static void
a_killed_keeper_lost_nothing(void **state)
{
	(void)state;
	fill(true);
	fx_open();
	assert_int_equal(readable(), FILLED);
	assert_int_equal(fx_list("alice"), FILLED);
	for (int i = 0; i < FILLED; i++)
		assert_true(
		    fx_proves("alice", filled[i].envid, filled[i].certifier));
}

/* Every octet of the log, in steps: refused, or nothing that was is lost. */
static void
damage_inside_the_log_is_refused_and_left(void **state)
{
	static const uint8_t bits[] = { 0x01, 0x80, 0xff };
	char path[512];
	uint64_t before;
	long size;

	(void)state;
	fill(true);
	file_named(".log", path, sizeof(path));
	size = file_size(path);
	for (long at = 3; at < size - 2000; at += size / 37) {
		uint8_t b = bits[at % 3];

		flip(path, at, b);
		before = checksum(path);
		if (fx_try_open())
			fail_msg(
			    "opened with octet %ld of %ld flipped", at, size);
		assert_non_null(strstr(fx.why, path));
		assert_non_null(strstr(fx.why, "nothing was changed"));
		assert_int_equal(checksum(path), before);
		flip(path, at, b);
	}
	fx_open();
	assert_int_equal(readable(), FILLED);
}

/*
 * The length of a record near the end: RocksDB alone takes the rest of the
 * block for a tail that a crash tore, and drops it in silence.
 */
static void
a_log_is_never_shortened_by_a_damaged_length(void **state)
{
	char path[512];
	uint8_t head[7];
	long at = 0, size, last[8] = { 0 };
	int fd;

	(void)state;
	fill(true);
	file_named(".log", path, sizeof(path));
	size = file_size(path);
	fd = open(path, O_RDONLY);
	while (at + 7 < size && pread(fd, head, 7, at) == 7) {
		memmove(last, last + 1, sizeof(last) - sizeof(last[0]));
		last[7] = at;
		at += 7 + (head[4] | head[5] << 8);
		if (32768 - at % 32768 < 7)
			at += 32768 - at % 32768;
	}
	close(fd);
	flip(path, last[0] + 5, 0x7f);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, path));
	assert_int_equal(file_size(path), size);
	flip(path, last[0] + 5, 0x7f);
	fx_open();
	assert_int_equal(readable(), FILLED);
}

static void
a_tail_torn_by_a_crash_is_left_out(void **state)
{
	static const char garbage[100] = "half a record";
	char path[512];
	int fd;

	(void)state;
	fill(true);
	file_named(".log", path, sizeof(path));
	fd = open(path, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, garbage, sizeof(garbage)), sizeof(garbage));
	close(fd);
	fx_open();
	assert_int_equal(readable(), FILLED);
	fx_close();
	fx_open();
	assert_int_equal(readable(), FILLED);
}

static void
a_half_written_last_batch_takes_only_itself(void **state)
{
	char path[512];

	(void)state;
	fill(true);
	file_named(".log", path, sizeof(path));
	assert_int_equal(truncate(path, file_size(path) - 100), 0);
	fx_open();
	assert_int_equal(readable(), FILLED - 1);
	/* what was minted is computed again all the same */
	assert_true(fx_proves(
	    "alice", filled[FILLED - 1].envid, filled[FILLED - 1].certifier));
}

static void
make_large_table(char *path, size_t size)
{
	char name[512];
	DIR *d;
	struct dirent *e;
	long best = 0;

	fill(false);
	d = opendir(fx.path);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".sst") == NULL)
			continue;
		snprintf(name, sizeof(name), "%s/%s", fx.path, e->d_name);
		if (file_size(name) > best) {
			best = file_size(name);
			snprintf(path, size, "%s", name);
		}
	}
	closedir(d);
	assert_true(best > 50000);
}

static void
a_damaged_table_is_left_and_the_rest_served(void **state)
{
	char path[512] = "";
	struct minted m;
	uint64_t before;
	long size;
	int list;

	(void)state;
	make_large_table(path, sizeof(path));
	size = file_size(path);
	flip(path, size / 2, 0x10);
	before = checksum(path);
	fx_open();
	assert_in_range(readable(), FILLED / 2, FILLED - 1);
	list = fx_list("alice");
	assert_in_range(list, FILLED / 2, FILLED - 1);
	for (int i = 0; i < FILLED; i++)
		assert_true(
		    fx_proves("alice", filled[i].envid, filled[i].certifier));
	m = fx_mint("alice");
	assert_int_equal(fx_settle("alice", &m, "<new@x>"), KEEPER_OK);
	assert_true(fx_proves("alice", "<new@x>", m.certifier));
	fx_close();
	assert_int_equal(checksum(path), before);
}

/* Its index, filter, properties: the table is lost, the vault is not. */
static void
a_table_that_cannot_be_opened_stops_nothing_else(void **state)
{
	static const long from_end[] = { 20, 300, 700, 1500 };
	char path[512] = "";
	struct minted m;
	uint64_t before;
	long size;

	(void)state;
	make_large_table(path, sizeof(path));
	size = file_size(path);
	for (size_t i = 0; i < 4; i++) {
		flip(path, size - from_end[i], 0x10);
		before = checksum(path);
		fx_open();
		assert_int_equal(readable(), i == 0 ? FILLED : 0);
		assert_true(
		    fx_proves("alice", filled[0].envid, filled[0].certifier));
		m = fx_mint("alice");
		assert_int_equal(fx_settle("alice", &m, "<new@x>"), KEEPER_OK);
		fx_close();
		assert_int_equal(checksum(path), before);
		flip(path, size - from_end[i], 0x10);
	}
	fx_open();
	assert_int_equal(readable(), FILLED);
}

/* Without one table after the other: never a new secret for an old account. */
static void
a_lost_table_is_not_taken_for_an_empty_vault(void **state)
{
	char path[512], moved[160];
	struct token_answer t;
	struct dirent *e;
	unsigned lost = 0, unavailable = 0;
	uint8_t status;
	DIR *d;

	(void)state;
	fill(false);
	snprintf(moved, sizeof(moved), "%s/moved", fx.dir);
	d = opendir(fx.path);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".sst") == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", fx.path, e->d_name);
		if (rename(path, moved) == -1)
			continue; /* compacted since */
		lost++;
		if (fx_try_open()) {
			status = fx_mint("alice").status;
			if (status != KEEPER_OK)
				assert_int_equal(status, KEEPER_UNAVAILABLE);
			unavailable += status == KEEPER_UNAVAILABLE;
			status = fx_token("alice", filled[0].envid, &t);
			if (status != KEEPER_OK)
				assert_int_equal(status, KEEPER_UNAVAILABLE);
			fx_close();
		} else {
			assert_non_null(strstr(fx.why, "nothing was changed"));
		}
		assert_int_equal(rename(moved, path), 0);
		fx_open();
		assert_int_equal(readable(), FILLED);
		assert_true(
		    fx_proves("alice", filled[0].envid, filled[0].certifier));
		fx_close();
	}
	closedir(d);
	assert_in_range(lost, 2, 100);
	assert_int_not_equal(unavailable, 0);
}

static void
a_lost_name_of_the_present_state_is_named(void **state)
{
	char path[512], moved[160];

	(void)state;
	fill(false);
	snprintf(moved, sizeof(moved), "%s/moved", fx.dir);
	snprintf(path, sizeof(path), "%s/CURRENT", fx.path);
	assert_int_equal(rename(path, moved), 0);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, path));
	assert_non_null(strstr(fx.why, "nothing was changed"));
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(rename(moved, path), 0);
	fx_open();
	assert_int_equal(readable(), FILLED);
}

static void
a_missing_master_key_is_named_and_nothing_changed(void **state)
{
	char command[512], moved[160];
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	fx_close();
	snprintf(moved, sizeof(moved), "%s/moved", fx.dir);
	/* gone; then another in its place; then back beside a newer one */
	assert_int_equal(rename(fx.keys, moved), 0);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, ".key\""));
	assert_non_null(strstr(fx.why, "missing"));
	assert_int_not_equal(access(fx.keys, F_OK), 0);
	snprintf(command, sizeof(command),
	    "mkdir %s && head -c 32 /dev/urandom > %s/new && chmod 600 "
	    "%s/new",
	    fx.keys, fx.keys, fx.keys);
	assert_int_equal(system(command), 0);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, "missing"));
	snprintf(command, sizeof(command), "cp -p %s/* %s/", moved, fx.keys);
	assert_int_equal(system(command), 0);
	fx_open();
	assert_true(fx_proves("alice", m.envid, m.certifier));
	m = fx_mint("bob");
	fx_close();
	/* the newer one is needed now, too */
	snprintf(command, sizeof(command), "rm %s/new", fx.keys);
	assert_int_equal(system(command), 0);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, "\"new\""));
}

static void
no_key_is_made_for_a_vault_that_has_something(void **state)
{
	char command[512];

	(void)state;
	snprintf(command, sizeof(command), "mkdir %s && touch %s/file", fx.path,
	    fx.path);
	assert_int_equal(system(command), 0);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, "no master key"));
	assert_int_not_equal(access(fx.keys, F_OK), 0);
}

static void
a_second_keeper_is_refused(void **state)
{
	(void)state;
	fx_open();
	fx_mint("alice");
	assert_int_equal(play("second", dup(1)), 7);
	assert_int_equal(fx_mint("alice").status, KEEPER_OK);
}

static void
below_min_free_nothing_is_written_but_read(void **state)
{
	struct minted m, second;
	struct mail_record r;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	second = fx_mint("alice");
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
	fx.settings.min_free = 1ll << 60;
	vault_set(fx.vault, &fx.settings);
	assert_int_equal(fx_mint("alice").status, KEEPER_UNAVAILABLE);
	assert_int_equal(fx_mint("bob").status, KEEPER_UNAVAILABLE);
	assert_int_equal(
	    fx_settle("alice", &second, "<2@x>"), KEEPER_UNAVAILABLE);
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
	assert_int_equal(fx_list("alice"), 1);
	fx_close();
	fx_open();
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
	assert_true(fx_proves("alice", second.envid, second.certifier));
	fx.settings.min_free = 0;
	vault_set(fx.vault, &fx.settings);
	assert_int_equal(fx_show("alice", "<2@x>", &r), KEEPER_NOT_FOUND);
	mail_record_free(&r);
	assert_int_equal(fx_settle("alice", &second, "<2@x>"), KEEPER_OK);
	assert_int_equal(fx_mint("bob").status, KEEPER_OK);
}

static void
a_full_disk_refuses_and_recovers(void **state)
{
	struct mail_record r;
	struct minted m;
	char big[SUBJECT_MAX], path[256];
	int settled = 0, i, fd;

	(void)state;
	mkdir(fx.path, 0700);
	if (geteuid() != 0 ||
	    mount("none", fx.path, "tmpfs", 0, "size=64m") == -1)
		skip();
	fx.settings.min_free = 16 << 20;
	fx.settings.mints_unfinished = 1000000;
	assert_true(fx_try_open());
	memset(big, 'x', sizeof(big));
	snprintf(path, sizeof(path), "%s/ballast", fx.path);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 16 << 20), 0);
	close(fd);
	for (i = 0; i < 100000; i++) {
		m = fx_mint("alice");
		if (m.status == KEEPER_UNAVAILABLE)
			break;
		r = fx_record("alice", &m, "<1@x>");
		r.subject = (struct octets){ (uint8_t *)big, sizeof(big) };
		if (fx_settle_as(&r) == KEEPER_OK)
			settled++;
	}
	assert_in_range(i, 1, 99999);
	assert_true(fx_list("alice") > 0);
	fx_close();
	fx_open();
	assert_true(fx_list("alice") > 0);
	assert_int_equal(fx_mint("alice").status, KEEPER_UNAVAILABLE);
	unlink(path);
	m = fx_mint("alice");
	assert_int_equal(m.status, KEEPER_OK);
	assert_int_equal(fx_settle("alice", &m, "<2@x>"), KEEPER_OK);
}

static int
full_teardown(void **state)
{
	fx_close();
	umount2(fx.path, MNT_DETACH);
	return fx_teardown(state);
}

static int
part_nobody(void)
{
	if (setgid(65534) != 0 || setuid(65534) != 0 || fx_try_open())
		return 1;
	return strstr(fx.why, fx.path) != NULL ? 7 : 2;
}

static void
an_unwritable_directory_is_named(void **state)
{
	char command[512];

	(void)state;
	if (geteuid() != 0)
		skip();
	fx_open();
	fx_close();
	snprintf(command, sizeof(command), "chmod 755 %s; chown -R 65534 %s",
	    fx.dir, fx.keys);
	assert_int_equal(system(command), 0);
	assert_int_equal(play("nobody", dup(1)), 7);
}

/* The part of a child: its name, the directory, the time, a descriptor. */
static int
part(char **argv)
{
	int out = atoi(argv[4]);

	fx_settings(argv[2]);
	fx.now = strtoull(argv[3], NULL, 10);
	if (strcmp(argv[1], "nobody") == 0)
		return part_nobody();
	if (strcmp(argv[1], "second") == 0)
		return !fx_try_open() && strstr(fx.why, "another keeper") ? 7
									  : 1;
	return part_fill(out, strcmp(argv[1], "crash") == 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(a_killed_keeper_lost_nothing),
		CASE(damage_inside_the_log_is_refused_and_left),
		CASE(a_log_is_never_shortened_by_a_damaged_length),
		CASE(a_tail_torn_by_a_crash_is_left_out),
		CASE(a_half_written_last_batch_takes_only_itself),
		CASE(a_damaged_table_is_left_and_the_rest_served),
		CASE(a_table_that_cannot_be_opened_stops_nothing_else),
		CASE(a_lost_table_is_not_taken_for_an_empty_vault),
		CASE(a_lost_name_of_the_present_state_is_named),
		CASE(a_missing_master_key_is_named_and_nothing_changed),
		CASE(no_key_is_made_for_a_vault_that_has_something),
		CASE(a_second_keeper_is_refused),
		CASE(below_min_free_nothing_is_written_but_read),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_refuses_and_recovers, fx_setup, full_teardown),
		CASE(an_unwritable_directory_is_named),
	};

	if (argc == 5)
		return part(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
