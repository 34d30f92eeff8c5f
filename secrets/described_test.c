/*
 * Very many messages whose end was sent, and their proxy is lost (RFC 3885):
 * all are written, and nobody waits for that.
 */
#include "secrets/vault_fixture.h"

#define MANY 20000

static void
describe(const struct minted *m)
{
	struct mail_record r = fx_record("alice", m, "<1@x>");
	struct question from = { fx.asker, 0 };
	struct wire_out body = { 0 };
	struct wire_in in;

	wire_begin(&body);
	mail_record_put(&body, &r);
	wire_read(&in, body.data, body.len);
	assert_int_equal(vault_describe(fx.vault, from, &in), 0);
	wire_free(&body);
}

static unsigned long
fact(const char *name)
{
	char text[512];

	vault_status(fx.vault, text, sizeof(text));
	return strtoul(strstr(text, name) + strlen(name), NULL, 10);
}

static void
describe_many(void)
{
	struct minted m;

	fx.settings.mints_unfinished = 2 * MANY;
	fx_open();
	for (int i = 0; i < MANY; i++) {
		m = fx_mint("alice");
		describe(&m);
	}
	assert_int_equal(fact(" described="), MANY);
}

static void
a_turn_writes_some_of_a_lost_proxys_messages(void **state)
{
	unsigned turns = 0;

	(void)state;
	describe_many();
	vault_asker_gone(fx.vault, fx.asker);
	assert_true(vault_is_busy(fx.vault));
	do {
		vault_commit(fx.vault);
		turns++;
	} while (vault_slices(fx.vault));
	assert_true(turns > 4);
	assert_int_equal(fact(" described="), 0);
	assert_int_equal(fact(" settles="), MANY);
	assert_false(vault_is_busy(fx.vault));
}

static void
all_are_written_before_the_keeper_leaves(void **state)
{
	(void)state;
	describe_many();
	vault_asker_gone(fx.vault, fx.asker);
	vault_slices(fx.vault);
	fx_close();
	fx_open();
	assert_int_equal(fx_list("alice"), LIST_LIMIT_MAX);
	assert_int_equal(fact(" described="), 0);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_turn_writes_some_of_a_lost_proxys_messages),
		CASE(all_are_written_before_the_keeper_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
