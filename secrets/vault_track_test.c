/*
 * Who tracks: a message is found by its ENVID together with its certifier,
 * and every refusal is the same.
 */
#include "secrets/vault_history_fixture.h"

#include "secrets/store.h"

/* The answer to who may not know, octet for octet. */
static void
refused_alike(const char *envid, const char *certifier)
{
	static uint8_t refusal[1024];
	static size_t len;

	assert_int_equal(tracks(envid, certifier), KEEPER_NOT_FOUND);
	if (len == 0) {
		assert_true(fx.answer.len <= sizeof(refusal));
		len = fx.answer.len;
		memcpy(refusal, fx.answer.data, len);
	}
	assert_int_equal(fx.answer.len, len);
	assert_memory_equal(fx.answer.data, refusal, len);
}

static void
only_envid_and_certifier_together_find_a_message(void **state)
{
	static const char wrong[] = "VheLhqV/rCKJmplkGFwsyW59pYk";
	char other[ENVID_MAX + 1];
	struct minted m, n;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random == 1;
		fx_open();
		m = settled("alice", "<1@x>", "Q1");
		n = settled("bob", "<2@x>", "Q2");
		assert_int_equal(tracks(m.envid, m.certifier), KEEPER_OK);
		refused_alike(m.envid, wrong);
		refused_alike(m.envid, n.certifier);
		refused_alike(
		    "AAAAAAAAAAAAAAAAAAAAAA@mail.example.com", m.certifier);
		refused_alike("nonsense", m.certifier);
		refused_alike("", m.certifier);
		snprintf(
		    other, sizeof(other), "%.22s@other.example.com", m.envid);
		refused_alike(other, m.certifier);
		/* minted and never sent */
		n = fx_mint("bob");
		refused_alike(n.envid, n.certifier);
		assert_int_equal(take_back("bob", m.envid), KEEPER_NOT_FOUND);
		assert_int_equal(tracks(m.envid, m.certifier), KEEPER_OK);
		assert_int_equal(take_back("alice", "<1@x>"), KEEPER_OK);
		refused_alike(m.envid, m.certifier);
		fx_close();
		fx_open();
		refused_alike(m.envid, m.certifier);
		assert_int_equal(take_back("alice", "<1@x>"), KEEPER_OK);
		assert_int_equal(events_of("alice", "<1@x>"), 0);
		assert_true(fx.revoked);
		assert_true(fx_proves("alice", "<1@x>", m.certifier));
		m = settled("alice", "<3@x>", "Q3");
		assert_int_equal(tracks(m.envid, m.certifier), KEEPER_OK);
		fx.now += 10 * FIXTURE_DAY + 60000;
		refused_alike(m.envid, m.certifier);
		fx_close();
	}
}

static void
clients_envids_may_be_shared(void **state)
{
	static const char *const names[] = { "alice", "bob", "carol" };
	static const char *const texts[] = { "VheLhqV/rCKJmplkGFwsyW59pYk",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBBBBBBBBBBBBA" };
	static const char envid[] = "own+2B1@client.example";
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	for (int i = 0; i < 3; i++) {
		struct mint mint = { .ticket = fx_ticket(names[i]),
			.envid = fx_text(envid),
			.own_certifier = 1,
			.timeout = 3600 };
		char padded[32];

		snprintf(padded, sizeof(padded), "%s=", texts[i]);
		codec_base64_decode(padded, 28, true, mint.certifier);
		m = fx_mint_as(&mint);
		r = fx_record(names[i], &m, "<1@x>");
		r.flags |= MAIL_CLIENT_ENVID | MAIL_CLIENT_MTRK;
		memcpy(r.certifier, mint.certifier, CERTIFIER_LEN);
		r.timeout = 3600;
		r.size = (uint64_t)i;
		r.queue_id = fx_text(names[i]);
		assert_int_equal(fx_settle_as(&r), KEEPER_OK);
		fx.now += 1000;
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(track(envid, texts[i], &r), KEEPER_OK);
		assert_int_equal(r.size, i);
		mail_record_free(&r);
	}
	assert_int_equal(take_back("bob", envid), KEEPER_OK);
	refused_alike(envid, texts[1]);
	assert_int_equal(tracks(envid, texts[2]), KEEPER_OK);
	/* its time is over, but it is queued still */
	fx.now += 2 * 3600 * 1000;
	assert_int_equal(tracks(envid, texts[0]), KEEPER_OK);
	for (int i = 0; i < 2; i++) {
		struct feed_item item =
		    a_status("alice", fx.now + 1, ACTION_DELIVERED);

		if (i == 1)
			item.event.original = item.event.recipient =
			    fx_text("eve@example.org");
		assert_string_equal(feed_one(item), "0");
	}
	refused_alike(envid, texts[0]);
	assert_int_equal(tracks(envid, texts[2]), KEEPER_OK);
}

/* With an ENVID and a B that others know as well. */
static void
submit_shared(const char *name, const char *envid, uint64_t size)
{
	struct mint mint = { .ticket = fx_ticket(name),
		.envid = fx_text(envid),
		.own_certifier = 1,
		.certifier = "AAAAAAAAAAAAAAAAAAA" };
	struct minted m = fx_mint_as(&mint);
	struct mail_record r = fx_record(name, &m, "<1@x>");

	r.flags |= MAIL_CLIENT_ENVID | MAIL_CLIENT_MTRK;
	memcpy(r.certifier, mint.certifier, CERTIFIER_LEN);
	r.size = size;
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	fx.now += 1000;
}

/* Submitted once more by its client, and by somebody who saw both. */
static void
what_is_revoked_is_not_told_of_its_copies(void **state)
{
	static const char shared[] = "QUFBQUFBQUFBQUFBQUFBQUFBQQA";
	static const char envid[] = "own@client.example";
	struct mail_record r;

	(void)state;
	fx_open();
	submit_shared("alice", envid, 1);
	submit_shared("eve", envid, 2);
	submit_shared("alice", envid, 3);
	assert_int_equal(track(envid, shared, &r), KEEPER_OK);
	assert_int_equal(r.size, 1);
	mail_record_free(&r);
	assert_int_equal(take_back("eve", envid), KEEPER_OK);
	assert_int_equal(track(envid, shared, &r), KEEPER_OK);
	assert_int_equal(r.size, 1);
	mail_record_free(&r);
	assert_int_equal(take_back("alice", envid), KEEPER_OK);
	refused_alike(envid, shared);
	submit_shared("eve", envid, 4);
	submit_shared("alice", envid, 5);
	refused_alike(envid, shared);
}

/* Its only copy is somebody else's. */
static void
what_is_revoked_is_not_told_by_others(void **state)
{
	static const char shared[] = "QUFBQUFBQUFBQUFBQUFBQUFBQQA";
	static const char envid[] = "own@client.example";

	(void)state;
	fx_open();
	submit_shared("alice", envid, 1);
	submit_shared("eve", envid, 2);
	assert_int_equal(take_back("alice", envid), KEEPER_OK);
	refused_alike(envid, shared);
}

static void
an_envid_of_the_client_with_our_secret_is_tracked(void **state)
{
	struct mint mint = { .envid = fx_text("own@client.example") };
	struct mail_record r;
	struct minted m;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random == 1;
		fx_open();
		mint.ticket = fx_ticket("alice");
		m = fx_mint_as(&mint);
		r = fx_record("alice", &m, "<1@x>");
		r.flags |= MAIL_CLIENT_ENVID;
		assert_int_equal(fx_settle_as(&r), KEEPER_OK);
		assert_int_equal(
		    tracks("own@client.example", m.certifier), KEEPER_OK);
		refused_alike(
		    "own@client.example", "VheLhqV/rCKJmplkGFwsyW59pYk");
		fx_close();
	}
}

static void
untracked_messages_are_unknown(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = fx_mint("alice");
	r = fx_record("alice", &m, "<1@x>");
	r.flags = MAIL_UNTRACKED;
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	refused_alike(m.envid, m.certifier);
	assert_int_equal(take_back("alice", "<1@x>"), KEEPER_NO_SECRET);
}

static void
what_is_described_is_never_denied(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	for (int random = 0; random < 2; random++) {
		fx.settings.random = random == 1;
		fx_open();
		m = fx_mint("alice");
		r = fx_record("alice", &m, "<1@x>");
		r.outcome = OUTCOME_UNKNOWN;
		fx_describe(&r);
		assert_int_equal(track(m.envid, m.certifier, &r), KEEPER_OK);
		assert_int_equal(r.outcome, OUTCOME_UNKNOWN);
		assert_int_equal(r.recipient_count, 2);
		mail_record_free(&r);
		fx_forget("alice", &m);
		refused_alike(m.envid, m.certifier);
		fx_close();
	}
}

/* To the last moment all that is known of it is told, and then nothing. */
static void
what_became_of_a_message_is_told_until_it_expires(void **state)
{
	struct minted m, next;
	struct mail_record r;
	uint64_t start;

	(void)state;
	fx_open();
	m = settled("alice", "<1@x>", "Q1");
	start = fx.now;
	feed_one(a_status("Q1", start + 1000, ACTION_DELAYED));
	while (fx.now < start + 10 * FIXTURE_DAY) {
		fx.now += FIXTURE_DAY / 24;
		vault_hour(fx.vault);
		fx_turn();
	}
	fx.now = start + 10 * FIXTURE_DAY - 1000;
	/* the last word may come as late as that */
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now, ACTION_FAILED)), "0");
	assert_string_equal(feed_end("Q1", fx.now), "0");
	assert_int_equal(events_of("alice", m.envid), 2);
	assert_int_equal(track(m.envid, m.certifier, &r), KEEPER_OK);
	assert_int_equal(fx.history.count, 2);
	mail_record_free(&r);
	next = settled("alice", "<2@x>", "Q2");
	/* its day is still there, with younger messages in it */
	fx.now = start + 10 * FIXTURE_DAY + 1;
	refused_alike(m.envid, m.certifier);
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now, ACTION_DELIVERED)), "1");
	assert_int_equal(tracks(next.envid, next.certifier), KEEPER_OK);
	for (int hour = 0; hour < 25; hour++) {
		fx.now += FIXTURE_DAY / 24;
		vault_hour(fx.vault);
		fx_turn();
	}
	refused_alike(m.envid, m.certifier);
	assert_int_equal(events_of("alice", "<1@x>"), -1);
	assert_int_equal(events_of("alice", "<2@x>"), 0);
}

static void
forgotten(void *arg, enum store_status status)
{
	(void)arg;
	assert_int_equal(status, STORE_OK);
}

/* Vaults from before accounts were kept by number. */
static void
accounts_of_an_older_vault_are_found(void **state)
{
	static const uint8_t number[] = "account/\0\0\0\0\0\0\0\1";
	struct store_options options;
	struct store_batch *batch;
	struct store *store;
	struct minted m;

	(void)state;
	fx_open();
	m = settled("alice", "<1@x>", "Q1");
	fx_close();
	options = (struct store_options){ fx.path, 0 };
	store = store_open(&options, fx.why, sizeof(fx.why));
	assert_non_null(store);
	batch = store_batch_new(store);
	store_batch_delete(batch, STORE_META, fx_text("accounts-by-number"));
	store_batch_delete(
	    batch, STORE_META, (struct octets){ number, sizeof(number) - 1 });
	store_submit(store, batch, forgotten, NULL);
	store_close(store);
	fx_open();
	assert_int_equal(tracks(m.envid, m.certifier), KEEPER_OK);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_envid_and_certifier_together_find_a_message),
		CASE(clients_envids_may_be_shared),
		CASE(what_is_revoked_is_not_told_of_its_copies),
		CASE(what_is_revoked_is_not_told_by_others),
		CASE(an_envid_of_the_client_with_our_secret_is_tracked),
		CASE(untracked_messages_are_unknown),
		CASE(what_is_described_is_never_denied),
		CASE(what_became_of_a_message_is_told_until_it_expires),
		CASE(accounts_of_an_older_vault_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
