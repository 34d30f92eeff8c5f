/*
 * Messages that were settled before any log was read are found by their queue
 * ids when one is, and those that are settled later at once.
 */
#include "secrets/vault_history_fixture.h"
#include "secrets/vault_inside.h"

/* More than a commit of the search, and of its steps in each day. */
enum { MANY = 2000, APART = FIXTURE_DAY / 280 };

static int accounts = 7;

/* MANY messages of all accounts in turn, on eight days, under "Q0", "Q1" ... */
static void
send_many(void)
{
	char account[16], id[32], queue_id[16];

	fx.settings.retention = 40 * FIXTURE_DAY;
	fx.settings.mints_unfinished = 10 * MANY;
	fx_open();
	for (int i = 0; i < MANY; i++) {
		snprintf(account, sizeof(account), "user%d", i % accounts);
		snprintf(id, sizeof(id), "<%d@x>", i);
		snprintf(queue_id, sizeof(queue_id), "Q%d", i);
		settled(account, id, queue_id);
		fx.now += APART;
	}
}

/* The log tells of each of them, and each has it. */
static void
all_are_found(void)
{
	char account[16], id[32], queue_id[16];
	struct feed_item item;

	feed(NULL, 0);
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(account, sizeof(account), "user%d", (int)i % accounts);
		snprintf(id, sizeof(id), "<%u@x>", i);
		snprintf(queue_id, sizeof(queue_id), "Q%u", i);
		item = a_status(queue_id,
		    FIXTURE_START + i * (uint64_t)APART + 1000, ACTION_RELAYED);
		assert_string_equal(feed_now(&item, 1), "0");
		if (i % 50 == 0)
			assert_int_equal(events_of(account, id), 1);
	}
}

static void
a_feed_comes(void)
{
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_text(&body, "main");
	wire_put_u16(&body, 0);
	assert_int_equal(fx_begin(vault_feed, &body), 0);
	wire_free(&body);
	vault_commit(fx.vault);
}

/* A feed comes, and the search has one slice. */
static void
search_a_slice(void)
{
	a_feed_comes();
	vault_slices(fx.vault);
}

static void
set_min_free(int64_t octets)
{
	fx.settings.min_free = octets;
	vault_set(fx.vault, &fx.settings);
}

static void
the_first_feed_is_told_to_come_again(void **state)
{
	struct feed_item item;

	(void)state;
	send_many();
	item = a_status("Q7", FIXTURE_START + 8 * APART, ACTION_RELAYED);
	assert_string_equal(feed_now(&item, 1), "2");
	assert_string_equal(feed_now(&item, 1), "0");
	assert_int_equal(events_of("user0", "<7@x>"), 1);
}

static void
all_of_many_days_and_accounts_are_found(void **state)
{
	(void)state;
	send_many();
	all_are_found();
}

static void
what_is_settled_later_is_found_at_once(void **state)
{
	struct feed_item item;

	(void)state;
	fx_open();
	feed(NULL, 0);
	for (int run = 0; run < 2; run++) {
		char id[16], queue_id[16];

		snprintf(id, sizeof(id), "<%d@x>", run);
		snprintf(queue_id, sizeof(queue_id), "Q%d", run);
		settled("alice", id, queue_id);
		item = a_status(queue_id, fx.now + 1000, ACTION_RELAYED);
		assert_string_equal(feed_now(&item, 1), "0");
		assert_int_equal(events_of("alice", id), 1);
		fx_close();
		fx_open();
	}
}

static void
a_search_that_was_cut_short_begins_anew(void **state)
{
	(void)state;
	send_many();
	for (int i = 0; i < 3; i++) {
		search_a_slice();
		fx_close();
		fx_open();
	}
	all_are_found();
}

/* Between two slices most days go. */
static void
days_that_expire_meanwhile_harm_nobody(void **state)
{
	char queue_id[16];

	(void)state;
	send_many();
	search_a_slice();
	fx.settings.retention = FIXTURE_DAY;
	vault_set(fx.vault, &fx.settings);
	vault_hour(fx.vault);
	fx_turn();
	settled("alice", "<last@x>", "last");
	assert_string_equal(
	    feed_one(a_status("last", fx.now + 1000, ACTION_RELAYED)), "0");
	assert_int_equal(events_of("alice", "<last@x>"), 1);
	snprintf(queue_id, sizeof(queue_id), "Q%d", MANY - 1);
	assert_string_equal(
	    feed_one(a_status(queue_id, fx.now + 1000, ACTION_RELAYED)), "0");
}

/* What is settled between two slices, and who writes for the first time. */
static void
what_is_settled_meanwhile_is_found(void **state)
{
	struct feed_item items[2];

	(void)state;
	send_many();
	search_a_slice();
	settled("user3", "<meanwhile@x>", "M1");
	settled("newcomer", "<first@x>", "M2");
	items[0] = a_status("M1", fx.now + 1000, ACTION_RELAYED);
	items[1] = a_status("M2", fx.now + 1000, ACTION_RELAYED);
	assert_string_equal(feed(items, 2), "00");
	assert_int_equal(events_of("user3", "<meanwhile@x>"), 1);
	assert_int_equal(events_of("newcomer", "<first@x>"), 1);
}

/* The disk fills up while they are gathered, and has room again. */
static void
on_a_full_disk_the_search_waits_and_goes_on(void **state)
{
	struct feed_item item;

	(void)state;
	send_many();
	search_a_slice();
	for (int i = 0; i < 3; i++) {
		set_min_free(INT64_MAX);
		fx_turn();
		item = a_status("Q7", fx.now, ACTION_RELAYED);
		assert_string_equal(feed_now(&item, 1), "2");
		set_min_free(0);
		search_a_slice();
	}
	fx_turn();
	all_are_found();
}

/* Somebody else's commit fails, and has some of the search's with it. */
static void
what_another_commit_loses_is_put_again(void **state)
{
	struct slow *slow;

	(void)state;
	send_many();
	slow = &fx.vault->claims.slow;
	for (int i = 0; i < 10; i++) {
		a_feed_comes();
		do
			slow->step(slow);
		while (fx.vault->claims.unwritten == 0);
		set_min_free(INT64_MAX);
		fx.now += FIXTURE_DAY / 48;
		vault_hour(fx.vault);
		vault_commit(fx.vault);
		set_min_free(0);
		vault_slices(fx.vault);
	}
	fx_turn();
	all_are_found();
}

/* What could not be read once is gathered when it can. */
static void
what_is_damaged_is_gathered_when_it_is_healed(void **state)
{
	char path[512];
	long size;

	for (int part = 1; part < 6; part++) {
		accounts = part == 3 ? 1 : 7;
		send_many();
		fx_close();
		size = fx_largest_table(path, sizeof(path));
		fx_flip(path, size * part / 6, 0x10);
		fx_open();
		feed(NULL, 0);
		fx_close();
		fx_flip(path, size * part / 6, 0x10);
		fx_open();
		all_are_found();
		fx_teardown(state);
		assert_int_equal(fx_setup(state), 0);
	}
	accounts = 7;
}

static void
what_is_settled_again_keeps_its_first_claim(void **state)
{
	struct minted m;
	struct feed_item item;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random != 0;
		fx_open();
		fx.now += 6 * FIXTURE_DAY;
		m = settled("alice", "<1@x>", "Q");
		fx.now += 1000;
		settled("bob", "<2@x>", "Q");
		fx.now += 1500;
		fx_settle_again("alice", &m, "<1@x>", "Q");
		fx_settle_again("alice", &m, "<1@x>", "Q");
		item = a_status("Q", fx.now, ACTION_RELAYED);
		assert_string_equal(feed(&item, 1), "0");
		assert_int_equal(events_of("alice", "<1@x>"), 1);
		assert_int_equal(events_of("bob", "<2@x>"), 0);
		fx_teardown(NULL);
		assert_int_equal(fx_setup(NULL), 0);
	}
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_first_feed_is_told_to_come_again),
		CASE(all_of_many_days_and_accounts_are_found),
		CASE(what_is_settled_later_is_found_at_once),
		CASE(a_search_that_was_cut_short_begins_anew),
		CASE(days_that_expire_meanwhile_harm_nobody),
		CASE(what_is_settled_meanwhile_is_found),
		CASE(on_a_full_disk_the_search_waits_and_goes_on),
		CASE(what_another_commit_loses_is_put_again),
		CASE(what_is_damaged_is_gathered_when_it_is_healed),
		CASE(what_is_settled_again_keeps_its_first_claim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
