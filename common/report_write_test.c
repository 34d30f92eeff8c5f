/*
 * What the writer of tracking answers makes of histories: golden files in
 * tests/golden/mtqp/, and what no answer may ever be (RFC 3886 3). Run from
 * the root.
 */
#include "common/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define EVENTS_MAX 8
#define ARRIVAL	   1795313349123ULL /* 22 Nov 2026 02:09:09.123 */
#define AT(s)	   (ARRIVAL + (s)*1000ULL)
#define FIVE_DAYS  (ARRIVAL + 5 * 86400000ULL)

#define TEXT(s)                                                                \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}
#define TAKEN(a)                                                               \
	{                                                                      \
		.time = ARRIVAL, .source = SOURCE_PROXY,                       \
		.action = ACTION_DELAYED, .original = TEXT(a),                 \
		.recipient = TEXT(a),                                          \
		.reply = TEXT("250 2.0.0 Ok: queued as 4YkXyz"),               \
	}

#define LONG_LOCAL                                                             \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_ADDRESS                                                           \
	LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL      \
	    LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL LONG_LOCAL  \
		LONG_LOCAL LONG_LOCAL LONG_LOCAL "@example.net"

struct story {
	const char *file;
	bool reveal;
	struct history_event events[EVENTS_MAX];
};

static const struct story stories[] = {
	{ "accepted", false, { TAKEN("bob@example.net") } },
	{ "delayed", false,
	    { TAKEN("bob@example.net"),
		{ .time = AT(2),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELAYED,
		    .status = "4.4.1",
		    .recipient = TEXT("bob@example.net"),
		    .remote_mta = TEXT("mx1.example.net"),
		    .remote_address = TEXT("192.0.2.7"),
		    .reply = TEXT("connect to mx1.example.net[192.0.2.7]:25: "
				  "Connection timed out (110)"),
		    .retry_until = FIVE_DAYS } } },
	{ "relayed", false,
	    { TAKEN("bob@example.net"),
		{ .time = AT(3),
		    .source = SOURCE_LOG,
		    .action = ACTION_RELAYED,
		    .status = "2.0.0",
		    .recipient = TEXT("bob@example.net"),
		    .remote_mta = TEXT("mx1.example.net"),
		    .remote_address = TEXT("2001:db8::7"),
		    .reply = TEXT("250 2.0.0 Ok: queued as 9F1C2"),
		    .tls = TEXT("TLSv1.3 TLS_AES_256_GCM_SHA384") } } },
	{ "transferred", false,
	    { { .time = AT(1),
		.source = SOURCE_PROXY,
		.action = ACTION_TRANSFERRED,
		.status = "2.0.0",
		.original = TEXT("bob@example.net"),
		.recipient = TEXT("bob@example.net"),
		.remote_mta = TEXT("next.example.org") } } },
	{ "delivered-and-failed", false,
	    { TAKEN("bob@example.net"), TAKEN("nobody@example.net"),
		{ .time = AT(1),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .status = "2.0.0",
		    .recipient = TEXT("bob@example.net"),
		    .reply = TEXT("delivered to maildir") },
		{ .time = AT(1),
		    .source = SOURCE_LOG,
		    .action = ACTION_FAILED,
		    .status = "5.1.1",
		    .recipient = TEXT("nobody@example.net"),
		    .reply = TEXT("unknown user: \"nobody\"") } } },
	{ "utf-8", false,
	    { TAKEN("j\xc3\xb6rg+list@b\xc3\xbc"
		    "cher.example"),
		{ .time = AT(1),
		    .source = SOURCE_LOG,
		    .action = ACTION_FAILED,
		    .status = "5.6.7",
		    .recipient = TEXT("j\xc3\xb6rg+list@b\xc3\xbc"
				      "cher.example"),
		    .remote_address = TEXT("2001:db8::7"),
		    .reply = TEXT("Empf\xc3\xa4nger abgelehnt") } } },
	{ "expanded-hidden", false,
	    { TAKEN("team@example.net"),
		{ .time = AT(1),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .status = "2.0.0",
		    .original = TEXT("team@example.net"),
		    .recipient = TEXT("ann@example.net"),
		    .reply = TEXT("delivered to mailbox of ann") },
		{ .time = AT(2),
		    .source = SOURCE_LOG,
		    .action = ACTION_FAILED,
		    .status = "5.2.2",
		    .original = TEXT("team@example.net"),
		    .recipient = TEXT("eve@example.org"),
		    .remote_mta = TEXT("mx.example.org"),
		    .reply = TEXT("552 mailbox full") } } },
	{ "expanded-revealed", true,
	    { TAKEN("team@example.net"),
		{ .time = AT(1),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .status = "2.0.0",
		    .original = TEXT("team@example.net"),
		    .recipient = TEXT("ann@example.net"),
		    .reply = TEXT("delivered to mailbox of ann") },
		{ .time = AT(2),
		    .source = SOURCE_LOG,
		    .action = ACTION_FAILED,
		    .status = "5.2.2",
		    .original = TEXT("team@example.net"),
		    .recipient = TEXT("eve@example.org"),
		    .remote_mta = TEXT("mx.example.org"),
		    .reply = TEXT("552 mailbox full") } } },
	{ "hostile", true,
	    { { .time = AT(1),
		  .source = SOURCE_LOG,
		  .action = ACTION_FAILED,
		  .status = "5.0.0",
		  .recipient = TEXT("a\r\n\r\nAction: delivered\r\n@x"),
		  .remote_mta = TEXT("mx\r\n--=_waybill_1--\r\n"),
		  .reply = TEXT("550 =_waybill_1 \\ (((\r\n.\r\n"
				"Action: delivered\0 )))  \xff\xfe.") },
		{ .time = AT(2),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELAYED,
		    .status = "4.0.0",
		    .recipient = TEXT("\"b (c\"@example.net"),
		    .remote_address = TEXT("10.0.0.1] (x"),
		    .reply = TEXT("-") },
		{ .time = AT(3),
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .recipient = TEXT(LONG_ADDRESS) } } },
};

static const struct octets envid =
    TEXT("k3Yc0bq2RtOZl8uPqv1x5A@submit.example.net");
static const struct octets our_name = TEXT("track.example.net");

/* The answer to a story, or "" where there is none. */
static void
write_story(const struct story *s, struct buffer *out)
{
	struct status_view view = { .reveal_aliases = s->reveal,
		.reveal_hosts = true };
	struct report_source source = {
		.envid = envid, .reporting_mta = our_name, .arrival = ARRIVAL
	};
	struct status_list list;
	size_t count = 0;

	while (count < EVENTS_MAX && s->events[count].time != 0)
		count++;
	assert_int_equal(status_derive(s->events, count, &view, &list), 0);
	source.rows = list.rows;
	source.count = list.count;
	assert_int_equal(report_write(&source, 1, out), 0);
	status_list_free(&list);
}

/* A golden file, its line ends as on the wire. */
static void
read_golden(const char *name, struct buffer *out)
{
	char path[128], line[2048];
	FILE *file;

	snprintf(path, sizeof(path), "tests/golden/mtqp/report-%s.txt", name);
	file = fopen(path, "r");
	if (file == NULL) {
		print_message("%s: cannot be read\n", path);
		return;
	}
	while (fgets(line, sizeof(line), file) != NULL) {
		buffer_append(out, line, strcspn(line, "\n"));
		buffer_append(out, "\r\n", 2);
	}
	fclose(file);
}

static void
check_same(const char *name, const struct buffer *got)
{
	struct buffer want = { 0 };

	read_golden(name, &want);
	if (buffer_len(got) != buffer_len(&want) ||
	    memcmp(buffer_at(got), buffer_at(&want), buffer_len(got)) != 0) {
		fprintf(stderr, "not as in report-%s.txt:\n", name);
		fwrite(buffer_at(got), 1, buffer_len(got), stderr);
		fail();
	}
	buffer_free(&want);
}

/* RFC 2045 2.7, RFC 3887 12. */
static void
check_lines(const struct buffer *b)
{
	const char *at = (const char *)buffer_at(b);
	const char *end = at + buffer_len(b);

	while (at < end) {
		const char *crlf = memmem(at, (size_t)(end - at), "\r\n", 2);

		assert_non_null(crlf);
		assert_true(crlf - at <= 998);
		for (; at < crlf; at++)
			assert_true(*at >= ' ' && *at <= '~');
		at += 2;
	}
}

static void
histories_become_the_golden_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(stories); i++) {
		struct buffer out = { 0 };

		write_story(&stories[i], &out);
		check_lines(&out);
		check_same(stories[i].file, &out);
		buffer_free(&out);
	}
}

static struct octets
of(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static void
chained_answers_have_a_part_for_each_server(void **state)
{
	struct status_row here = { .original = of("bob@example.net"),
		.recipient = of("bob@example.net"),
		.action = ACTION_TRANSFERRED,
		.status = "2.4.0",
		.last_attempt = AT(1),
		.remote_mta = of("next.example.org") };
	struct status_row there = { .original = of("bob@example.net"),
		.recipient = of("bob@example.net"),
		.action = ACTION_DELIVERED,
		.status = "2.5.0",
		.last_attempt = AT(2) };
	struct report_source parts[] = {
		{ envid, our_name, ARRIVAL, &here, 1 },
		{ envid, of("nothing.example.org"), ARRIVAL, NULL, 0 },
		{ envid, of("next.example.org"), AT(1), &there, 1 },
	};
	struct buffer out = { 0 };

	(void)state;
	assert_int_equal(report_write(parts, LEN(parts), &out), 0);
	check_lines(&out);
	check_same("chained", &out);
	buffer_free(&out);
}

static void
without_a_recipient_there_is_no_answer(void **state)
{
	struct status_row nameless = { .action = ACTION_DELIVERED };
	struct report_source part = { envid, our_name, ARRIVAL, &nameless, 1 };
	struct buffer out = { 0 };

	(void)state;
	assert_int_equal(report_write(&part, 1, &out), -1);
	assert_int_equal(report_write(NULL, 0, &out), -1);
	assert_int_equal(buffer_len(&out), 0);
}

/* RFC 3886 3.3.5 to 3.3.7, whatever the row holds. */
static void
fields_stand_only_where_they_may(void **state)
{
	static const struct {
		uint8_t action;
		bool tried;
		bool remote, last, retry;
	} rows[] = {
		{ ACTION_OPAQUE, true, false, false, false },
		{ ACTION_DELAYED, false, false, false, true },
		{ ACTION_DELAYED, true, true, true, true },
		{ ACTION_RELAYED, true, true, true, false },
		{ ACTION_FAILED, true, true, true, false },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct status_row row = { .original = of("a@x"),
			.recipient = of("a@x"),
			.action = rows[i].action,
			.status = "4.0.0",
			.remote_mta = of("mx"),
			.last_attempt = rows[i].tried ? AT(1) : 0,
			.retry_until = FIVE_DAYS };
		struct report_source part = { envid, our_name, ARRIVAL, &row,
			1 };
		struct buffer out = { 0 };
		const char *text;

		assert_int_equal(report_write(&part, 1, &out), 0);
		buffer_append(&out, "", 1);
		text = (const char *)buffer_at(&out);
		assert_int_equal(
		    strstr(text, "\nRemote-MTA: ") != NULL, rows[i].remote);
		assert_int_equal(strstr(text, "\nLast-Attempt-Date: ") != NULL,
		    rows[i].last);
		assert_int_equal(strstr(text, "\nWill-Retry-Until: ") != NULL,
		    rows[i].retry);
		buffer_free(&out);
	}
}

/* RFC 3461 6.3: decoded; but never a line end out of it. */
static void
envids_are_decoded(void **state)
{
	static const struct {
		const char *envid;
		const char *line;
	} rows[] = {
		{ "a+2Bb+3D@x", "\nOriginal-Envelope-Id: a+b=@x\r" },
		{ "a+20b@x", "\nOriginal-Envelope-Id: a b@x\r" },
		{ "a+0D+0Ab@x", "\nOriginal-Envelope-Id: a+0D+0Ab@x\r" },
		{ "a+C3+A9@x", "\nOriginal-Envelope-Id: a+C3+A9@x\r" },
		{ "+20a@x", "\nOriginal-Envelope-Id: +20a@x\r" },
		{ "no=xtext@x", "\nOriginal-Envelope-Id: no=xtext@x\r" },
		{ "a\r\nb", "\nOriginal-Envelope-Id: a??b\r" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct status_row row = { .original = of("a@x"),
			.recipient = of("a@x"),
			.status = "4.0.0" };
		struct report_source part = { of(rows[i].envid), our_name,
			ARRIVAL, &row, 1 };
		struct buffer out = { 0 };

		assert_int_equal(report_write(&part, 1, &out), 0);
		assert_non_null(memmem(buffer_at(&out), buffer_len(&out),
		    rows[i].line, strlen(rows[i].line)));
		buffer_free(&out);
	}
}

/* What was written is read back, octet for octet where it can be. */
static void
answers_are_read_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(stories); i++) {
		struct buffer out = { 0 };
		struct report report;

		write_story(&stories[i], &out);
		assert_int_equal(
		    report_read(&report, buffer_at(&out), buffer_len(&out)), 0);
		assert_int_equal(report.count, 1);
		assert_string_equal(
		    report.parts[0].envid, (const char *)envid.data);
		assert_string_equal(
		    report.parts[0].reporting_mta, (const char *)our_name.data);
		assert_int_equal(
		    report.parts[0].arrival, ARRIVAL / 1000 * 1000);
		for (size_t k = 0; k < report.parts[0].count; k++) {
			const struct report_recipient *r =
			    &report.parts[0].recipients[k];

			assert_true(strlen(r->original) > 0);
			assert_true(status_code_is_valid(r->status));
			assert_int_not_equal(r->action, ACTION_OPAQUE);
		}
		report_free(&report);
		buffer_free(&out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(histories_become_the_golden_answers),
		cmocka_unit_test(chained_answers_have_a_part_for_each_server),
		cmocka_unit_test(without_a_recipient_there_is_no_answer),
		cmocka_unit_test(fields_stand_only_where_they_may),
		cmocka_unit_test(envids_are_decoded),
		cmocka_unit_test(answers_are_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
