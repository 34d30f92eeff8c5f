/*
 * Very many messages whose end was sent, and their proxy is lost (RFC 3885):
 * all are written, and nobody waits for that.
 */
#include "secrets/vault_fixture.h"

#include "secrets/vault_inside.h"

#define MANY 20000

static void
describe(const struct minted *m)
{
	struct mail_record r = fx_record("alice", m, "<1@x>");

	r.outcome = OUTCOME_UNKNOWN;
	fx_begin_record(vault_describe, &r);
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
		/* nobody waits for these */
		assert_int_equal(vault_gathered(fx.vault), 0);
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

/* One proxy describes all it can; what the others describe is kept. */
static void
an_asker_leaves_the_others_their_room(void **state)
{
	static struct mail_recipient to[100];
	static char address[1001];
	struct mail_record r;
	struct minted m, other;
	unsigned long most;

	(void)state;
	fx.settings.mints_unfinished = 100000;
	fx_open();
	memset(address, 'a', sizeof(address) - 1);
	for (int i = 0; i < 100; i++)
		to[i] = (struct mail_recipient){ fx_text(address), 250,
			fx_text("Ok") };
	for (int i = 0; i < 800; i++) {
		m = fx_mint("mallory");
		r = fx_record("mallory", &m, "<1@x>");
		r.recipients = to;
		r.recipient_count = 100;
		fx_describe(&r);
	}
	most = fact(" described=");
	assert_in_range(most, 100, 200);
	fx.asker = 2;
	other = fx_mint("alice");
	describe(&other);
	assert_int_equal(fact(" described="), most + 1);
	vault_asker_gone(fx.vault, 1);
	fx_turn();
	assert_int_equal(fact(" described="), 1);
	vault_asker_gone(fx.vault, 2);
	fx_turn();
	assert_int_equal(fact(" described="), 0);
	assert_int_equal(fx_list("alice"), 1);
}

/* The disk was full when the outcome came; what it was is not forgotten. */
static void
what_was_settled_on_a_full_disk_is_written_as_it_was(void **state)
{
	struct mail_record r, kept;
	struct minted m;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random == 1;
		fx_open();
		m = fx_mint("alice");
		r = fx_record("alice", &m, "<1@x>");
		r.outcome = OUTCOME_UNKNOWN;
		fx_describe(&r);
		fx.settings.min_free = INT64_MAX;
		vault_set(fx.vault, &fx.settings);
		r.outcome = OUTCOME_ACCEPTED;
		assert_int_equal(fx_settle_as(&r), KEEPER_UNAVAILABLE);
		/* what is said late of a message that has ended */
		r.outcome = OUTCOME_UNKNOWN;
		fx_describe(&r);
		/* it is tried, and kept again; and then there is room */
		vault_asker_gone(fx.vault, fx.asker);
		fx_turn();
		assert_int_equal(fact(" described="), 1);
		fx.settings.min_free = 0;
		vault_set(fx.vault, &fx.settings);
		fx.now += 3 * 3600000;
		vault_hour(fx.vault);
		fx_turn();
		assert_int_equal(fact(" described="), 0);
		assert_int_equal(fx_show("alice", m.envid, &kept), KEEPER_OK);
		assert_int_equal(kept.outcome, OUTCOME_ACCEPTED);
		mail_record_free(&kept);
		fx_close();
	}
}

/* Whatever may be asked can be stored, and shown again. */
static void
the_longest_record_is_stored(void **state)
{
	static struct mail_recipient to[1040];
	static char address[ADDRESS_MAX], sender[ADDRESS_MAX];
	struct wire_out body = { 0 };
	struct mail_record r, shown;
	struct minted m;

	(void)state;
	fx_open();
	memset(address, 'a', sizeof(address));
	memset(sender, 's', sizeof(sender));
	m = fx_mint("alice");
	r = fx_record("alice", &m, "<1@x>");
	for (size_t i = 0; i < 1040; i++)
		to[i] = (struct mail_recipient){ { (uint8_t *)address, 997 },
			250, { NULL, 0 } };
	r.recipients = to;
	r.recipient_count = 1040;
	wire_begin(&body);
	mail_record_put(&body, &r);
	assert_false(body.failed);
	assert_true(body.len < MAIL_RECORD_MAX);
	r.sender.data = (uint8_t *)sender;
	r.sender.len += MAIL_RECORD_MAX - body.len;
	assert_in_range(r.sender.len, 1, sizeof(sender));
	/* where replies do not fit, they are left out */
	for (int replies = 0; replies < 2; replies++) {
		to[0].reply = fx_text(replies ? "Ok" : "");
		wire_begin(&body);
		mail_record_put(&body, &r);
		assert_false(body.failed);
		assert_int_equal(body.len, MAIL_RECORD_MAX);
		fx_describe(&r);
		assert_int_equal(fact(" described="), 1);
		assert_int_equal(fx_settle_as(&r), KEEPER_OK);
		assert_int_equal(fx_show("alice", m.envid, &shown), KEEPER_OK);
		assert_int_equal(shown.recipient_count, 1040);
		mail_record_free(&shown);
		assert_int_equal(fx_list("alice"), 1);
	}
	r.recipients[1].address.len++;
	wire_begin(&body);
	mail_record_put(&body, &r);
	assert_true(body.failed);
	wire_free(&body);
}

/* Both come in one turn of the event loop, in either order. */
static void
what_is_settled_is_never_forgotten(void **state)
{
	struct wire_out forget = { 0 };
	struct ticket ticket;
	struct mail_record r;
	struct minted m;

	(void)state;
	fx.settings.random = true;
	fx_open();
	for (int settle_first = 0; settle_first < 2; settle_first++) {
		m = fx_mint("alice");
		r = fx_record("alice", &m, "<1@x>");
		ticket = fx_ticket("alice");
		wire_begin(&forget);
		ticket_put(&forget, &ticket);
		wire_put_raw(&forget, m.handle, HANDLE_LEN);
		wire_put_u8(&forget, 0);
		if (settle_first)
			fx_begin_record(vault_settle, &r);
		assert_int_equal(fx_begin(vault_forget, &forget), 0);
		if (!settle_first)
			fx_begin_record(vault_settle, &r);
		fx_turn();
		fx_mint("alice");
		fx_turn();
		assert_true(fx_proves("alice", m.envid, m.certifier));
		assert_int_equal(fx_list("alice"), settle_first + 1);
	}
	wire_free(&forget);
}

/* Rows of a megabyte each: mints wait for one of them at most. */
static void
a_step_of_a_listing_is_bounded_by_octets(void **state)
{
	static struct mail_recipient to[1000];
	static char address[1001];
	struct list_query q = { .limit = 100 };
	struct wire_out body = { 0 };
	struct mail_record r;
	unsigned turns = 0;
	struct minted m;

	(void)state;
	fx_open();
	memset(address, 'a', sizeof(address) - 1);
	for (int i = 0; i < 1000; i++)
		to[i] = (struct mail_recipient){ fx_text(address), 250, { 0 } };
	for (int i = 0; i < 30; i++) {
		m = fx_mint("alice");
		r = fx_record("alice", &m, "<1@x>");
		r.recipients = to;
		r.recipient_count = 1000;
		assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	}
	q.ticket = fx_ticket("alice");
	wire_begin(&body);
	list_query_put(&body, &q);
	assert_int_equal(fx_begin(vault_list, &body), 0);
	for (; fx.type == 0; turns++)
		vault_slices(fx.vault);
	assert_int_equal(fx.type, MSG_LISTED);
	assert_true(turns > 4);
	wire_free(&body);
}

/* Where many wait for a sync, while other messages are not settled yet. */
static void
many_that_wait_are_told_until_all_are_settled(void **state)
{
	enum { ALL = MANY_WAIT + 4 };
	struct minted m[ALL];
	struct mail_record r;

	(void)state;
	fx_open();
	for (size_t i = 0; i < ALL; i++) {
		m[i] = fx_mint("alice");
		describe(&m[i]);
	}
	assert_int_equal(vault_gathered(fx.vault), 0);
	for (size_t wait = 1; wait <= ALL; wait++) {
		r = fx_record("alice", &m[wait - 1], "<1@x>");
		fx_begin_record(vault_settle, &r);
		assert_int_equal(vault_gathered(fx.vault),
		    wait < MANY_WAIT || wait == ALL ? 0 : wait);
	}
	vault_commit(fx.vault);
	assert_int_equal(vault_gathered(fx.vault), 0);
	assert_int_equal(fx_list("alice"), ALL);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_turn_writes_some_of_a_lost_proxys_messages),
		CASE(all_are_written_before_the_keeper_leaves),
		CASE(an_asker_leaves_the_others_their_room),
		CASE(a_step_of_a_listing_is_bounded_by_octets),
		CASE(many_that_wait_are_told_until_all_are_settled),
		CASE(the_longest_record_is_stored),
		CASE(what_is_settled_is_never_forgotten),
		CASE(what_was_settled_on_a_full_disk_is_written_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
