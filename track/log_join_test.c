/*
 * Tables for track/log_join: which step a line becomes after those before it.
 */
#include "track/log_join.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "track/log_reader.h"
#include "track/scan.h"

#define AT	    "Nov 22 10:00:00 mail postfix/"
#define TO(address) "to=<" address ">, "
#define SENT(relay) "relay=" relay ", delay=1, dsn=2.0.0, status=sent (250 ok)"
#define QUEUED(relay, id)                                                      \
	"relay=" relay ", delay=1, dsn=2.0.0, status=sent (250 2.0.0 Ok: "     \
	"queued as " id ")"
#define MX	       "mx.example.org[192.0.2.7]:25"
#define EXIM(id, what) "2026-11-22 10:00:00 " id " " what
#define TLS                                                                    \
	"Trusted TLS connection established to " MX                            \
	": TLSv1.3 with cipher X (256/256 bits)"

enum { TEXT_MAX = 8192, LINES_MAX = 24 };

struct seen {
	size_t len;
	char text[TEXT_MAX];
};

static void
add(struct seen *seen, const char *name, struct octets value)
{
	if (value.len > 0)
		seen->len += (size_t)snprintf(seen->text + seen->len,
		    TEXT_MAX - seen->len, "%s%.*s", name, (int)value.len,
		    (const char *)value.data);
}

static void
on_step(void *arg, const struct log_event *step)
{
	static const char *const words[] = { "opaque", "delayed", "relayed",
		"transferred", "delivered", "expanded", "failed" };
	struct seen *seen = arg;

	add(seen, "", step->queue_id);
	if (step->kind == LOGGED_END)
		add(seen, " ends", scan_text("."));
	else if (step->kind == LOGGED_JOIN)
		add(seen, " is ", step->next_id);
	else
		add(seen, " ", scan_text(words[step->status.action]));
	if (step->kind == LOGGED_STATUS) {
		add(seen, " ", step->status.recipient);
		add(seen, " for ", step->status.original);
		add(seen, " by ", step->status.tls);
	}
	add(seen, "", scan_text("\n"));
}

struct story {
	const char *name;
	const char *lines[LINES_MAX];
	const char *steps;
};

static const struct story stories[] = {
	{ "TLS belongs to the next delivery of its process to that hop",
	    { AT "smtp[1]: " TLS, AT "smtp[2]: 4A0001: " TO("a@x") SENT(MX),
		AT "smtp[1]: 4A0002: " TO("b@x") SENT("other[192.0.2.9]:25"),
		AT "smtp[1]: 4A0002: " TO("c@x") SENT(MX),
		AT "smtp[1]: 4A0002: " TO("d@x") SENT(MX),
		AT "smtp[1]: 4A0003: " TO("e@x") SENT(MX) },
	    "4A0001 relayed a@x\n4A0002 relayed b@x\n"
	    "4A0002 relayed c@x by TLSv1.3 with cipher X (256/256 bits)\n"
	    "4A0002 relayed d@x by TLSv1.3 with cipher X (256/256 bits)\n"
	    "4A0003 relayed e@x\n" },
	{ "TLS that could not be started is none",
	    { AT "smtp[1]: " TLS,
		AT "smtp[1]: 4A0001: Cannot start TLS: handshake failure",
		AT "smtp[1]: 4A0001: " TO("a@x") SENT(MX) },
	    "4A0001 relayed a@x\n" },
	{ "a filter gives the message back, and alias names go with it",
	    { AT "smtpd[1]: 4A0001: client=localhost[127.0.0.1]",
		AT "cleanup[1]: 4A0001: message-id=<m@x>",
		AT "smtpd[1]: 4A0002: client=localhost[127.0.0.1]",
		AT "cleanup[1]: 4A0002: message-id=<m@x>",
		AT "smtp[2]: 4A0001: to=<b@x>, orig_to=<team@x>, " QUEUED(
		    "127.0.0.1[127.0.0.1]:10024", "4A0002"),
		AT "smtp[2]: 4A0001: to=<c@x>, orig_to=<team@x>, " QUEUED(
		    "127.0.0.1[127.0.0.1]:10024", "4A0002"),
		AT "qmgr[2]: 4A0001: removed",
		AT "smtp[2]: 4A0002: " TO("b@x") SENT(MX),
		AT "smtp[2]: 4A0002: to=<d@y>, orig_to=<c@x>, " SENT(MX),
		AT "qmgr[2]: 4A0002: removed" },
	    "4A0001 is 4A0002\n4A0001 is 4A0002\n4A0001 ends.\n"
	    "4A0002 relayed b@x for team@x\n"
	    "4A0002 relayed d@y for team@x\n4A0002 ends.\n" },
	{ "steps of the next id come before the filter's reply",
	    { AT "smtpd[1]: 4A0002: client=localhost[127.0.0.1]",
		AT "smtp[2]: 4A0002: " TO("b@x") SENT(MX),
		AT "qmgr[2]: 4A0002: removed",
		AT "smtp[2]: 4A0001: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002") },
	    "4A0002 relayed b@x\n4A0002 ends.\n4A0001 is 4A0002\n"
	    "4A0002 ends.\n" },
	{ "each alias is told, though the id was joined before",
	    { AT "smtpd[1]: 4A0002: client=localhost[127.0.0.1]",
		AT "smtp[2]: 4A0002: " TO("b@x") SENT(MX),
		AT "qmgr[2]: 4A0002: removed",
		AT "smtp[2]: 4A0001: " TO("c@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002"),
		AT "smtp[2]: 4A0001: " TO("d@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002"),
		AT "smtp[2]: 4A0001: to=<b@x>, orig_to=<one@x>, " QUEUED(
		    "127.0.0.1[127.0.0.1]:10024", "4A0002") },
	    "4A0002 relayed b@x\n4A0002 ends.\n4A0001 is 4A0002\n"
	    "4A0002 ends.\n4A0001 is 4A0002\n4A0002 ends.\n" },
	{ "a filter elsewhere has to be named",
	    { AT "smtpd[1]: 4A0002: client=filter[198.51.100.9]",
		AT "smtp[2]: 4A0001: " TO("b@x")
		    QUEUED("filter[198.51.100.9]:10024", "4A0002"),
		AT "smtpd[1]: 4A0003: client=other[198.51.100.8]",
		AT "smtp[2]: 4A0001: " TO("b@x")
		    QUEUED("other[198.51.100.8]:10024", "4A0003") },
	    "4A0001 is 4A0002\n4A0001 relayed b@x\n" },
	{ "a program that is a filter delivers nothing",
	    { AT "pipe[1]: 4A0001: " TO("b@x") SENT("spamassassin"),
		AT "pipe[1]: 4A0001: " TO("c@x") SENT("dovecot") },
	    "4A0001 opaque b@x\n4A0001 delivered c@x\n" },
	{ "an id that came from elsewhere is no filter's",
	    { AT "smtpd[1]: 4A0002: client=user[203.0.113.5]",
		AT "smtp[2]: 4A0001: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002") },
	    "4A0001 relayed b@x\n" },
	{ "one id is one message's",
	    { AT "smtpd[1]: 4A0003: client=localhost[127.0.0.1]",
		AT "smtp[2]: 4A0001: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0003"),
		AT "smtp[2]: 4A0002: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0003"),
		AT "smtp[2]: 4A0002: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002") },
	    "4A0001 is 4A0003\n4A0002 relayed b@x\n4A0002 relayed b@x\n" },
	{ "an id that comes back is another message",
	    { AT "smtpd[1]: 4A0002: client=localhost[127.0.0.1]",
		AT "smtp[2]: 4A0001: to=<b@x>, orig_to=<team@x>, " QUEUED(
		    "127.0.0.1[127.0.0.1]:10024", "4A0002"),
		AT "qmgr[2]: 4A0002: removed",
		AT "smtpd[1]: 4A0002: client=localhost[127.0.0.1]",
		AT "smtp[2]: 4A0002: " TO("b@x") SENT(MX),
		AT "smtp[2]: 4A0009: " TO("b@x")
		    QUEUED("127.0.0.1[127.0.0.1]:10024", "4A0002") },
	    "4A0001 is 4A0002\n4A0002 ends.\n4A0002 relayed b@x\n"
	    "4A0009 is 4A0002\n" },
	{ "an alias of several, known before or after",
	    { AT "cleanup[1]: 4A0002: message-id=<m@x>",
		AT
		"qmgr[1]: 4A0002: from=<a@x>, size=1, nrcpt=2 (queue active)",
		AT "local[1]: 4A0001: to=<team@x>, orig_to=<t@x>, relay=local, "
		   "dsn=2.0.0, status=sent (forwarded as 4A0002)",
		AT "local[1]: 4A0001: " TO(
		    "list@x") "relay=local, dsn=2.0.0, status=sent (forwarded "
			      "as 4A0003)",
		AT
		"qmgr[1]: 4A0003: from=<a@x>, size=1, nrcpt=3 (queue active)",
		AT
		"qmgr[1]: 4A0003: from=<a@x>, size=1, nrcpt=3 (queue active)",
		AT "smtp[2]: 4A0002: to=<b@y>, orig_to=<team@x>, " SENT(MX) },
	    "4A0001 is 4A0002\n4A0002 expanded team@x for t@x\n"
	    "4A0001 is 4A0003\n4A0003 expanded list@x\n"
	    "4A0002 relayed b@y for t@x\n" },
	{ "an alias of one is followed",
	    { AT "local[1]: 4A0001: " TO(
		  "root@x") "relay=local, dsn=2.0.0, status=sent (forwarded as "
			    "4A0003)",
		AT
		"qmgr[1]: 4A0003: from=<a@x>, size=1, nrcpt=1 (queue active)",
		AT "smtp[2]: 4A0003: to=<b@y>, orig_to=<root@x>, " SENT(MX) },
	    "4A0001 is 4A0003\n4A0003 relayed b@y for root@x\n" },
	{ "Exim names one of those that became one address",
	    { EXIM("1xUySD-0008WT-0N", "<= a@x H=(c) [192.0.2.1] P=esmtp S=9"),
		EXIM("1xUySD-0008WT-0N", "=> bob <one@x> R=m T=file"),
		EXIM("1xUySD-0008WT-0N", "Completed"),
		EXIM("1xUySE-0008WT-0N", "=> bob <bob@x> R=m T=file"),
		EXIM("1xUySE-0008WT-0N", "Completed") },
	    "1xUySD-0008WT-0N delivered bob for one@x\n"
	    "1xUySD-0008WT-0N opaque\n1xUySD-0008WT-0N ends.\n"
	    "1xUySE-0008WT-0N delivered bob@x\n"
	    "1xUySE-0008WT-0N ends.\n" },
};

static void
replay(struct log_join *join, const char *const *lines, size_t max)
{
	struct log_reader reader = { .format = lines[0][0] == '2'
		    ? LOG_FORMAT_EXIM
		    : LOG_FORMAT_POSTFIX,
		.clock = { .now = 1795392000000 } };
	struct log_event event;

	for (size_t i = 0; i < max && lines[i] != NULL; i++) {
		log_reader_line(&reader, scan_text(lines[i]), &event);
		assert_int_not_equal(event.kind, LOGGED_NOTHING);
		log_join_add(join, &event);
	}
	log_reader_free(&reader);
}

static void
lines_become_steps_in_the_light_of_those_before(void **state)
{
	static const char *const filters[] = { "198.51.100.9", "spamassassin",
		NULL };
	const struct log_join_options options = { .filters = filters };

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct seen seen = { 0 };
		struct log_join *join = log_join_new(&options, on_step, &seen);

		assert_non_null(join);
		replay(join, stories[i].lines, LINES_MAX);
		if (strcmp(seen.text, stories[i].steps) != 0)
			print_error("%s:\n", stories[i].name);
		assert_string_equal(seen.text, stories[i].steps);
		log_join_free(join);
	}
}

static void
count_step(void *arg, const struct log_event *step)
{
	(void)step;
	(*(unsigned *)arg)++;
}

/* A flood of ids, joins and long aliases stays within its bounds. */
static void
memory_is_bounded(void **state)
{
	const struct log_join_options options = { .ids = 100 };
	char id[16], next[16], address[EVENT_ADDRESS_MAX];
	unsigned steps = 0;
	struct log_join *join = log_join_new(&options, count_step, &steps);

	(void)state;
	memset(address, 'a', sizeof(address));
	for (unsigned i = 0; i < 50000; i++) {
		struct log_event event = { .kind = LOGGED_BORN };

		snprintf(id, sizeof(id), "4A%06u", i % 301);
		snprintf(next, sizeof(next), "4B%06u", i % 299);
		event.queue_id = scan_text(next);
		event.peer = scan_text("local");
		if (i % 3 == 0)
			log_join_add(join, &event);
		event.kind = i % 2 == 0 ? LOGGED_STATUS : LOGGED_JOIN;
		event.requeued = i % 7 == 0;
		event.forwarded = i % 5 == 0;
		event.queue_id = scan_text(id);
		event.next_id = scan_text(next);
		address[0] = (char)('a' + i % 26);
		event.status.recipient =
		    (struct octets){ (uint8_t *)address, sizeof(address) };
		event.status.original = event.status.recipient;
		log_join_add(join, &event);
		event.kind = LOGGED_END;
		if (i % 11 == 0)
			log_join_add(join, &event);
	}
	assert_true(steps >= 50000 / 2);
	log_join_free(join);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    lines_become_steps_in_the_light_of_those_before),
		cmocka_unit_test(memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
