/*
 * The history of messages: events fed by queue ids, in order and without
 * doubles, and how many of them are kept.
 */
#include "secrets/vault_history_fixture.h"

#include "secrets/events.h"

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

/* Who took a proxy over settles a message of its own under another's id. */
static void
a_later_claim_gets_nothing_of_a_message_in_its_life(void **state)
{
	struct mail_record forged;
	struct minted held;
	uint64_t start;
	char text[512];

	(void)state;
	fx_open();
	/* minted before the message that it wants to be */
	held = fx_mint("mallory");
	fx.now += 5000;
	settled("alice", "<1@x>", "Q1");
	start = fx.now;
	fx.now += 10;
	forged = fx_record("mallory", &held, "<2@x>");
	forged.queue_id = fx_text("Q1");
	forged.time = 0;
	assert_int_equal(fx_settle_as(&forged), KEEPER_OK);
	for (int i = 0; i < 2; i++) {
		settled("mallory", "<3@x>", "Q1");
		assert_string_equal(
		    feed_one(a_status("Q1", start + 1000, ACTION_DELAYED)),
		    "0");
		/* it is queued, and tried again for days */
		assert_string_equal(
		    feed_one(a_status(
			"Q1", start + 4 * FIXTURE_DAY, ACTION_DELAYED)),
		    "0");
	}
	vault_status(fx.vault, text, sizeof(text));
	assert_non_null(strstr(text, " contested_ids=2 "));
	assert_string_equal(feed_end("Q1", start + 4 * FIXTURE_DAY + 1), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 2);
	assert_int_equal(events_of("mallory", "<2@x>"), 0);
	assert_int_equal(events_of("mallory", "<3@x>"), 0);
	/* the same lines fed again after its end */
	assert_string_equal(
	    feed_one(a_status("Q1", start + 1000, ACTION_DELAYED)), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 2);
	assert_int_equal(events_of("mallory", "<2@x>"), 0);
}

static void
very_many_claims_do_not_hide_the_first(void **state)
{
	(void)state;
	fx.settings.mints_unfinished = 100000;
	fx_open();
	settled("bob", "<0@x>", "Q2"); /* numbers below and above alice's */
	fx.now += 1000;
	settled("alice", "<1@x>", "Q1");
	for (int i = 0; i < 1000; i++) {
		fx.now++;
		settled(i % 2 == 0 ? "bob" : "mallory", "<2@x>", "Q1");
	}
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now + 1000, ACTION_DELIVERED)), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 1);
}

/* An MSA gives an id again at once, before the feed says that it was over. */
static void
a_settle_before_the_end_of_the_last_message_loses_nothing(void **state)
{
	struct feed_item items[5];
	uint64_t start;

	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	start = fx.now;
	fx.now += 10000;
	settled("bob", "<2@x>", "Q1");
	items[0] = a_status("Q1", start + 2000, ACTION_DELAYED);
	items[1] = a_status("Q1", start + 6000, ACTION_RELAYED);
	items[2] = (struct feed_item){ .kind = FEED_END,
		.queue_id = fx_text("Q1"),
		.time = start + 6000 };
	items[3] = a_status("Q1", start + 11000, ACTION_FAILED);
	items[4] = (struct feed_item){ .kind = FEED_END,
		.queue_id = fx_text("Q1"),
		.time = start + 11000 };
	for (int i = 0; i < 2; i++) {
		assert_string_equal(feed(items, 5), "00000");
		assert_int_equal(events_of("alice", "<1@x>"), 2);
		assert_int_equal(events_of("bob", "<2@x>"), 1);
		assert_int_equal(fx.history.events[0].action, ACTION_FAILED);
	}
}

/* Without a feed no END is seen; one that starts then finds ids that are. */
static void
where_no_end_was_seen_an_id_means_the_message_of_now(void **state)
{
	(void)state;
	fx_open();
	settled("alice", "<1@x>", "Q1");
	settled("alice", "<3@x>", "Q3");
	fx.now += 2 * FIXTURE_DAY;
	settled("bob", "<2@x>", "Q1");
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now + 1000, ACTION_RELAYED)), "0");
	assert_int_equal(events_of("alice", "<1@x>"), 0);
	assert_int_equal(events_of("bob", "<2@x>"), 1);
	/* nobody else claims it: it was held all the time */
	assert_string_equal(
	    feed_one(a_status("Q3", fx.now + 1000, ACTION_RELAYED)), "0");
	assert_int_equal(events_of("alice", "<3@x>"), 1);
	/* the feed was lost with the last END, for longer than a queue lasts */
	fx.now += 6 * FIXTURE_DAY;
	settled("alice", "<4@x>", "Q1");
	assert_string_equal(
	    feed_one(a_status("Q1", fx.now + 1000, ACTION_FAILED)), "0");
	assert_int_equal(events_of("alice", "<4@x>"), 1);
	assert_int_equal(events_of("bob", "<2@x>"), 1);
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

#define CASE(f) cmocka_unit_test_setup_teardown(f, fx_setup, fx_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(events_are_kept_in_order_and_once),
		CASE(unknown_ids_are_told),
		CASE(an_id_that_comes_back_means_the_later_message),
		CASE(a_settle_sent_again_does_not_open_an_id_that_ended),
		CASE(a_later_claim_gets_nothing_of_a_message_in_its_life),
		CASE(very_many_claims_do_not_hide_the_first),
		CASE(a_settle_before_the_end_of_the_last_message_loses_nothing),
		CASE(where_no_end_was_seen_an_id_means_the_message_of_now),
		CASE(a_message_goes_on_under_another_id),
		CASE(repeats_make_room),
		CASE(an_answer_never_gets_too_long),
		CASE(nothing_is_kept_where_recipients_are_not),
		CASE(malformed_questions_are_refused),
		CASE(a_full_disk_is_told_and_nothing_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
