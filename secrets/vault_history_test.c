/*
 * The history of messages: events fed by queue ids, in order and without
 * doubles, and what the user and who tracks are told of them.
 */
#include "secrets/vault_fixture.h"

#include "secrets/events.h"

static struct feed_item
a_status(const char *queue_id, uint64_t time, uint8_t action)
{
	return (struct feed_item){ .kind = FEED_STATUS,
		.queue_id = fx_text(queue_id),
		.time = time,
		.event = { .time = time,
		    .source = SOURCE_LOG,
		    .action = action,
		    .status = "2.0.0",
		    .original = fx_text("bob@example.org"),
		    .recipient = fx_text("bob@example.org"),
		    .reply = fx_text("250 ok") } };
}

/* Feed n items; their results in order, as digits. */
static const char *
feed(const struct feed_item *items, uint16_t n)
{
	static char results[FEED_ITEMS_MAX + 1];
	struct wire_out body = { 0 };
	struct wire_in in;
	uint16_t count;

	wire_begin(&body);
	wire_put_text(&body, "main");
	wire_put_u16(&body, n);
	for (uint16_t i = 0; i < n; i++)
		feed_item_put(&body, &items[i]);
	assert_int_equal(fx_ask(vault_feed, &body), 0);
	wire_free(&body);
	assert_int_equal(fx.type, MSG_EVENTS_ARE);
	wire_read(&in, fx.answer.data, fx.answer.len);
	count = wire_get_u16(&in);
	assert_int_equal(count, n);
	for (uint16_t i = 0; i < n; i++)
		results[i] = (char)('0' + wire_get_u8(&in));
	results[n] = '\0';
	assert_int_equal(wire_end(&in), 0);
	return results;
}

static const char *
feed_one(struct feed_item item)
{
	return feed(&item, 1);
}

static const char *
feed_end(const char *queue_id, uint64_t time)
{
	return feed_one((struct feed_item){
	    .kind = FEED_END, .queue_id = fx_text(queue_id), .time = time });
}

static const char *
feed_join(const char *queue_id, const char *other, uint64_t time)
{
	return feed_one((struct feed_item){ .kind = FEED_JOIN,
	    .queue_id = fx_text(queue_id),
	    .other_id = fx_text(other),
	    .time = time });
}

/* STATUS; what is answered with it stays in fx.history and *m. */
static uint8_t
track(const char *envid, const char *certifier, struct mail_record *m)
{
	struct status_query q = { .envid = fx_text(envid) };
	char padded[32];
	struct wire_out body = { 0 };
	struct wire_in in;
	uint8_t status;

	snprintf(padded, sizeof(padded), "%s=", certifier);
	assert_int_equal(
	    codec_base64_decode(padded, strlen(padded), true, q.certifier),
	    CERTIFIER_LEN);
	wire_begin(&body);
	status_query_put(&body, &q);
	assert_int_equal(fx_ask(vault_track, &body), 0);
	wire_free(&body);
	assert_int_equal(fx.type, MSG_STATUS_IS);
	memset(m, 0, sizeof(*m));
	wire_read(&in, fx.answer.data, fx.answer.len);
	status = wire_get_u8(&in);
	mail_body_get(&in, m);
	history_free(&fx.history);
	history_get(&in, &fx.history);
	assert_int_equal(wire_end(&in), 0);
	return status;
}

static uint8_t
tracks(const char *envid, const char *certifier)
{
	struct mail_record m;
	uint8_t status = track(envid, certifier, &m);

	mail_record_free(&m);
	return status;
}

static uint8_t
take_back(const char *account, const char *id)
{
	struct revoke_answer answer;
	struct wire_in in;

	fx_one(vault_revoke, account, id);
	assert_int_equal(fx.type, MSG_REVOKED);
	wire_read(&in, fx.answer.data, fx.answer.len);
	revoke_answer_get(&in, &answer);
	assert_int_equal(wire_end(&in), 0);
	return answer.status;
}

/* How many events SHOW tells; -1 where it tells no message. */
static int
events_of(const char *account, const char *id)
{
	struct mail_record m;
	uint8_t status = fx_show(account, id, &m);

	mail_record_free(&m);
	return status == KEEPER_OK ? (int)fx.history.count : -1;
}

static struct minted
settled(const char *account, const char *id, const char *queue_id)
{
	struct minted m = fx_mint(account);
	struct mail_record r = fx_record(account, &m, id);

	r.queue_id = fx_text(queue_id);
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	return m;
}

static void
events_are_kept_in_order_and_once(void **state)
{
	struct feed_item items[3];
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = settled("alice", "<1@x>", "Q1");
	items[0] = a_status("Q1", fx.now + 9000, ACTION_RELAYED);
	items[1] = a_status("Q1", fx.now + 5000, ACTION_DELAYED);
	items[2] = a_status("Q1", fx.now + 5000, ACTION_DELAYED);
	assert_string_equal(feed(items, 3), "000");
	assert_string_equal(feed(items, 3), "000");
	fx_close();
	fx_open();
	assert_string_equal(feed(items, 3), "000");
	assert_int_equal(events_of("alice", m.envid), 2);
	assert_int_equal(events_of("alice", "<1@x>"), 2);
	assert_int_equal(fx.history.events[0].action, ACTION_DELAYED);
	assert_int_equal(fx.history.events[1].action, ACTION_RELAYED);
	assert_int_equal(fx.history.events[1].reply.len, 6);
	assert_int_equal(events_of("bob", m.envid), -1);
	assert_int_equal(track(m.envid, m.certifier, &r), KEEPER_OK);
	assert_int_equal(fx.history.count, 2);
	assert_int_equal(r.recipient_count, 2);
	assert_int_equal(r.subject.len + r.sender.len + r.message_id.len, 0);
	mail_record_free(&r);
}

static void
unknown_ids_are_told(void **state)
{
	struct feed_item items[2];
	struct minted m;

	(void)state;
	fx_open();
	items[0] = a_status("Q1", fx.now, ACTION_DELAYED);
	items[1] = a_status("Q2", fx.now, ACTION_DELAYED);
	assert_string_equal(feed(items, 2), "11");
	m = settled("alice", "<1@x>", "Q1");
	assert_string_equal(feed(items, 2), "01");
	/* of another MSA, the same id is another one */
	fx.now += 11 * FIXTURE_DAY;
	assert_string_equal(feed(items, 2), "11");
	assert_int_equal(tracks(m.envid, m.certifier), KEEPER_NOT_FOUND);
}

static void
an_id_that_comes_back_means_the_later_message(void **state)
{
	uint64_t start;

	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	start = fx.now;
	assert_string_equal(feed_end("Q1", start + 60000), "0");
	assert_string_equal(
	    feed_one(a_status("Q1", start + 61000, ACTION_FAILED)), "1");
	assert_string_equal(feed_end("Q1", start + 90000), "1");
	/* an older one, fed late */
	assert_string_equal(
	    feed_one(a_status("Q1", start + 59000, ACTION_RELAYED)), "0");
	for (unsigned day = 0; day < 2; day++) {
		fx.now += day * FIXTURE_DAY + 120000;
		settled("bob", "<2@x>", "Q1");
		assert_string_equal(
		    feed_one(a_status("Q1", fx.now + 1000, ACTION_DELAYED)),
		    "0");
		assert_string_equal(
		    feed_one(a_status("Q1", start + 58000, ACTION_RELAYED)),
		    "0");
		assert_string_equal(feed_end("Q1", fx.now + 5000), "0");
		assert_int_equal(events_of("bob", "<2@x>"), 1);
		assert_int_equal(events_of("alice", "<1@x>"), 2);
	}
	/* what may be either's is nobody's */
	fx.now += 6000;
	settled("alice", "<3@x>", "Q1");
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now - 1500, ACTION_DELAYED)), "1");
}

static void
a_settle_sent_again_does_not_open_an_id_that_ended(void **state)
{
	struct mail_record r;
	struct minted m;

	(void)state;
	fx_open();
	m = settled("alice", "<1@x>", "Q1");
	assert_string_equal(feed_end("Q1", fx.now + 1000), "0");
	r = fx_record("alice", &m, "<1@x>");
	r.queue_id = fx_text("Q1");
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now + 5000, ACTION_FAILED)), "1");
}

static void
a_message_goes_on_under_another_id(void **state)
{
	struct feed_item items[5];
	uint64_t t;

	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	t = fx.now;
	/* in one message, each finds what those before it changed */
	items[0] = (struct feed_item){ .kind = FEED_JOIN,
		.queue_id = fx_text("Q1"),
		.time = t + 1000,
		.other_id = fx_text("Q2") };
	items[1] = (struct feed_item){
		.kind = FEED_END, .queue_id = fx_text("Q1"), .time = t + 1001
	};
	items[2] = a_status("Q2", t + 2000, ACTION_RELAYED);
	items[3] = (struct feed_item){
		.kind = FEED_END, .queue_id = fx_text("Q2"), .time = t + 3000
	};
	items[4] = a_status("Q2", t + 9000, ACTION_RELAYED);
	assert_string_equal(feed(items, 5), "00001");
	assert_string_equal(feed(items, 5), "00001");
	assert_int_equal(events_of("alice", "<1@x>"), 1);
	assert_string_equal(feed_join("Q9", "Q10", t), "1");
	/* of a time when another message had the new id: not ours */
	assert_string_equal(
	    feed_one(a_status("Q2", t - 5000, ACTION_RELAYED)), "1");
}

static void
repeats_make_room(void **state)
{
	static struct feed_item items[FEED_ITEMS_MAX];
	uint64_t start;

	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	start = fx.now;
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < FEED_ITEMS_MAX; i++)
			items[i] = a_status("Q1",
			    start + 1000 + round * FEED_ITEMS_MAX + i,
			    ACTION_DELAYED);
		feed(items, FEED_ITEMS_MAX);
	}
	assert_string_equal(
	    feed_one(a_status("Q1", start + 900000, ACTION_DELIVERED)), "0");
	assert_in_range(
	    events_of("alice", "<1@x>"), 1000, EVENTS_MAX + FEED_ITEMS_MAX);
	/* the first, and all of the newest */
	assert_int_equal(fx.history.events[0].time, start + 1000);
	assert_int_equal(
	    fx.history.events[fx.history.count - 1].action, ACTION_DELIVERED);
	assert_int_equal(fx.history.events[fx.history.count - 2].time,
	    start + 1000 + 4 * FEED_ITEMS_MAX - 1);
}

static void
an_answer_never_gets_too_long(void **state)
{
	static struct feed_item items[FEED_ITEMS_MAX];
	static char address[1001], reply[EVENT_TEXT_MAX + 1];

	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	memset(address, 'a', sizeof(address) - 1);
	memset(reply, 'r', sizeof(reply) - 1);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 600; i++) {
			items[i] = a_status(
			    "Q1", fx.now + round * 600 + i, ACTION_DELIVERED);
			items[i].event.recipient = fx_text(address);
			items[i].event.reply = fx_text(reply);
		}
		feed(items, 600);
	}
	assert_in_range(events_of("alice", "<1@x>"), 500, 1200);
	assert_int_equal(
	    fx.history.events[fx.history.count - 1].time, fx.now + 1199);
}

static void
nothing_is_kept_where_recipients_are_not(void **state)
{
	(void)state;
	fx.settings.remember_recipients = false;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now, ACTION_RELAYED)), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 0);
}

static void
malformed_questions_are_refused(void **state)
{
	struct wire_out body = { 0 };

	(void)state;
	fx_open();
	wire_begin(&body);
	wire_put_text(&body, "main");
	wire_put_u16(&body, 2);
	assert_int_equal(fx_ask(vault_feed, &body), -1);
	assert_int_equal(fx_ask(vault_track, &body), -1);
	assert_int_equal(fx_ask(vault_revoke, &body), -1);
	wire_begin(&body);
	wire_put_text(&body, "main");
	wire_put_u16(&body, 0);
	assert_int_equal(fx_ask(vault_feed, &body), 0);
	assert_int_equal(fx.answer.len, 2);
	wire_put_u8(&body, 0);
	assert_int_equal(fx_ask(vault_feed, &body), -1);
	wire_free(&body);
}

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

static void
a_full_disk_is_told_and_nothing_taken(void **state)
{
	struct minted m;

	(void)state;
	fx_open();
	m = settled("alice", "<1@x>", "Q1");
	fx.settings.min_free = INT64_MAX;
	vault_set(fx.vault, &fx.settings);
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now, ACTION_RELAYED)), "2");
	assert_int_equal(take_back("alice", "<1@x>"), KEEPER_UNAVAILABLE);
	assert_int_equal(tracks(m.envid, m.certifier), KEEPER_OK);
	fx.settings.min_free = 0;
	vault_set(fx.vault, &fx.settings);
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now, ACTION_RELAYED)), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 1);
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
		CASE(events_are_kept_in_order_and_once),
		CASE(unknown_ids_are_told),
		CASE(an_id_that_comes_back_means_the_later_message),
		CASE(a_settle_sent_again_does_not_open_an_id_that_ended),
		CASE(a_message_goes_on_under_another_id),
		CASE(repeats_make_room),
		CASE(an_answer_never_gets_too_long),
		CASE(nothing_is_kept_where_recipients_are_not),
		CASE(malformed_questions_are_refused),
		CASE(only_envid_and_certifier_together_find_a_message),
		CASE(clients_envids_may_be_shared),
		CASE(an_envid_of_the_client_with_our_secret_is_tracked),
		CASE(untracked_messages_are_unknown),
		CASE(what_is_described_is_never_denied),
		CASE(accounts_of_an_older_vault_are_found),
		CASE(a_full_disk_is_told_and_nothing_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
