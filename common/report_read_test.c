/*
 * What the reader of tracking answers takes, and what it refuses
 * (RFC 3886 3, RFC 3887 4.1).
 */
#include "common/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

#define HEAD                                                                   \
	"Content-Type: multipart/related; boundary=\"b\";\r\n"                 \
	" type=\"message/tracking-status\"\r\n\r\n"
#define PART "--b\r\nContent-Type: message/tracking-status\r\n\r\n"
#define ABOUT                                                                  \
	"Original-Envelope-Id: e@x\r\nReporting-MTA: dns; here.example\r\n"    \
	"Arrival-Date: Mon, 1 Jan 2001 15:15:15 -0500\r\n"
#define ANN                                                                    \
	"Original-Recipient: rfc822; ann@x\r\nFinal-Recipient: rfc822; "       \
	"a@x\r\n"
#define END "\r\n--b--\r\n"

struct row {
	const char *name;
	const char *body;
	const char *report; /* what print_report() makes of it */
};

static void
print_report(FILE *out, const struct report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		const struct report_part *p = &r->parts[i];

		fprintf(out, "%s|%s|%llu\n", p->envid, p->reporting_mta,
		    (unsigned long long)(p->arrival / 1000));
		for (size_t k = 0; k < p->count; k++) {
			const struct report_recipient *t = &p->recipients[k];

			fprintf(out, "%s>%s %s %s (%s) mta=%s %llu %llu\n",
			    t->original, t->final,
			    status_action_name(t->action), t->status,
			    t->comment, t->remote_mta,
			    (unsigned long long)(t->last_attempt / 1000),
			    (unsigned long long)(t->retry_until / 1000));
		}
	}
}

static void
check_row(const struct row *row)
{
	size_t len = strlen(row->body);
	char got[4096] = "", *copy = malloc(len + 1);
	FILE *out = fmemopen(got, sizeof(got), "w");
	struct report report;

	memcpy(copy, row->body, len);
	if (report_read(&report, copy, len) != 0)
		fprintf(out, "error: %s\n", report.error);
	else
		print_report(out, &report);
	fclose(out);
	if (strcmp(got, row->report) != 0)
		print_message("%s\n", row->name);
	assert_string_equal(got, row->report);
	report_free(&report);
	free(copy);
}

#define ABOUT_READ "e@x|here.example|978380115\n"

static const struct row lenient[] = {
	{ "as the RFC wants it",
	    HEAD PART ABOUT "\r\n" ANN
			    "Action: failed\r\nStatus: 5.2.2 (full)\r\n"
			    "Remote-MTA: dns; mx.example\r\n"
			    "Last-Attempt-Date: Mon, 1 Jan 2001 19:15:03 "
			    "-0500\r\n" END,
	    ABOUT_READ
	    "ann@x>a@x failed 5.2.2 (full) mta=mx.example 978394503 0\n" },
	{ "line feeds alone",
	    "Content-Type: multipart/related; boundary=b\n\n--b\n"
	    "Content-Type: message/tracking-status\n\n"
	    "Original-Envelope-Id: e@x\n\n"
	    "Original-Recipient: rfc822;ann@x\nAction: delivered\n"
	    "Status:2.4.0\n\n--b--\n",
	    "e@x||0\nann@x>ann@x delivered 2.4.0 () mta= 0 0\n" },
	{ "a status without its colon, a boundary that is none",
	    "Content-Type: multipart/related; boundary=%%%%;\r\n"
	    "\ttype=tracking-status\r\n\r\n--%%%%\r\n"
	    "Content-Type: message/tracking-status\r\n\r\n" ABOUT "\r\n" ANN
	    "Action: failed\r\nStatus 5.2.2 (Mailbox full)\r\n"
	    "\r\n--%%%%--\r\n",
	    ABOUT_READ "ann@x>a@x failed 5.2.2 (Mailbox full) mta= 0 0\n" },
	{ "fields in any order and case, before and behind the blocks",
	    HEAD PART
	    "ARRIVAL-DATE: Mon, 1 Jan 2001 15:15:15 -0500\r\n"
	    "reporting-mta: DNS;here.example\r\noriginal-envelope-id: e@x\r\n"
	    "\r\nstatus: 4.4.1\r\nACTION: Delayed\r\n"
	    "will-retry-until: Thu, 4 Jan 2001 15:15:15 -0500\r\n"
	    "final-recipient: RFC822;a@x\r\noriginal-recipient:ann@x\r\n" END,
	    ABOUT_READ "ann@x>a@x delayed 4.4.1 () mta= 0 978639315\n" },
	{ "no empty line between the blocks",
	    HEAD PART ABOUT ANN
	    "Action: delivered\r\n"
	    "Original-Recipient: rfc822; bob@x\r\nAction: failed\r\n" END,
	    ABOUT_READ "ann@x>a@x delivered  () mta= 0 0\n"
		       "bob@x>bob@x failed  () mta= 0 0\n" },
	{ "a block that names nobody before one that does",
	    HEAD PART ABOUT "\r\nOriginal-Recipient: rfc822;\r\n"
			    "Action: failed\r\n" ANN END,
	    ABOUT_READ "ann@x>a@x opaque  () mta= 0 0\n" },
	{ "folding, comments, brackets and spaces",
	    HEAD PART ABOUT
	    "   \r\nOriginal-Recipient: rfc822 ;\r\n <ann@x> (Ann (A.))\r\n"
	    "Final-Recipient: rfc822; \"a (b\"@x\r\n"
	    "Action: (so) relayed (now)\r\n"
	    "Status: 2.1.9 (a \\(b\\) (c)\r\n\td) (e)\r\n"
	    "Remote-MTA : dns; mx.example (10.0.0.1)\r\n" END,
	    ABOUT_READ "ann@x>\"a (b\"@x relayed 2.1.9 (a (b) (c)\td) "
		       "mta=mx.example 0 0\n" },
	{ "addresses in UTF-8's 7-bit form",
	    HEAD PART ABOUT
	    "\r\nOriginal-Recipient: UTF-8; j\\x{F6}rg\\x{2B}a@x\r\n"
	    "Final-Recipient: rfc822; \\x{41}@x\r\nAction: delivered\r\n" END,
	    ABOUT_READ "j\xc3\xb6rg+a@x>\\x{41}@x delivered  () mta= 0 0\n" },
	{ "several parts, foreign ones between, text around them",
	    HEAD "preamble\r\n--bb\r\n" PART ABOUT "\r\n" ANN
		 "Action: transferred\r\n\r\n"
		 "--b\r\nContent-Type: text/plain\r\n\r\n"
		 "Original-Recipient: rfc822; no@x\r\n\r\n"
		 "--b\r\n\r\n" ABOUT "\r\n" ANN "Action: delivered\r\n" END
		 "Original-Recipient: rfc822; epilogue@x\r\n",
	    ABOUT_READ "ann@x>a@x transferred  () mta= 0 0\n" ABOUT_READ
		       "ann@x>a@x delivered  () mta= 0 0\n" },
	{ "no end, and no line end either",
	    HEAD PART ABOUT "\r\n" ANN "Action: delivered",
	    ABOUT_READ "ann@x>a@x delivered  () mta= 0 0\n" },
	{ "a tracking status without a multipart",
	    "Content-Type: Message/Tracking-Status; x=y\r\n\r\n" ABOUT
	    "\r\n" ANN "Action: delivered\r\n",
	    ABOUT_READ "ann@x>a@x delivered  () mta= 0 0\n" },
	{ "parameters quoted, spaced and with decoys",
	    "Content-Type: multipart/related; a=\"; boundary=no\";"
	    " xboundary=no; BOUNDARY = \"b \\\"c\" ; type=x\r\n\r\n"
	    "--b \"c\r\n\r\n" ABOUT "\r\n" ANN "Action: delivered\r\n",
	    ABOUT_READ "ann@x>a@x delivered  () mta= 0 0\n" },
	{ "nobody is told", HEAD PART ABOUT END, ABOUT_READ },
	{ "a block that names nobody",
	    HEAD PART ABOUT "\r\nAction: failed\r\n\r\n" ANN END,
	    ABOUT_READ "ann@x>a@x opaque  () mta= 0 0\n" },
	{ "the first of a field counts",
	    HEAD PART ABOUT "\r\n" ANN "Action: failed\r\nAction: delivered\r\n"
			    "Final-Recipient: rfc822; b@x\r\n" END,
	    ABOUT_READ "ann@x>a@x failed  () mta= 0 0\n" },
	{ "never a wrong status",
	    HEAD PART ABOUT "\r\n" ANN "Action: deliver\r\nStatus: 2.x\r\n"
			    "Last-Attempt-Date: tomorrow\r\n" END,
	    ABOUT_READ "ann@x>a@x opaque  () mta= 0 0\n" },
};

static const struct row refused[] = {
	{ "nothing", "", "error: no tracking status\n" },
	{ "no header", "\r\n--b\r\n", "error: no tracking status\n" },
	{ "a header only", "Content-Type: message/tracking-status\r\n",
	    "error: no tracking status\n" },
	{ "something else", "Content-Type: text/html\r\n\r\n" ABOUT,
	    "error: no tracking status\n" },
	{ "no type", "Subject: x\r\n\r\n" ABOUT,
	    "error: no tracking status\n" },
	{ "no boundary", "Content-Type: multipart/related\r\n\r\n" PART ABOUT,
	    "error: a multipart without a boundary\n" },
	{ "an empty boundary",
	    "Content-Type: multipart/related; boundary=\"\"\r\n\r\n" PART,
	    "error: a multipart without a boundary\n" },
	{ "no part", HEAD "text" END, "error: no tracking status\n" },
	{ "only foreign parts",
	    HEAD "--b\r\nContent-Type: message/rfc822\r\n\r\n" ABOUT END,
	    "error: no tracking status\n" },
};

static void
answers_are_read_leniently(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(lenient); i++)
		check_row(&lenient[i]);
}

static void
what_is_no_answer_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(refused); i++)
		check_row(&refused[i]);
}

static void
our_own_fields_are_read(void **state)
{
	static const char body[] = HEAD PART ABOUT
	    "\r\n" ANN "Action: expanded\r\nStatus: 2.5.0\r\n"
	    "X-Waybill-Reply: 250 \\x{E9}\r\n  ok\r\n"
	    "X-Waybill-Remote-Address: 192.0.2.1\r\n"
	    "X-Waybill-TLS: TLSv1.3\r\nX-Waybill-Attempts: 12\r\n"
	    "X-Waybill-Branches: failed waiting\r\n"
	    "X-Waybill-Unknown: 1\r\n"
	    "X-Waybill-Event: 2001-01-01T20:15:15.000Z; proxy; delayed; ; ;\r\n"
	    "X-Waybill-Event: 2001-01-01T20:15:16.000Z; log; failed; 5.1.1;\r\n"
	    " mx.example; no; never\r\n"
	    "X-Waybill-Event: yesterday; log; failed; 5.1.1; ; x\r\n"
	    "X-Waybill-Event: 2001-01-01T20:15:16.000Z; log; lost; ; ; x\r\n"
	    "X-Waybill-Event: 2001-01-01T20:15:16.000Z; moon; failed; ; ; x\r\n"
	    "X-Waybill-Event: 2001-01-01T20:15:16.000Z\r\n" END;
	const struct report_recipient *r;
	struct report report;

	(void)state;
	assert_int_equal(report_read(&report, body, sizeof(body) - 1), 0);
	r = &report.parts[0].recipients[0];
	assert_string_equal(r->reply, "250 \xc3\xa9  ok");
	assert_string_equal(r->remote_address, "192.0.2.1");
	assert_string_equal(r->tls, "TLSv1.3");
	assert_string_equal(r->branches, "failed waiting");
	assert_int_equal(r->attempts, 12);
	assert_int_equal(r->event_count, 2);
	assert_int_equal(r->events[0].source, SOURCE_PROXY);
	assert_int_equal(r->events[0].action, ACTION_DELAYED);
	assert_string_equal(r->events[0].text, "");
	assert_int_equal(r->events[1].time, 978380116000);
	assert_string_equal(r->events[1].status, "5.1.1");
	assert_string_equal(r->events[1].host, "mx.example");
	assert_string_equal(r->events[1].text, "no; never");
	report_free(&report);
}

static void
append(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

static void
endless_answers_are_refused(void **state)
{
	struct buffer b = { 0 };
	struct report report;

	(void)state;
	append(&b, HEAD);
	for (int i = 0; i <= REPORT_PARTS_MAX; i++)
		append(&b, PART ABOUT "\r\n" ANN);
	assert_int_equal(
	    report_read(&report, buffer_at(&b), buffer_len(&b)), -1);
	assert_string_equal(report.error, "too many parts");
	report_free(&report);
	buffer_free(&b);

	append(&b, HEAD PART ABOUT);
	for (int i = 0; i <= REPORT_RECIPIENTS_MAX; i++)
		append(&b, "\r\n" ANN);
	assert_int_equal(
	    report_read(&report, buffer_at(&b), buffer_len(&b)), -1);
	assert_string_equal(report.error, "too many recipients");
	report_free(&report);
	assert_int_equal(
	    report_read(&report, "", (size_t)REPORT_SIZE_MAX + 1), -1);
	assert_string_equal(report.error, "too long");
	report_free(&report);
	buffer_free(&b);
}

/* Wherever it is cut, it is read or refused, and nothing is invented. */
static void
cut_answers_do_no_harm(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(lenient); i++)
		for (size_t n = 0; n < strlen(lenient[i].body); n++) {
			char *cut = malloc(n + 1);
			struct report report;

			memcpy(cut, lenient[i].body, n);
			if (report_read(&report, cut, n) != 0)
				assert_non_null(report.error);
			report_free(&report);
			free(cut);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_are_read_leniently),
		cmocka_unit_test(what_is_no_answer_is_refused),
		cmocka_unit_test(our_own_fields_are_read),
		cmocka_unit_test(endless_answers_are_refused),
		cmocka_unit_test(cut_answers_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
