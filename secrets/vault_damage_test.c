/*
 * A vault whose files are damaged or lost: what is wrong is named, what can
 * be read is served, nothing is written over.
 */
#include "secrets/vault_fixture.h"

#include <dirent.h>
#include <fcntl.h>

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

	assert_int_equal(
	    fx_play(crash ? "crash" : "fill", again), crash ? -1 : 0);
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
	size = fx_file_size(path);
	for (long at = 3; at < size - 2000; at += size / 37) {
		uint8_t b = bits[at % 3];

		fx_flip(path, at, b);
		before = checksum(path);
		if (fx_try_open())
			fail_msg(
			    "opened with octet %ld of %ld flipped", at, size);
		assert_non_null(strstr(fx.why, path));
		assert_non_null(strstr(fx.why, "nothing was changed"));
		assert_int_equal(checksum(path), before);
		fx_flip(path, at, b);
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
	size = fx_file_size(path);
	fd = open(path, O_RDONLY);
	while (at + 7 < size && pread(fd, head, 7, at) == 7) {
		memmove(last, last + 1, sizeof(last) - sizeof(last[0]));
		last[7] = at;
		at += 7 + (head[4] | head[5] << 8);
		if (32768 - at % 32768 < 7)
			at += 32768 - at % 32768;
	}
	close(fd);
	fx_flip(path, last[0] + 5, 0x7f);
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, path));
	assert_int_equal(fx_file_size(path), size);
	fx_flip(path, last[0] + 5, 0x7f);
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
	assert_int_equal(truncate(path, fx_file_size(path) - 100), 0);
	fx_open();
	assert_int_equal(readable(), FILLED - 1);
	/* what was minted is computed again all the same */
	assert_true(fx_proves(
	    "alice", filled[FILLED - 1].envid, filled[FILLED - 1].certifier));
}

/* What was left out then is no damage in the middle at the next crash. */
static void
a_second_crash_after_a_torn_tail_is_survived(void **state)
{
	char path[512];

	(void)state;
	fill(true);
	file_named(".log", path, sizeof(path));
	assert_int_equal(truncate(path, fx_file_size(path) - 100), 0);
	fill(true);
	fx_open();
	assert_int_equal(readable(), FILLED);
	assert_int_equal(fx_list("alice"), FILLED + FILLED - 1);
}

static void
make_large_table(char *path, size_t size)
{
	fill(false);
	assert_true(fx_largest_table(path, size) > 50000);
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
	size = fx_file_size(path);
	fx_flip(path, size / 2, 0x10);
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
	fx_open();
	for (int i = 0; i < FILLED; i++)
		assert_int_equal(
		    fx_settle_again("alice", &filled[i], "<again@x>", "Q"),
		    KEEPER_OK);
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
	size = fx_file_size(path);
	for (size_t i = 0; i < 4; i++) {
		fx_flip(path, size - from_end[i], 0x10);
		before = checksum(path);
		fx_open();
		assert_int_equal(readable(), i == 0 ? FILLED : 0);
		assert_true(
		    fx_proves("alice", filled[0].envid, filled[0].certifier));
		m = fx_mint("alice");
		assert_int_equal(fx_settle("alice", &m, "<new@x>"), KEEPER_OK);
		fx_close();
		assert_int_equal(checksum(path), before);
		fx_flip(path, size - from_end[i], 0x10);
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

/* The part of a child: its name, the directory, the time, a descriptor. */
static int
part(char **argv)
{
	int out = atoi(argv[4]);

	fx_settings(argv[2]);
	fx.now = strtoull(argv[3], NULL, 10);
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
		CASE(a_second_crash_after_a_torn_tail_is_survived),
		CASE(a_damaged_table_is_left_and_the_rest_served),
		CASE(a_table_that_cannot_be_opened_stops_nothing_else),
		CASE(a_lost_table_is_not_taken_for_an_empty_vault),
		CASE(a_lost_name_of_the_present_state_is_named),
	};

	if (argc == 5)
		return part(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
