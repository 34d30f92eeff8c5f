/*
 * What the tracking server makes of the keeper's answers: what is told, what
 * is not, and what is no answer.
 */
#include "track/tracker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/inner_host.h"
#include "common/tracking_messages.h"
#include "conf/conf.h"

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

struct fixture {
	struct conf conf;
	struct tracker tracker;
	struct mail_recipient to;
	struct mail_record mail;
	struct history_event event;
	struct history stored;
};

static int
setup(void **state)
{
	static char name[] = "submit.example.net", net[] = "10.0.0.0/8";
	static char *inner[] = { net };
	struct fixture *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return -1;
	f->conf.hostname = name;
	f->tracker.conf = &f->conf;
	f->tracker.inner = inner_hosts_new(inner, 1);
	f->to =
	    (struct mail_recipient){ text("bob@example.org"), 250, text("ok") };
	f->mail = (struct mail_record){ .envid = text("a+2Bb@example.net"),
		.outcome = OUTCOME_ACCEPTED,
		.time = 1767225600000,
		.msa = text("main"),
		.code = 250,
		.reply = text("2.0.0 queued as Q1"),
		.recipient_count = 1,
		.recipients = &f->to };
	f->event = (struct history_event){ .time = 1767225660000,
		.source = SOURCE_LOG,
		.action = ACTION_RELAYED,
		.status = "2.0.0",
		.recipient = text("bob@example.org"),
		.remote_mta = text("mx.inside.example"),
		.remote_address = text("10.1.2.3"),
		.reply = text("250 taken by mx.inside.example") };
	f->stored = (struct history){ &f->event, 1 };
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	inner_hosts_free(f->tracker.inner);
	free(f);
	return 0;
}

static void
put_answer(const struct fixture *f, uint8_t status, struct wire_out *out)
{
	wire_begin(out);
	wire_put_u8(out, status);
	mail_body_put(out, &f->mail);
	history_put(out, &f->stored);
	assert_false(out->failed);
}

/* The text of the answer, "" where there is none; to be freed. */
static enum tracker_result
answer(const struct fixture *f, const struct wire_out *out, char **told)
{
	struct buffer report = { 0 };
	enum tracker_result result;
	struct wire_in in;

	wire_read(&in, out->data, out->len);
	result = tracker_answer(&f->tracker, &in, &report);
	buffer_append(&report, "", 1);
	*told = strdup((const char *)buffer_at(&report));
	assert_non_null(*told);
	buffer_free(&report);
	return result;
}

static enum tracker_result
told_of(const struct fixture *f, uint8_t status, char **told)
{
	struct wire_out out = { 0 };
	enum tracker_result result;

	put_answer(f, status, &out);
	result = answer(f, &out, told);
	wire_free(&out);
	return result;
}

static void
what_is_known_is_told_in_the_words_of_a_report(void **state)
{
	const struct fixture *f = *state;
	char *told;

	assert_int_equal(told_of(f, KEEPER_OK, &told), TRACKER_FOUND);
	assert_non_null(
	    strstr(told, "\r\nOriginal-Envelope-Id: a+b@example.net\r\n"));
	assert_non_null(
	    strstr(told, "\r\nReporting-MTA: dns; submit.example.net\r\n"));
	assert_non_null(
	    strstr(told, "\r\nArrival-Date: Thu, 1 Jan 2026 00:00:00 +0000"));
	assert_non_null(
	    strstr(told, "\r\nOriginal-Recipient: rfc822; bob@example.org"));
	assert_null(strstr(told, "inside.example"));
	assert_null(strstr(told, "10.1.2.3"));
	free(told);
}

static void
an_operator_may_reveal_inner_hosts(void **state)
{
	struct fixture *f = *state;
	char *told;

	f->conf.tracking.reveal_hosts = true;
	assert_int_equal(told_of(f, KEEPER_OK, &told), TRACKER_FOUND);
	assert_non_null(
	    strstr(told, "\r\nRemote-MTA: dns; mx.inside.example\r\n"));
	free(told);
}

static void
an_alias_is_told_where_the_operator_reveals_it(void **state)
{
	struct fixture *f = *state;
	char *told;

	f->event.original = f->event.recipient;
	f->event.recipient = text("robert@hidden.example");
	f->event.reply = text("250 ok");
	assert_int_equal(told_of(f, KEEPER_OK, &told), TRACKER_FOUND);
	assert_null(strstr(told, "robert"));
	free(told);
	f->conf.tracking.reveal_aliases = true;
	assert_int_equal(told_of(f, KEEPER_OK, &told), TRACKER_FOUND);
	assert_non_null(strstr(told, "rfc822; robert@hidden.example"));
	free(told);
}

static void
what_may_not_be_known_is_not_told(void **state)
{
	static const struct {
		uint8_t status;
		enum tracker_result result;
	} cases[] = {
		{ KEEPER_NOT_FOUND, TRACKER_NOINFO },
		{ KEEPER_UNAVAILABLE, TRACKER_UNAVAILABLE },
		{ KEEPER_LIMITED, TRACKER_UNAVAILABLE },
		{ 99, TRACKER_UNAVAILABLE },
	};
	const struct fixture *f = *state;
	char *told;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
		    told_of(f, cases[i].status, &told), cases[i].result);
		assert_string_equal(told, "");
		free(told);
	}
}

static void
a_message_without_recipients_tells_nothing(void **state)
{
	struct fixture *f = *state;
	char *told;

	f->mail.recipient_count = 0;
	f->stored.count = 0;
	assert_int_equal(told_of(f, KEEPER_OK, &told), TRACKER_NOINFO);
	assert_string_equal(told, "");
	free(told);
}

static void
half_an_answer_is_none(void **state)
{
	const struct fixture *f = *state;
	struct wire_out out = { 0 };
	size_t whole;
	char *told;

	put_answer(f, KEEPER_OK, &out);
	whole = out.len;
	for (out.len = 0; out.len < whole; out.len++) {
		assert_int_equal(answer(f, &out, &told), TRACKER_MALFORMED);
		assert_string_equal(told, "");
		free(told);
	}
	wire_put_u8(&out, 0);
	assert_int_equal(answer(f, &out, &told), TRACKER_MALFORMED);
	free(told);
	wire_free(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_known_is_told_in_the_words_of_a_report),
		TEST(an_operator_may_reveal_inner_hosts),
		TEST(an_alias_is_told_where_the_operator_reveals_it),
		TEST(what_may_not_be_known_is_not_told),
		TEST(a_message_without_recipients_tells_nothing),
		TEST(half_an_answer_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
