/*
 * Crashes between mint and settle, clocks that step and leap, retention, and
 * what must be durable before it leaves.
 */
#include "secrets/vault_fixture.h"

#include <signal.h>

#define MINTED 50

static struct minted minted[MINTED];

/* This program again, for a part that ends by SIGKILL. */
static void
crash(const char *name_of_part)
{
	char name[] = "/tmp/waybill-minted-XXXXXX";
	int fd = mkstemp(name);

	assert_int_equal(fx_play(name_of_part, dup(fd)), -1);
	assert_int_equal(pread(fd, minted, sizeof(minted), 0), sizeof(minted));
	close(fd);
	unlink(name);
}

/* Mint all, settle every third, describe every third, and be killed. */
static int
part(char **argv)
{
	struct mail_record r;
	char id[32];

	fx_settings(argv[2]);
	fx.now = strtoull(argv[3], NULL, 10);
	fx.settings.random = strcmp(argv[1], "random") == 0;
	fx_open();
	for (int i = 0; i < MINTED; i++) {
		minted[i] = fx_mint(i % 2 == 0 ? "alice" : "bob");
		snprintf(id, sizeof(id), "<%d@x>", i);
		r = fx_record(i % 2 == 0 ? "alice" : "bob", &minted[i], id);
		if (i % 3 == 1)
			fx_settle_as(&r);
		if (i % 3 == 2)
			fx_describe(&r);
	}
	if (write(atoi(argv[4]), minted, sizeof(minted)) != sizeof(minted))
		return 1;
	kill(getpid(), SIGKILL);
	return 1;
}

static void
every_certifier_is_proved_after_a_crash(void **state)
{
	struct mail_record r;
	const char *who;
	char id[32];

	(void)state;
	for (int random = 0; random < 2; random++) {
		crash(random ? "random" : "derived");
		fx.settings.random = random;
		fx_open();
		for (int i = 0; i < MINTED; i++) {
			who = i % 2 == 0 ? "alice" : "bob";
			assert_true(fx_proves(
			    who, minted[i].envid, minted[i].certifier));
			if (i % 3 == 1)
				continue;
			/* the proxy settles again what had no answer */
			snprintf(id, sizeof(id), "<%d@x>", i);
			r = fx_record(who, &minted[i], id);
			assert_int_equal(fx_settle_as(&r), KEEPER_OK);
			assert_true(fx_proves(who, id, minted[i].certifier));
		}
		assert_int_equal(fx_list("alice"), 25 * (random + 1));
		fx_close();
	}
}

static int
compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
no_envid_comes_twice_over_crashes_and_steps(void **state)
{
	static const int64_t steps[] = { 0, -1000, -86400000, 1000, 0 };
	static char all[5 * MINTED][ENVID_MAX + 1];
	const uint64_t start = fx.now;

	(void)state;
	for (int run = 0; run < 5; run++) {
		fx.now = (uint64_t)((int64_t)start + steps[run]);
		crash(run % 2 ? "random" : "derived");
		for (int i = 0; i < MINTED; i++)
			memcpy(all[run * MINTED + i], minted[i].envid,
			    sizeof(all[0]));
	}
	qsort(all, 5 * MINTED, sizeof(all[0]), compare_text);
	for (int i = 1; i < 5 * MINTED; i++)
		assert_string_not_equal(all[i], all[i - 1]);
}

/* Day by day for three weeks; what is older than retention goes. */
static void
days_past_retention_are_dropped_whole(void **state)
{
	struct minted m[21];
	struct mail_record r;
	uint8_t status;
	char id[32];

	(void)state;
	fx_open();
	for (int day = 0; day < 21; day++) {
		m[day] = fx_mint("alice");
		snprintf(id, sizeof(id), "<%d@x>", day);
		fx_settle("alice", &m[day], id);
		for (int hour = 0; hour < 24; hour++) {
			fx.now += FIXTURE_DAY / 24;
			vault_hour(fx.vault);
			fx_turn();
		}
	}
	for (int day = 0; day < 21; day++) {
		status = fx_show("alice", m[day].envid, &r);
		mail_record_free(&r);
		if (day >= 11)
			assert_int_equal(status, KEEPER_OK);
		if (day <= 9)
			assert_int_equal(status, KEEPER_NOT_FOUND);
	}
	assert_in_range(fx_list("alice"), 10, 11);
	fx_close();
	fx_open();
	assert_in_range(fx_list("alice"), 10, 11);
	assert_int_equal(fx_settle("alice", &m[0], "<0@x>"), KEEPER_NOT_FOUND);
}

static void
a_leap_drops_nothing_until_the_operator_agrees(void **state)
{
	char text[256];

	(void)state;
	fx_open();
	for (int i = 0; i < 10; i++) {
		struct minted m = fx_mint("alice");

		fx_settle("alice", &m, "<1@x>");
	}
	fx_close();
	fx.now += 400 * FIXTURE_DAY;
	fx_open();
	assert_int_equal(fx_list("alice"), 10);
	fx_mint("alice");
	vault_hour(fx.vault);
	fx_turn();
	assert_int_equal(fx_list("alice"), 10);
	fx_close();
	fx_open();
	vault_hour(fx.vault);
	assert_int_equal(fx_list("alice"), 10);
	assert_true(vault_accept_clock(fx.vault, text, sizeof(text)));
	fx_turn();
	assert_int_equal(fx_list("alice"), 0);
	fx_close();
	fx.now += FIXTURE_DAY / 24;
	fx_open();
	vault_status(fx.vault, text, sizeof(text));
	assert_non_null(strstr(text, "clock_doubted=0"));
}

/* One message, and then a leap that no hour has seen yet. */
static struct minted
leap_after_a_message(void)
{
	struct minted m;

	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	fx.now += 400 * FIXTURE_DAY;
	return m;
}

static void
a_keeper_stopped_in_a_leap_drops_nothing(void **state)
{
	struct minted m = leap_after_a_message();

	(void)state;
	fx_close();
	fx_open();
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
}

static void
a_keeper_killed_in_a_leap_drops_nothing(void **state)
{
	struct minted m = leap_after_a_message();
	char command[512];

	(void)state;
	fx_mint("alice");
	snprintf(
	    command, sizeof(command), "cp -a %s %s/killed", fx.path, fx.dir);
	assert_int_equal(system(command), 0);
	fx_close();
	snprintf(fx.path, sizeof(fx.path), "%s/killed", fx.dir);
	fx_open();
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
}

static void
the_same_leap_while_it_runs_is_doubted(void **state)
{
	char text[512];

	(void)state;
	fx_open();
	fx.now += 2 * FIXTURE_DAY;
	vault_hour(fx.vault);
	fx_turn();
	vault_status(fx.vault, text, sizeof(text));
	assert_non_null(strstr(text, "clock_doubted=1"));
}

/* Ahead for a while, and mints in it; then right again. */
static void
a_clock_that_was_wrong_is_left_behind(void **state)
{
	struct token_answer t;
	struct minted wrong, right[2];
	char text[256];

	(void)state;
	fx_open();
	fx_mint("alice");
	fx.now += 4000 * FIXTURE_DAY;
	vault_hour(fx.vault);
	wrong = fx_mint("alice");
	fx_close();
	fx.now -= 4000 * FIXTURE_DAY;
	fx_open();
	assert_true(fx_proves("alice", wrong.envid, wrong.certifier));
	assert_true(vault_accept_clock(fx.vault, text, sizeof(text)));
	for (int i = 0; i < 2; i++) {
		right[i] = fx_mint("alice");
		assert_int_equal(
		    fx_token("alice", right[i].envid, &t), KEEPER_OK);
		assert_in_range(
		    t.expires, fx.now / 1000, fx.now / 1000 + 11 * 86400);
		fx_close();
		fx_open();
	}
	assert_string_not_equal(right[0].envid, right[1].envid);
	fx_token("alice", wrong.envid, &t);
	assert_true(t.expires > fx.now / 1000 + 3000 * 86400ull);
	assert_true(fx_proves("alice", wrong.envid, wrong.certifier));
}

/* Before the network set it, say; there was no earlier time to doubt it by. */
static void
a_new_vaults_wrong_clock_is_left_behind(void **state)
{
	struct token_answer t;
	struct minted m;
	char text[512];

	(void)state;
	fx.now += 4000 * FIXTURE_DAY;
	fx_open();
	fx_mint("alice");
	fx.now -= 4000 * FIXTURE_DAY;
	vault_status(fx.vault, text, sizeof(text));
	assert_non_null(strstr(text, "clock_doubted=1"));
	assert_true(vault_accept_clock(fx.vault, text, sizeof(text)));
	m = fx_mint("alice");
	assert_int_equal(fx_token("alice", m.envid, &t), KEEPER_OK);
	assert_in_range(t.expires, fx.now / 1000, fx.now / 1000 + 11 * 86400);
	vault_status(fx.vault, text, sizeof(text));
	assert_non_null(strstr(text, "clock_doubted=0"));
}

static void
midnight_is_crossed_without_a_turn(void **state)
{
	struct minted m;

	(void)state;
	fx_open();
	fx.now = (fx.now / FIXTURE_DAY + 1) * FIXTURE_DAY - 5;
	for (int i = 0; i < 10; i++) {
		fx.now++;
		m = fx_mint("alice");
		assert_int_equal(m.status, KEEPER_OK);
		assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
	}
	assert_int_equal(fx_list("alice"), 10);
}

static void
a_day_dropped_while_it_is_written_takes_nobody_along(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	for (uint64_t end = fx.now + 11 * FIXTURE_DAY; fx.now < end;
	     fx.now += FIXTURE_DAY / 24) {
		r = fx_record("alice", &m, "<1@x>");
		fx_begin_record(vault_settle, &r);
		vault_hour(fx.vault);
		assert_int_equal(fx_mint("bob").status, KEEPER_OK);
	}
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_NOT_FOUND);
}

/* What leaves before the turn's commit, and what only after it. */
static void
ask_mint(const char *account)
{
	struct mint mint = { .ticket = fx_ticket(account) };
	struct wire_out body = { 0 };

	wire_begin(&body);
	mint_put(&body, &mint);
	assert_int_equal(fx_begin(vault_mint, &body), 0);
	wire_free(&body);
}

static void
a_first_certifier_waits_for_the_accounts_secret(void **state)
{
	(void)state;
	fx_open();
	ask_mint("alice");
	assert_int_equal(fx.type, 0);
	ask_mint("alice");
	assert_int_equal(fx.type, 0);
	vault_commit(fx.vault);
	assert_int_equal(fx.type, MSG_MINTED);
	ask_mint("alice");
	assert_int_equal(fx.type, MSG_MINTED);
}

static void
who_waits_while_the_clock_is_accepted_is_answered(void **state)
{
	char text[256];

	(void)state;
	fx.settings.random = true;
	fx.now += 4000 * FIXTURE_DAY;
	fx_open();
	fx_mint("alice");
	fx.now -= 4000 * FIXTURE_DAY;
	ask_mint("alice");
	assert_int_equal(fx.type, 0);
	assert_true(vault_accept_clock(fx.vault, text, sizeof(text)));
	vault_commit(fx.vault);
	assert_int_equal(fx.type, MSG_MINTED);
	assert_int_equal(fx.answer.data[0], KEEPER_OK);
	vault_commit(fx.vault);
	assert_false(vault_is_busy(fx.vault));
}

static void
a_random_certifier_waits_for_its_secret(void **state)
{
	(void)state;
	fx.settings.random = true;
	fx_open();
	for (int i = 0; i < 3; i++) {
		ask_mint("alice");
		assert_int_equal(fx.type, 0);
		vault_commit(fx.vault);
		assert_int_equal(fx.type, MSG_MINTED);
	}
}

static void
a_time_past_its_reservation_waits_for_the_next(void **state)
{
	(void)state;
	fx_open();
	fx_mint("alice");
	ask_mint("alice");
	assert_int_equal(fx.type, MSG_MINTED);
	fx.now += 60000;
	ask_mint("alice");
	assert_int_equal(fx.type, 0);
	vault_commit(fx.vault);
	assert_int_equal(fx.type, MSG_MINTED);
	ask_mint("alice");
	assert_int_equal(fx.type, MSG_MINTED);
}

static void
all_that_wait_share_one_batch(void **state)
{
	char before[512], after[512], name[16];
	unsigned long first, second;

	(void)state;
	fx_open();
	fx_mint("alice");
	vault_status(fx.vault, before, sizeof(before));
	for (int i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "user%d", i);
		ask_mint(name);
	}
	vault_commit(fx.vault);
	vault_status(fx.vault, after, sizeof(after));
	first = strtoul(strstr(before, " batches=") + 9, NULL, 10);
	second = strtoul(strstr(after, " batches=") + 9, NULL, 10);
	assert_int_equal(second, first + 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(every_certifier_is_proved_after_a_crash),
		CASE(no_envid_comes_twice_over_crashes_and_steps),
		CASE(days_past_retention_are_dropped_whole),
		CASE(a_leap_drops_nothing_until_the_operator_agrees),
		CASE(a_keeper_stopped_in_a_leap_drops_nothing),
		CASE(a_keeper_killed_in_a_leap_drops_nothing),
		CASE(the_same_leap_while_it_runs_is_doubted),
		CASE(a_clock_that_was_wrong_is_left_behind),
		CASE(a_new_vaults_wrong_clock_is_left_behind),
		CASE(midnight_is_crossed_without_a_turn),
		CASE(a_day_dropped_while_it_is_written_takes_nobody_along),
		CASE(a_first_certifier_waits_for_the_accounts_secret),
		CASE(who_waits_while_the_clock_is_accepted_is_answered),
		CASE(a_random_certifier_waits_for_its_secret),
		CASE(a_time_past_its_reservation_waits_for_the_next),
		CASE(all_that_wait_share_one_batch),
	};

	if (argc == 5)
		return part(argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
