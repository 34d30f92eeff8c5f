/*
 * A vault without its keys or disk, or open elsewhere: what is wrong is named,
 * and nothing changes until it is right again.
 */
#include "secrets/store.h"
#include "secrets/vault_fixture.h"

#include <fcntl.h>
#include <sys/mount.h>

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

/* A disk that is not mounted: its mount point is an empty directory. */
static void
an_empty_directory_in_the_vaults_place_is_refused(void **state)
{
	char moved[160], mark[160];
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	fx_close();
	snprintf(moved, sizeof(moved), "%s/moved", fx.dir);
	assert_int_equal(rename(fx.path, moved), 0);
	for (int made = 0; made < 2; made++) {
		assert_false(fx_try_open());
		assert_non_null(strstr(fx.why, "is empty, but"));
		assert_non_null(strstr(fx.why, fx.path));
		assert_non_null(strstr(fx.why, fx.keys));
		if (made == 0)
			assert_int_equal(mkdir(fx.path, 0700), 0);
	}
	assert_int_equal(rmdir(fx.path), 0);
	assert_int_equal(rename(moved, fx.path), 0);
	fx_open();
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
	fx_close();
	/* it is lost, and the operator says so */
	snprintf(mark, sizeof(mark), "%s/.used", fx.keys);
	assert_int_equal(unlink(mark), 0);
	assert_int_equal(rename(fx.path, moved), 0);
	fx_open();
	assert_int_equal(fx_list("alice"), 0);
	assert_int_equal(access(mark, F_OK), 0);
}

static void
a_second_keeper_is_refused(void **state)
{
	(void)state;
	fx_open();
	fx_mint("alice");
	assert_int_equal(fx_play("second", dup(1)), 7);
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

static void
put_done(void *arg, enum store_status status)
{
	(void)arg;
	assert_int_equal(status, STORE_OK);
}

static void
format_got(void *arg, enum store_status status, struct octets value)
{
	char *format = arg;

	*format = status == STORE_OK && value.len == 1 ? (char)*value.data : 0;
}

/* The format that the closed vault has; with put, after it was made that. */
static char
format_of(const char *put)
{
	struct store_options options = { fx.path, 0 };
	struct store *store = store_open(&options, fx.why, sizeof(fx.why));
	struct store_batch *batch;
	char format;

	assert_non_null(store);
	if (put != NULL) {
		batch = store_batch_new(store);
		store_batch_put(
		    batch, STORE_META, fx_text("format"), fx_text(put));
		store_submit(store, batch, put_done, NULL);
	}
	store_get(store, STORE_META, fx_text("format"), format_got, &format);
	store_close(store);
	return format;
}

/* An older Waybill must know, before there is what it cannot read. */
static void
an_older_vault_is_marked_before_it_is_written(void **state)
{
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_close();
	assert_int_equal(format_of("1"), '1');
	fx.settings.min_free = INT64_MAX;
	fx_open();
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_UNAVAILABLE);
	fx_close();
	assert_int_equal(format_of(NULL), '1');
	fx_open();
	fx.settings.min_free = 0;
	vault_set(fx.vault, &fx.settings);
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
	fx_close();
	assert_int_equal(format_of(NULL), '2');
	assert_int_equal(format_of("3"), '3');
	assert_false(fx_try_open());
	assert_non_null(strstr(fx.why, "newer Waybill"));
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
	assert_int_equal(fx_play("nobody", dup(1)), 7);
}

/* The part of a child: its name, the directory, the time, a descriptor. */
static int
part(char **argv)
{
	fx_settings(argv[2]);
	fx.now = strtoull(argv[3], NULL, 10);
	if (strcmp(argv[1], "nobody") == 0)
		return part_nobody();
	return !fx_try_open() && strstr(fx.why, "another keeper") ? 7 : 1;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(a_missing_master_key_is_named_and_nothing_changed),
		CASE(no_key_is_made_for_a_vault_that_has_something),
		CASE(an_empty_directory_in_the_vaults_place_is_refused),
		CASE(a_second_keeper_is_refused),
		CASE(below_min_free_nothing_is_written_but_read),
		CASE(an_unwritable_directory_is_named),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_refuses_and_recovers, fx_setup, full_teardown),
		cmocka_unit_test_setup_teardown(
		    an_older_vault_is_marked_before_it_is_written, fx_setup,
		    fx_teardown),
	};

	if (argc == 5)
		return part(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
