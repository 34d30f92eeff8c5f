/*
 * A message is found by its Message-ID among all of its account, whatever day
 * and however many came later.
 */
#include "secrets/vault_fixture.h"

/* Three days, each of more than one step of a walk. */
enum { MANY = 200, APART = FIXTURE_DAY / 72 };

/* MANY messages of an account. */
static void
send_many(const char *account)
{
	struct minted m;
	char id[64];

	fx.settings.mints_unfinished = 10 * MANY;
	fx_open();
	for (int i = 0; i < MANY; i++) {
		m = fx_mint(account);
		snprintf(id, sizeof(id), "<%d@example.com>", i);
		assert_int_equal(fx_settle(account, &m, id), KEEPER_OK);
		fx.now += APART;
	}
}

/* Is it found, and settled at time (ms)? */
static bool
finds(const char *account, const char *id, uint64_t time)
{
	struct mail_record r;
	bool found = fx_show(account, id, &r) == KEEPER_OK && r.time == time;

	mail_record_free(&r);
	return found;
}

static void
each_is_found_by_its_message_id(void **state)
{
	char id[64];

	(void)state;
	send_many("alice");
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(id, sizeof(id), "<%u@example.com>", i);
		assert_true(
		    finds("alice", id, FIXTURE_START + i * (uint64_t)APART));
	}
}

static void
what_nobody_or_another_sent_is_not_found(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	send_many("alice");
	m = fx_mint("bob");
	assert_int_equal(fx_settle("bob", &m, "<b@example.com>"), KEEPER_OK);
	assert_int_equal(
	    fx_show("bob", "<7@example.com>", &r), KEEPER_NOT_FOUND);
	assert_int_equal(
	    fx_show("alice", "<b@example.com>", &r), KEEPER_NOT_FOUND);
	assert_int_equal(
	    fx_show("alice", "<7@example.co>", &r), KEEPER_NOT_FOUND);
}

/* As a vault that remembers none, or a record that was minted only. */
static void
what_has_no_message_id_is_passed_over(void **state)
{
	struct minted m;

	(void)state;
	fx.settings.random = true;
	fx_open();
	m = fx_mint("alice");
	assert_int_equal(fx_settle("alice", &m, "<a@example.com>"), KEEPER_OK);
	m = fx_mint("alice");
	assert_int_equal(fx_settle("alice", &m, ""), KEEPER_OK);
	fx_mint("alice");
	assert_true(finds("alice", "<a@example.com>", fx.now));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_is_found_by_its_message_id),
		CASE(what_nobody_or_another_sent_is_not_found),
		CASE(what_has_no_message_id_is_passed_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
