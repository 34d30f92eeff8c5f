/*
 * Tables for the messages of feed and tracker: what is read is what was
 * written, and nothing that is out of bounds.
 */
#include "common/tracking_messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static void
assert_text(struct octets got, const char *wanted)
{
	assert_int_equal(got.len, strlen(wanted));
	if (got.len != 0)
		assert_memory_equal(got.data, wanted, got.len);
}

static struct history_event
an_event(void)
{
	return (struct history_event){ .time = 1795313349123,
		.source = SOURCE_LOG,
		.action = ACTION_RELAYED,
		.status = "2.0.0",
		.original = text("bob@example.org"),
		.recipient = text("robert@example.org"),
		.remote_mta = text("mx.example.org"),
		.remote_address = text("192.0.2.1"),
		.reply = text("250 ok"),
		.tls = text("TLSv1.3") };
}

static void
items_are_read_as_written(void **state)
{
	const struct feed_item items[] = {
		{ .kind = FEED_STATUS,
		    .queue_id = text("4XyZ"),
		    .time = 1795313349123,
		    .event = an_event() },
		{ .kind = FEED_JOIN,
		    .queue_id = text("4XyZ"),
		    .time = 7,
		    .other_id = text("5ABC") },
		{ .kind = FEED_END, .queue_id = text("4XyZ"), .time = 8 },
	};
	struct wire_out out = { 0 };
	struct feed_item got;
	struct wire_in in;

	(void)state;
	for (size_t i = 0; i < LEN(items); i++) {
		wire_begin(&out);
		feed_item_put(&out, &items[i]);
		wire_read(&in, out.data, out.len);
		feed_item_get(&in, &got);
		assert_int_equal(wire_end(&in), 0);
		assert_int_equal(got.kind, items[i].kind);
		assert_int_equal(got.time, items[i].time);
		assert_text(got.queue_id, "4XyZ");
		assert_text(got.other_id, i == 1 ? "5ABC" : "");
		assert_text(
		    got.event.recipient, i == 0 ? "robert@example.org" : "");
		for (size_t cut = 0; cut < out.len; cut++) {
			wire_read(&in, out.data, cut);
			feed_item_get(&in, &got);
			assert_int_equal(wire_end(&in), -1);
		}
	}
	wire_free(&out);
}

static void
items_without_sense_are_refused(void **state)
{
	const struct feed_item items[] = {
		{ .kind = FEED_END },
		{ .kind = FEED_END + 1, .queue_id = text("4XyZ") },
		{ .kind = FEED_JOIN, .queue_id = text("4XyZ") },
	};
	struct wire_out out = { 0 };
	struct feed_item got;
	struct wire_in in;

	(void)state;
	for (size_t i = 0; i < LEN(items); i++) {
		wire_begin(&out);
		feed_item_put(&out, &items[i]);
		wire_read(&in, out.data, out.len);
		feed_item_get(&in, &got);
		assert_int_equal(wire_end(&in), -1);
	}
	wire_free(&out);
}

static void
a_history_that_claims_too_much_is_refused(void **state)
{
	struct history_event e = an_event();
	struct history h = { &e, 1 }, got;
	struct wire_out out = { 0 };
	struct wire_in in;

	(void)state;
	wire_begin(&out);
	history_put(&out, &h);
	wire_read(&in, out.data, out.len);
	history_get(&in, &got);
	assert_int_equal(wire_end(&in), 0);
	assert_int_equal(got.count, 1);
	assert_text(got.events[0].reply, "250 ok");
	history_free(&got);
	for (size_t i = 0; i < 4; i++) {
		uint8_t kept = out.data[i];

		out.data[i] = 0xff;
		wire_read(&in, out.data, out.len);
		history_get(&in, &got);
		assert_int_equal(wire_end(&in), -1);
		history_free(&got);
		out.data[i] = kept;
	}
	wire_free(&out);
}

static void
a_record_tells_what_the_msa_said(void **state)
{
	static const struct {
		uint16_t code;
		uint8_t outcome;
		uint8_t flags;
		const char *said;
		const char *host;
		uint8_t action;
		const char *status;
		const char *reply;
	} rows[] = {
		{ 250, OUTCOME_ACCEPTED, 0, "2.1.5 Ok", "", ACTION_DELAYED, "",
		    "2.0.0 queued" },
		{ 250, OUTCOME_UNKNOWN, 0, "2.1.5 Ok", "", ACTION_OPAQUE, "",
		    "" },
		{ 250, OUTCOME_ACCEPTED, MAIL_MTRK_SENT, "Ok", "",
		    ACTION_DELAYED, "", "2.0.0 queued" },
		{ 250, OUTCOME_ACCEPTED, MAIL_MTRK_SENT, "Ok", "msa.example",
		    ACTION_TRANSFERRED, "", "2.0.0 queued" },
		{ 250, OUTCOME_ACCEPTED, 0, "Ok", "msa.example", ACTION_DELAYED,
		    "", "2.0.0 queued" },
		{ 550, OUTCOME_ACCEPTED, 0, "5.1.1 no such user", "",
		    ACTION_FAILED, "5.1.1", "5.1.1 no such user" },
		{ 550, OUTCOME_UNKNOWN, 0, "no such user", "", ACTION_FAILED,
		    "", "no such user" },
		{ 451, OUTCOME_ACCEPTED, 0, "4.3.0 later", "", ACTION_FAILED,
		    "4.3.0", "4.3.0 later" },
		{ 451, OUTCOME_ACCEPTED, 0, "5.3.0 odd", "", ACTION_FAILED, "",
		    "5.3.0 odd" },
		{ 550, OUTCOME_ACCEPTED, 0, "5.1.1234567890", "", ACTION_FAILED,
		    "", "5.1.1234567890" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct mail_recipient to = { text("bob@example.org"),
			rows[i].code, text(rows[i].said) };
		struct mail_record m = { .time = 5,
			.flags = rows[i].flags,
			.outcome = rows[i].outcome,
			.reply = text("2.0.0 queued"),
			.recipient_count = 1,
			.recipients = &to };
		struct history_event e = an_event();
		struct history stored = { &e, 1 }, all;

		assert_int_equal(
		    history_of_record(&m, &stored, text(rows[i].host), &all),
		    0);
		assert_int_equal(all.count, 2);
		assert_int_equal(all.events[0].action, rows[i].action);
		assert_string_equal(all.events[0].status, rows[i].status);
		assert_text(all.events[0].reply, rows[i].reply);
		assert_int_equal(all.events[0].source, SOURCE_PROXY);
		assert_text(all.events[1].reply, "250 ok");
		history_free(&all);
	}
}

static void
the_name_that_a_record_holds_comes_first(void **state)
{
	struct mail_recipient to = { text("b@c"), 250, text("Ok") };
	struct mail_record m = { .flags = MAIL_MTRK_SENT,
		.outcome = OUTCOME_ACCEPTED,
		.msa_host = text("msa.example"),
		.recipient_count = 1,
		.recipients = &to };
	struct history stored = { NULL, 0 }, all;

	(void)state;
	assert_int_equal(
	    history_of_record(&m, &stored, text("127.0.0.1"), &all), 0);
	assert_int_equal(all.events[0].action, ACTION_TRANSFERRED);
	assert_text(all.events[0].remote_mta, "msa.example");
	history_free(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(items_are_read_as_written),
		cmocka_unit_test(items_without_sense_are_refused),
		cmocka_unit_test(a_history_that_claims_too_much_is_refused),
		cmocka_unit_test(a_record_tells_what_the_msa_said),
		cmocka_unit_test(the_name_that_a_record_holds_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
