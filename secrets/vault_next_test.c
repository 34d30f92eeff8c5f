/*
 * The mint of a session's next message, which comes with a settle.
 */
#include "secrets/vault_fixture.h"

#include "secrets/vault_inside.h"

/* It is as good as one that was asked for. */
static void
a_settle_brings_the_next_mint(void **state)
{
	struct minted m, next = { 0 };
	struct token_answer t;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random != 0;
		fx_open();
		m = fx_mint("alice");
		for (int i = 0; i < 5; i++) {
			assert_true(fx_settle_next("alice", &m, &next));
			assert_int_equal(next.status, KEEPER_OK);
			assert_string_not_equal(next.envid, m.envid);
			m = next;
		}
		fx_close();
		fx_open();
		assert_int_equal(fx_settle("alice", &m, "<next@x>"), KEEPER_OK);
		assert_int_equal(fx_token("alice", "<next@x>", &t), KEEPER_OK);
		assert_string_equal(t.certifier, m.certifier);
		if (random == 0)
			fx_close();
	}
}

/* Settle a new message, its session going on, but for the commit. */
static void
ask_settle_next(void)
{
	struct minted m = fx_mint("alice");
	struct mail_record r = fx_record("alice", &m, "<1@x>");

	fx.now += 60000;
	fx_begin_record(vault_settle_next, &r);
	assert_int_equal(fx.type, 0);
}

/* A commit in between reserves no time, and may fail. */
static void
a_next_mint_is_left_out_where_it_would_have_to_wait(void **state)
{
	(void)state;
	fx_open();
	for (int i = 0; i < 4; i++) {
		ask_settle_next();
		fx.vault->group.failed = i % 2 == 1;
		group_commit(&fx.vault->group, true);
		assert_int_equal(fx.type, MSG_SETTLED);
		assert_int_equal(fx.answer.len, 1);
		assert_int_equal(fx.answer.data[0],
		    i % 2 == 1 ? KEEPER_UNAVAILABLE : KEEPER_OK);
		fx_turn();
	}
	ask_settle_next();
	vault_commit(fx.vault);
	assert_true(fx.answer.len > 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_settle_brings_the_next_mint),
		CASE(a_next_mint_is_left_out_where_it_would_have_to_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
