/*
 * The vault's answers: minting, settling, finding, and who may what.
 */
#include "secrets/vault_fixture.h"

static void
a_settled_message_is_found_by_envid_and_message_id(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	assert_int_equal(m.status, KEEPER_OK);
	assert_int_equal(strlen(m.certifier), CERTIFIER_TEXT);
	assert_int_equal(m.timeout, 864000);
	assert_non_null(strstr(m.envid, "@mail.example.com"));
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
	assert_true(fx_proves("alice", m.envid, m.certifier));
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
	assert_int_equal(fx_show("alice", "<1@x>", &r), KEEPER_OK);
	assert_int_equal(r.recipient_count, 2);
	assert_int_equal(r.size, 1234);
	assert_int_equal(r.code, 250);
	assert_memory_equal(
	    r.recipients[1].address.data, "eve@example.org", 15);
	mail_record_free(&r);
	fx_close();
	fx_open();
	assert_true(fx_proves("alice", "<1@x>", m.certifier));
	assert_int_equal(fx_list("alice"), 1);
}

static void
another_users_message_is_unknown(void **state)
{
	struct token_answer t;
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	fx_mint("bob");
	assert_int_equal(fx_token("bob", m.envid, &t), KEEPER_NOT_FOUND);
	assert_int_equal(fx_token("bob", "<1@x>", &t), KEEPER_NOT_FOUND);
	assert_int_equal(t.secret.len, 0);
	assert_int_equal(fx_show("bob", m.envid, &r), KEEPER_NOT_FOUND);
	mail_record_free(&r);
	assert_int_equal(fx_token("nobody", m.envid, &t), KEEPER_NOT_FOUND);
	assert_int_equal(fx_list("bob"), 0);
	assert_int_equal(fx_list("nobody"), 0);
	assert_int_equal(fx_settle("bob", &m, "<2@x>"), KEEPER_REFUSED);
	fx_forget("bob", &m);
	assert_true(fx_proves("alice", m.envid, m.certifier));
}

static void
a_bad_ticket_gets_nothing(void **state)
{
	struct mint mint = { .ticket = fx_ticket("alice") };
	struct minted m;

	(void)state;
	fx_open();
	mint.ticket.mac[0] ^= 1;
	assert_int_equal(fx_mint_as(&mint).status, KEEPER_REFUSED);
	mint.ticket = fx_ticket("alice");
	mint.ticket.account[0] = 'b';
	assert_int_equal(fx_mint_as(&mint).status, KEEPER_REFUSED);
	mint.ticket = fx_ticket("alice");
	fx.now += 3600 * 1000;
	m = fx_mint_as(&mint);
	assert_int_equal(m.status, KEEPER_REFUSED);
	assert_string_equal(m.certifier, "");
	assert_string_equal(m.envid, "");
}

static void
a_short_or_long_body_is_malformed(void **state)
{
	struct mint mint = { .ticket = fx_ticket("alice") };
	struct wire_out body = { 0 };

	(void)state;
	fx_open();
	wire_begin(&body);
	mint_put(&body, &mint);
	body.len--;
	assert_int_equal(fx_ask(vault_mint, &body), -1);
	assert_int_equal(fx_ask(vault_settle, &body), -1);
	assert_int_equal(fx_ask(vault_describe, &body), -1);
	assert_int_equal(fx_ask(vault_forget, &body), -1);
	assert_int_equal(fx_ask(vault_list, &body), -1);
	assert_int_equal(fx_ask(vault_show, &body), -1);
	assert_int_equal(fx_ask(vault_token, &body), -1);
	body.len++;
	wire_put_u8(&body, 0);
	assert_int_equal(fx_ask(vault_mint, &body), -1);
	assert_int_equal(fx.type, 0);
	wire_free(&body);
}

static void
a_settle_sent_twice_is_stored_once(void **state)
{
	struct minted m;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random;
		fx_open();
		m = fx_mint("alice");
		assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
		assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
		assert_int_equal(fx_list("alice"), 1 + random);
		assert_true(fx_proves("alice", m.envid, m.certifier));
		fx_close();
	}
}

static void
what_was_described_is_written_when_its_asker_goes(void **state)
{
	struct mail_record r;
	struct minted m[3];

	(void)state;
	for (int i = 0; i < 2; i++) {
		fx.settings.random = i == 1;
		fx_open();
		for (int j = 0; j < 3; j++) {
			m[j] = fx_mint("alice");
			r = fx_record("alice", &m[j], "<1@x>");
			r.outcome = OUTCOME_UNKNOWN;
			fx_describe(&r);
		}
		assert_int_equal(fx_settle("alice", &m[1], "<2@x>"), KEEPER_OK);
		fx_forget("alice", &m[2]);
		vault_asker_gone(fx.vault, 99);
		fx_turn();
		assert_int_equal(fx_list("alice"), 1 + 2 * i);
		vault_asker_gone(fx.vault, fx.asker);
		fx_turn();
		assert_int_equal(fx_list("alice"), 2 + 2 * i);
		fx_show("alice", m[0].envid, &r);
		assert_int_equal(r.outcome, OUTCOME_UNKNOWN);
		mail_record_free(&r);
		fx_show("alice", m[1].envid, &r);
		assert_int_equal(r.outcome, OUTCOME_ACCEPTED);
		mail_record_free(&r);
		/* the retry of another channel says how it ended */
		assert_int_equal(fx_settle("alice", &m[0], "<1@x>"), KEEPER_OK);
		fx_show("alice", m[0].envid, &r);
		assert_int_equal(r.outcome, OUTCOME_ACCEPTED);
		mail_record_free(&r);
		assert_true(fx_proves("alice", m[0].envid, m[0].certifier));
		fx_close();
	}
}

static void
describing_anothers_message_hides_nothing(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	fx_mint("mallory");
	m = fx_mint("alice");
	r = fx_record("alice", &m, "<1@x>");
	fx_describe(&r);
	fx.asker = 2;
	r = fx_record("mallory", &m, "<2@x>");
	fx_describe(&r);
	fx_forget("mallory", &m);
	vault_asker_gone(fx.vault, 2);
	vault_asker_gone(fx.vault, 1);
	fx_turn();
	assert_int_equal(fx_list("alice"), 1);
	assert_int_equal(fx_list("mallory"), 0);
}

static void
an_unknown_outcome_never_covers_a_known_one(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_OK);
	r = fx_record("alice", &m, "<1@x>");
	r.outcome = OUTCOME_UNKNOWN;
	fx_describe(&r);
	vault_asker_gone(fx.vault, fx.asker);
	fx_turn();
	fx_show("alice", m.envid, &r);
	assert_int_equal(r.outcome, OUTCOME_ACCEPTED);
	mail_record_free(&r);
}

static void
a_derived_token_is_known_without_a_record(void **state)
{
	struct token_answer t;
	struct minted m;
	char other[ENVID_MAX + 1];

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_mint("bob");
	assert_true(fx_proves("alice", m.envid, m.certifier));
	assert_int_equal(fx_token("bob", m.envid, &t), KEEPER_NOT_FOUND);
	snprintf(other, sizeof(other), "%.22s@other.example.com", m.envid);
	assert_int_equal(fx_token("alice", other, &t), KEEPER_NOT_FOUND);
	fx.now += 11 * FIXTURE_DAY;
	assert_int_equal(fx_token("alice", m.envid, &t), KEEPER_NOT_FOUND);
}

static void
a_forgotten_random_message_is_gone(void **state)
{
	struct token_answer t;
	struct minted m;

	(void)state;
	fx.settings.random = true;
	fx_open();
	m = fx_mint("alice");
	assert_true(fx_proves("alice", m.envid, m.certifier));
	fx_forget("alice", &m);
	fx_mint("alice"); /* commits what waits */
	assert_int_equal(fx_token("alice", m.envid, &t), KEEPER_NOT_FOUND);
	assert_int_equal(fx_settle("alice", &m, "<1@x>"), KEEPER_NOT_FOUND);
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	fx_forget("alice", &m);
	fx_mint("alice");
	assert_true(fx_proves("alice", m.envid, m.certifier));
}

static void
a_clients_own_certifier_is_kept_without_a_secret(void **state)
{
	struct mint mint = { .ticket = fx_ticket("alice"),
		.envid = fx_text("mine@client.example"),
		.own_certifier = 1,
		.timeout = 3600 };
	struct token_answer t;
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	memset(mint.certifier, 0xfb, sizeof(mint.certifier));
	m = fx_mint_as(&mint);
	assert_string_equal(m.envid, "mine@client.example");
	assert_string_equal(m.certifier, "+/v7+/v7+/v7+/v7+/v7+/v7+/s");
	assert_int_equal(m.timeout, 3600);
	r = fx_record("alice", &m, "<1@x>");
	r.flags |= MAIL_CLIENT_ENVID | MAIL_CLIENT_MTRK;
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	assert_int_equal(
	    fx_token("alice", "mine@client.example", &t), KEEPER_NO_SECRET);
	assert_int_equal(
	    fx_show("alice", "mine@client.example", &r), KEEPER_OK);
	mail_record_free(&r);
	mint.timeout = 100000000;
	assert_int_equal(fx_mint_as(&mint).timeout, 864000);
	mint.timeout = 0;
	assert_int_equal(fx_mint_as(&mint).timeout, 864000);
}

/* A retry, or somebody else's: each finds the newest of the own ones. */
static void
a_clients_envid_is_found_by_its_own_user_only(void **state)
{
	static const char envid[] = "same@client.example";
	struct mint mint = { .envid = fx_text(envid) };
	const char *who[] = { "alice", "alice", "bob" };
	struct token_answer t;
	struct mail_record r;
	struct minted m[3];

	(void)state;
	fx_open();
	for (int i = 0; i < 3; i++) {
		fx.now += 1000;
		mint.ticket = fx_ticket(who[i]);
		m[i] = fx_mint_as(&mint);
		assert_string_equal(m[i].envid, envid);
		r = fx_record(who[i], &m[i], "<1@x>");
		r.flags |= MAIL_CLIENT_ENVID;
		assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	}
	assert_true(fx_proves("alice", envid, m[1].certifier));
	assert_true(fx_proves("bob", envid, m[2].certifier));
	fx_mint("eve");
	assert_int_equal(fx_token("eve", envid, &t), KEEPER_NOT_FOUND);
}

/* Sending an ENVID that was minted for somebody else moves nothing. */
static void
anothers_envid_hides_and_reveals_nothing(void **state)
{
	struct mint mint = { .ticket = fx_ticket("bob") };
	struct mail_record r;
	struct minted m, copy;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	mint.envid = fx_text(m.envid);
	copy = fx_mint_as(&mint);
	assert_string_equal(copy.envid, m.envid);
	assert_string_not_equal(copy.certifier, m.certifier);
	r = fx_record("bob", &copy, "<2@x>");
	r.flags |= MAIL_CLIENT_ENVID;
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	assert_true(fx_proves("alice", m.envid, m.certifier));
	assert_true(fx_proves("bob", m.envid, copy.certifier));
	assert_int_equal(fx_show("bob", m.envid, &r), KEEPER_OK);
	assert_memory_equal(r.message_id.data, "<2@x>", 5);
	mail_record_free(&r);
}

static void
an_untracked_message_is_remembered_without_token(void **state)
{
	struct mint mint = { .ticket = fx_ticket("alice"), .untracked = 1 };
	struct token_answer t;
	struct mail_record r;
	struct minted m;

	(void)state;
	fx.settings.random = true;
	fx_open();
	m = fx_mint_as(&mint);
	assert_int_equal(m.status, KEEPER_OK);
	assert_string_equal(m.certifier, "");
	r = fx_record("alice", &m, "<1@x>");
	r.flags = MAIL_UNTRACKED;
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	assert_int_equal(fx_list("alice"), 1);
	assert_int_equal(fx_token("alice", "<1@x>", &t), KEEPER_NO_SECRET);
}

static void
unfinished_messages_are_bounded_and_forgiven(void **state)
{
	struct minted m, one;

	(void)state;
	fx.settings.mints_unfinished = 3;
	fx_open();
	for (int i = 0; i < 20; i++) {
		m = fx_mint("alice");
		assert_int_equal(m.status, KEEPER_OK);
		fx_settle("alice", &m, "<1@x>");
	}
	/* Messages that may come leave room to those that do. */
	one = fx_mint("alice");
	assert_true(fx_settle_next("alice", &one, &m));
	one = fx_mint("alice");
	assert_false(fx_settle_next("alice", &one, &one));
	fx_forget_as("alice", &m, 1);
	/* What came unasked and was not wanted is none of the user's doing. */
	for (int i = 0; i < 20; i++) {
		m = fx_mint("alice");
		assert_int_equal(m.status, KEEPER_OK);
		fx_forget_as("alice", &m, 1);
	}
	for (int i = 0; i < 3; i++) {
		m = fx_mint("alice");
		assert_int_equal(m.status, KEEPER_OK);
		fx_forget("alice", &m);
	}
	assert_int_equal(fx_mint("alice").status, KEEPER_LIMITED);
	assert_int_equal(fx_mint("bob").status, KEEPER_OK);
	fx.now += 1300 * 1000;
	assert_int_equal(fx_mint("alice").status, KEEPER_OK);
	assert_int_equal(fx_mint("alice").status, KEEPER_LIMITED);
	fx.now += 3700 * 1000;
	for (int i = 0; i < 3; i++)
		assert_int_equal(fx_mint("alice").status, KEEPER_OK);
	assert_int_equal(fx_mint("alice").status, KEEPER_LIMITED);
}

static void
a_list_is_newest_first_and_goes_on_after(void **state)
{
	struct list_query q = { .limit = 100 };
	char id[32], after[ENVID_MAX + 1] = "";
	struct list_row rows[100];
	uint64_t last = UINT64_MAX;
	int total = 0, count;
	struct minted m;

	(void)state;
	fx_open();
	for (int i = 0; i < 730; i++) {
		fx.now += FIXTURE_DAY / 100;
		snprintf(id, sizeof(id), "<%d@x>", i);
		m = fx_mint(i % 5 == 0 ? "bob" : "alice");
		fx_settle(i % 5 == 0 ? "bob" : "alice", &m, id);
	}
	do {
		q.ticket = fx_ticket("alice");
		q.after = fx_text(after);
		count = fx_list_as(&q, rows, 100);
		assert_in_range(count, 0, 100);
		for (int i = 0; i < count; i++) {
			assert_true(rows[i].time < last);
			last = rows[i].time;
			assert_int_equal(rows[i].recipient_count, 2);
		}
		if (count > 0) {
			memcpy(after, rows[count - 1].envid.data,
			    rows[count - 1].envid.len);
			after[rows[count - 1].envid.len] = '\0';
		}
		total += count;
		assert_int_equal(fx.more, total < 584 && count > 0);
	} while (count > 0);
	assert_int_equal(total, 584);
	q.after.len = 0;
	q.limit = 1000;
	q.since = fx.now - FIXTURE_DAY + 1;
	assert_int_equal(fx_list_as(&q, rows, 100), 80);
	q.after = fx_text("unknown@nowhere.example");
	assert_int_equal(fx_list_as(&q, rows, 100), -1 - KEEPER_NOT_FOUND);
}

static void
what_is_not_to_be_remembered_is_not(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx.settings.remember_message_id = false;
	fx.settings.remember_recipients = false;
	fx.settings.remember_subject = false;
	fx_open();
	m = fx_mint("alice");
	fx_settle("alice", &m, "<1@x>");
	assert_int_equal(fx_show("alice", "<1@x>", &r), KEEPER_NOT_FOUND);
	mail_record_free(&r);
	assert_int_equal(fx_show("alice", m.envid, &r), KEEPER_OK);
	assert_int_equal(r.message_id.len, 0);
	assert_int_equal(r.subject.len, 0);
	assert_int_equal(r.recipient_count, 0);
	mail_record_free(&r);
}

static void
two_with_one_message_id_give_the_newest(void **state)
{
	struct minted first, second;

	(void)state;
	fx_open();
	first = fx_mint("alice");
	fx.now += FIXTURE_DAY;
	second = fx_mint("alice");
	fx_settle("alice", &second, "<1@x>");
	fx_settle("alice", &first, "<1@x>");
	assert_true(fx_proves("alice", "<1@x>", second.certifier));
	assert_true(fx_proves("alice", first.envid, first.certifier));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_settled_message_is_found_by_envid_and_message_id),
		CASE(another_users_message_is_unknown),
		CASE(a_bad_ticket_gets_nothing),
		CASE(a_short_or_long_body_is_malformed),
		CASE(a_settle_sent_twice_is_stored_once),
		CASE(what_was_described_is_written_when_its_asker_goes),
		CASE(describing_anothers_message_hides_nothing),
		CASE(an_unknown_outcome_never_covers_a_known_one),
		CASE(a_derived_token_is_known_without_a_record),
		CASE(a_forgotten_random_message_is_gone),
		CASE(a_clients_own_certifier_is_kept_without_a_secret),
		CASE(a_clients_envid_is_found_by_its_own_user_only),
		CASE(anothers_envid_hides_and_reveals_nothing),
		CASE(an_untracked_message_is_remembered_without_token),
		CASE(unfinished_messages_are_bounded_and_forgiven),
		CASE(a_list_is_newest_first_and_goes_on_after),
		CASE(what_is_not_to_be_remembered_is_not),
		CASE(two_with_one_message_id_give_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
