/*
 * Tables for common/status: what the events of a recipient come to
 * (RFC 3886 3.3.3).
 */
#include "common/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#define LEN(a)	   (sizeof(a) / sizeof((a)[0]))
#define EVENTS_MAX 8

/* One event: times in seconds; NULL is empty. */
struct row {
	uint64_t time;
	uint8_t source;
	uint8_t action;
	const char *status;
	const char *original;
	const char *final;
	const char *mta;
	const char *reply;
};

#define ACCEPTED(t, a)                                                         \
	{                                                                      \
		t, SOURCE_PROXY, ACTION_DELAYED, "2.0.0", a, a, NULL,          \
		    "250 queued as Q"                                          \
	}
#define LOGGED(t, action, status, original, final, mta, reply)                 \
	{                                                                      \
		t, SOURCE_LOG, ACTION_##action, status, original, final, mta,  \
		    reply                                                      \
	}

struct story {
	const char *name;
	unsigned reveal; /* 1: aliases, 2: hosts */
	struct row events[EVENTS_MAX];
	const char *rows; /* what print_row() makes of each, joined */
};

static struct octets
text(const char *s)
{
	if (s == NULL)
		return (struct octets){ NULL, 0 };
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static bool
is_inner(void *arg, struct octets host, struct octets address)
{
	(void)arg;
	return (host.len >= 6 && memcmp(host.data, "inner.", 6) == 0) ||
	    (address.len >= 3 && memcmp(address.data, "10.", 3) == 0);
}

static size_t
events_of(const struct row *rows, struct history_event *out)
{
	size_t n = 0;

	for (; n < EVENTS_MAX && rows[n].time != 0; n++) {
		const struct row *r = &rows[n];

		out[n] = (struct history_event){ .time = r->time * 1000,
			.source = r->source,
			.action = r->action,
			.original = text(r->original),
			.recipient = text(r->final),
			.remote_mta = text(r->mta),
			.reply = text(r->reply),
			.retry_until =
			    r->action == ACTION_DELAYED ? 99000 : 0 };
		snprintf(out[n].status, sizeof(out[n].status), "%s",
		    r->status == NULL ? "" : r->status);
	}
	return n;
}

static void
print_octets(FILE *out, const char *key, struct octets value)
{
	if (value.len > 0)
		fprintf(out, " %s=%.*s", key, (int)value.len,
		    (const char *)value.data);
}

static void
print_row(FILE *out, const struct status_row *r)
{
	fprintf(
	    out, "%.*s", (int)r->original.len, (const char *)r->original.data);
	if (r->original.len != r->recipient.len ||
	    memcmp(r->original.data, r->recipient.data, r->original.len) != 0)
		print_octets(out, "final", r->recipient);
	fprintf(out, " %s %s", status_action_name(r->action), r->status);
	print_octets(out, "mta", r->remote_mta);
	if (r->last_attempt != 0)
		fprintf(out, " tried=%u", (unsigned)(r->last_attempt / 1000));
	if (r->attempts > 1)
		fprintf(out, " attempts=%u", r->attempts);
	if (r->retry_until != 0)
		fprintf(out, " retry");
	if (r->branches > 1)
		fprintf(
		    out, " of=%u/%u/%u", r->branches, r->failed, r->waiting);
	print_octets(out, "reply", r->reply);
	fprintf(out, "\n");
}

static void
check_list(const struct status_list *list, size_t events)
{
	size_t used = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct status_row *r = &list->rows[i];

		used += r->event_count;
		assert_true(status_code_is_valid(r->status));
		for (size_t k = 1; k < r->event_count; k++)
			assert_true(r->events[k - 1].source == SOURCE_PROXY ||
			    r->events[k - 1].time <= r->events[k].time);
	}
	/* What tells of the whole message is told of each that waited. */
	assert_true(used <= events * list->count);
}

static void
check_story(const struct story *s)
{
	struct status_view view = { (s->reveal & 1) != 0, (s->reveal & 2) != 0,
		is_inner, NULL, 0 };
	struct history_event events[EVENTS_MAX];
	size_t count = events_of(s->events, events);
	struct status_list list;
	char got[2048] = "";
	FILE *out = fmemopen(got, sizeof(got), "w");

	assert_int_equal(status_derive(events, count, &view, &list), 0);
	check_list(&list, count);
	for (size_t i = 0; i < list.count; i++)
		print_row(out, &list.rows[i]);
	fclose(out);
	if (strcmp(got, s->rows) != 0)
		print_message("%s\n", s->name);
	assert_string_equal(got, s->rows);
	status_list_free(&list);
}

static const struct story one_recipient[] = {
	{ "nothing is known of nobody", 0, { { 0 } }, "" },
	{ "accepted, never tried", 0, { ACCEPTED(1, "a@x") },
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n" },
	{ "refused at submission", 0,
	    { { 1, SOURCE_PROXY, ACTION_FAILED, "5.1.1", "a@x", "a@x", NULL,
		"550 5.1.1 no such user" } },
	    "a@x failed 5.1.1 tried=1 reply=550 5.1.1 no such user\n" },
	{ "refused, then taken in the same transaction", 0,
	    { { 1, SOURCE_PROXY, ACTION_FAILED, "4.7.1", "a@x", "a@x", NULL,
		  "450 later" },
		ACCEPTED(1, "a@x") },
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n" },
	{ "retries, then delivered", 0,
	    { ACCEPTED(1, "a@x"),
		LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		LOGGED(5, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		LOGGED(9, DELIVERED, "2.0.0", "a@x", "a@x", NULL, "saved") },
	    "a@x delivered 2.0.0 tried=9 attempts=3 reply=saved\n" },
	{ "waiting, with the latest reason", 0,
	    { LOGGED(5, DELAYED, "4.2.2", "a@x", "a@x", "mx", "full"),
		ACCEPTED(1, "a@x"),
		LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout") },
	    "a@x delayed 4.2.2 mta=mx tried=5 attempts=2 retry reply=full\n" },
	{ "seen in the queue is no attempt", 0,
	    { ACCEPTED(1, "a@x"),
		LOGGED(2, DELAYED, NULL, "a@x", "a@x", NULL, NULL) },
	    "a@x delayed 4.0.0 retry\n" },
	{ "a reason is not lost to the queue", 0,
	    { LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		LOGGED(3, DELAYED, NULL, "a@x", "a@x", NULL, NULL) },
	    "a@x delayed 4.4.1 mta=mx tried=2 retry reply=timeout\n" },
	{ "events out of order", 0,
	    { LOGGED(9, RELAYED, "2.0.0", "a@x", "a@x", "mx", "250 ok"),
		LOGGED(3, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		ACCEPTED(1, "a@x") },
	    "a@x relayed 2.1.9 mta=mx tried=9 attempts=2 reply=250 ok\n" },
	{ "the log's clock is behind ours", 0,
	    { ACCEPTED(8, "a@x"),
		LOGGED(7, DELIVERED, "2.0.0", "a@x", "a@x", NULL, "saved") },
	    "a@x delivered 2.0.0 tried=7 reply=saved\n" },
	{ "handed to a filter, then bounced", 0,
	    { LOGGED(2, RELAYED, "2.0.0", "a@x", "a@x", "mx", "250 ok"),
		LOGGED(3, FAILED, "5.1.1", "a@x", "a@x", "mx", "550 no") },
	    "a@x failed 5.1.1 mta=mx tried=3 attempts=2 reply=550 no\n" },
	{ "later beats earlier where both may be true", 0,
	    { LOGGED(4, FAILED, "5.1.1", "a@x", "a@x", NULL, "no"),
		LOGGED(5, DELIVERED, "2.0.0", "a@x", "a@x", NULL, "yes") },
	    "a@x delivered 2.0.0 tried=5 attempts=2 reply=yes\n" },
	{ "expired keeps its 4.x.x", 0,
	    { LOGGED(4, FAILED, "4.4.1", "a@x", "a@x", NULL, "expired") },
	    "a@x failed 4.4.1 tried=4 reply=expired\n" },
	{ "a code that contradicts is replaced", 0,
	    { LOGGED(4, FAILED, "2.0.0", "a@x", "a@x", NULL, "odd") },
	    "a@x failed 5.0.0 tried=4 reply=odd\n" },
	{ "2.1.9 is for relayed only", 0,
	    { LOGGED(4, DELIVERED, "2.1.9", "a@x", "a@x", NULL, NULL) },
	    "a@x delivered 2.5.0 tried=4\n" },
	{ "no code at all", 0,
	    { LOGGED(4, DELAYED, "", "a@x", "a@x", "mx", NULL) },
	    "a@x delayed 4.0.0 mta=mx tried=4 retry\n" },
	{ "a code of four digits is none", 0,
	    { LOGGED(4, FAILED, "5.1234.1", "a@x", "a@x", NULL, NULL) },
	    "a@x failed 5.0.0 tried=4\n" },
	{ "only nonsense is opaque", 0,
	    { { 4, SOURCE_LOG, 77, "2.0.0", "a@x", "a@x", "mx", "?" } },
	    "a@x opaque 4.0.0 reply=?\n" },
	{ "nonsense takes nothing back", 0,
	    { ACCEPTED(1, "a@x"),
		{ 4, SOURCE_LOG, 77, "2.0.0", "a@x", "a@x", NULL, "?" } },
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n" },
	{ "what the log does not see any more waits no longer", 0,
	    { ACCEPTED(1, "a@x"),
		LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", NULL, "timeout"),
		LOGGED(3, OPAQUE, "2.0.0", "a@x", "a@x", NULL, "discarded") },
	    "a@x opaque 4.0.0 reply=discarded\n" },
	{ "unless it comes back", 0,
	    { ACCEPTED(1, "a@x"),
		LOGGED(3, OPAQUE, "2.0.0", "a@x", "a@x", NULL, "filter"),
		LOGGED(4, DELAYED, "4.4.1", "a@x", "a@x", NULL, "timeout") },
	    "a@x delayed 4.4.1 tried=4 retry reply=timeout\n" },
	{ "an unknown source proves nothing", 0,
	    { ACCEPTED(1, "a@x"),
		{ 4, 9, ACTION_DELIVERED, "2.0.0", "a@x", "a@x", NULL, "?" } },
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n" },
	{ "letter case does not make two of one", 0,
	    { ACCEPTED(1, "Bob@Example.NET"),
		LOGGED(2, DELIVERED, "2.0.0", "bob@example.net",
		    "bob@example.net", NULL, NULL) },
	    "Bob@Example.NET delivered 2.0.0 tried=2\n" },
};

/* "expired, returned to sender" and the like name nobody. */
#define WHOLE(t, act, code, said)                                              \
	{                                                                      \
		t, SOURCE_LOG, ACTION_##act, code, "", "", NULL, said          \
	}

static const struct story whole_messages[] = {
	{ "expired, with its last attempt", 0,
	    { ACCEPTED(1, "a@x"),
		LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		WHOLE(5, FAILED, "4.4.7", "expired") },
	    "a@x failed 4.4.7 tried=2 reply=expired\n" },
	{ "removed before it was tried", 0,
	    { ACCEPTED(1, "a@x"), WHOLE(5, FAILED, NULL, "removed") },
	    "a@x failed 5.0.0 reply=removed\n" },
	{ "expired for who waits only", 0,
	    { ACCEPTED(1, "a@x"), ACCEPTED(1, "b@x"), ACCEPTED(1, "c@x"),
		LOGGED(2, DELIVERED, "2.0.0", "a@x", "a@x", NULL, "saved"),
		LOGGED(2, DELAYED, "4.4.1", "b@x", "b@x", "mx", "timeout"),
		LOGGED(3, RELAYED, "2.0.0", "c@x", "c@x", "mx", "250"),
		WHOLE(5, FAILED, "4.4.7", "expired") },
	    "a@x delivered 2.0.0 tried=2 reply=saved\n"
	    "b@x failed 4.4.7 tried=2 reply=expired\n"
	    "c@x relayed 2.1.9 mta=mx tried=3 reply=250\n" },
	{ "a refusal at submission keeps its words", 0,
	    { { 1, SOURCE_PROXY, ACTION_FAILED, "5.1.1", "a@x", "a@x", NULL,
		  "550 5.1.1 no" },
		ACCEPTED(1, "b@x"), WHOLE(5, FAILED, "4.4.7", "expired") },
	    "a@x failed 5.1.1 tried=1 reply=550 5.1.1 no\n"
	    "b@x failed 4.4.7 reply=expired\n" },
	{ "frozen, and then gone on", 0,
	    { ACCEPTED(1, "a@x"), ACCEPTED(1, "b@x"),
		WHOLE(3, DELAYED, NULL, "frozen"),
		LOGGED(4, DELIVERED, "2.0.0", "a@x", "a@x", NULL, "saved") },
	    "a@x delivered 2.0.0 tried=4 reply=saved\n"
	    "b@x delayed 4.0.0 retry reply=frozen\n" },
	{ "frozen, and tried again", 0,
	    { ACCEPTED(1, "a@x"), ACCEPTED(1, "b@x"),
		WHOLE(3, DELAYED, NULL, "frozen"),
		LOGGED(4, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout"),
		LOGGED(2, DELAYED, "4.4.1", "b@x", "b@x", "mx", "timeout") },
	    "a@x delayed 4.4.1 mta=mx tried=4 retry reply=timeout\n"
	    "b@x delayed 4.0.0 tried=2 retry reply=frozen\n" },
	{ "of an alias to several the branch that waits", 0,
	    { ACCEPTED(1, "team@x"),
		LOGGED(2, DELIVERED, "2.0.0", "team@x", "ann@x", NULL, "ok"),
		LOGGED(3, DELAYED, "4.4.1", "team@x", "bob@y", "mx", "t"),
		WHOLE(5, FAILED, "4.4.7", "expired") },
	    "team@x expanded 2.5.0 tried=3 of=2/1/0\n" },
	{ "and its address", 1,
	    { ACCEPTED(1, "team@x"),
		LOGGED(2, DELIVERED, "2.0.0", "team@x", "ann@x", NULL, "ok"),
		LOGGED(3, DELAYED, "4.4.1", "team@x", "bob@y", "mx", "t"),
		WHOLE(5, FAILED, "4.4.7", "expired") },
	    "team@x expanded 2.5.0 tried=3 of=2/1/0\n"
	    "team@x final=ann@x delivered 2.0.0 tried=2 reply=ok\n"
	    "team@x final=bob@y failed 4.4.7 tried=3 reply=expired\n" },
};

static const struct story hops[] = {
	{ "passed to a hop with tracking", 0,
	    { ACCEPTED(1, "a@x"),
		{ 1, SOURCE_PROXY, ACTION_TRANSFERRED, "2.0.0", "a@x", "a@x",
		    "next.example", NULL },
		LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", "mx", "timeout") },
	    "a@x transferred 2.4.0 mta=next.example tried=2 attempts=2\n" },
	{ "what the log is sure of beats the referral", 0,
	    { { 1, SOURCE_PROXY, ACTION_TRANSFERRED, "2.0.0", "a@x", "a@x",
		  "next.example", NULL },
		LOGGED(2, FAILED, "5.1.1", "a@x", "a@x", "mx", "no") },
	    "a@x failed 5.1.1 mta=mx tried=2 attempts=2 reply=no\n" },
	{ "a hop that is hidden is here", 0,
	    { { 1, SOURCE_PROXY, ACTION_TRANSFERRED, "2.0.0", "a@x", "a@x",
		"inner.example", "250 ok" } },
	    "a@x delayed 4.0.0 reply=250 ok\n" },
	{ "and named where hosts are revealed", 2,
	    { { 1, SOURCE_PROXY, ACTION_TRANSFERRED, "2.0.0", "a@x", "a@x",
		"inner.example", "250 ok" } },
	    "a@x transferred 2.4.0 mta=inner.example tried=1 reply=250 ok\n" },
	{ "an inner hop is not named, nor in its reply", 0,
	    { LOGGED(2, DELAYED, "4.2.0", "a@x", "a@x", "inner.example",
		"host Inner.Example said: 450") },
	    "a@x delayed 4.2.0 tried=2 retry\n" },
	{ "nor where its reply alone names it", 0,
	    { LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", NULL,
		"connect to inner.example[192.0.2.1]:25: refused") },
	    "a@x delayed 4.4.1 tried=2 retry\n" },
	{ "or its address", 0,
	    { LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", NULL,
		"connect to mx[10.0.0.5]:25: refused") },
	    "a@x delayed 4.4.1 tried=2 retry\n" },
	{ "or its address with a port", 0,
	    { LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", NULL,
		"connect to 10.0.0.5:25: refused") },
	    "a@x delayed 4.4.1 tried=2 retry\n" },
	{ "nor one behind a relay that may be named", 0,
	    { LOGGED(2, RELAYED, "2.0.0", "a@x", "a@x", "mx",
		"250 given to smtp:inner.store.") },
	    "a@x relayed 2.1.9 mta=mx tried=2\n" },
	{ "nor one that took it from the submission", 0,
	    { { 1, SOURCE_PROXY, ACTION_DELAYED, "2.0.0", "a@x", "a@x", NULL,
		"250 from MTA(smtp:[10.0.0.1]:10025): 250 queued as Q" } },
	    "a@x delayed 4.0.0 retry\n" },
	{ "all of it is told where hosts are revealed", 2,
	    { LOGGED(2, DELAYED, "4.4.1", "a@x", "a@x", NULL,
		"connect to inner.example[10.0.0.5]:25: refused") },
	    "a@x delayed 4.4.1 tried=2 retry "
	    "reply=connect to inner.example[10.0.0.5]:25: refused\n" },
	{ "the domain of an address names no host", 0,
	    { LOGGED(2, FAILED, "5.1.1", "a@x", "a@x", NULL,
		"550 5.1.1 <a@inner.example>: unknown; 110.0.0.1 at inner") },
	    "a@x failed 5.1.1 tried=2 "
	    "reply=550 5.1.1 <a@inner.example>: unknown; "
	    "110.0.0.1 at inner\n" },
	{ "a reply without the name stays", 0,
	    { LOGGED(
		2, RELAYED, "2.0.0", "a@x", "a@x", "inner.example", "250 ok") },
	    "a@x relayed 2.1.9 tried=2 reply=250 ok\n" },
	{ "the next hop's word", 0,
	    { LOGGED(2, TRANSFERRED, "2.0.0", "a@x", "a@x", "mx", "250"),
		{ 4, SOURCE_CHAIN, ACTION_DELAYED, "4.2.2", "a@x", "a@x",
		    "far.example", "full" } },
	    "a@x delayed 4.2.2 mta=far.example tried=4 reply=full\n" },
	{ "opaque takes nothing back", 0,
	    { LOGGED(2, RELAYED, "2.0.0", "a@x", "a@x", "mx", "250"),
		{ 4, SOURCE_CHAIN, ACTION_OPAQUE, "", "a@x", "a@x", NULL,
		    NULL } },
	    "a@x relayed 2.1.9 mta=mx tried=2 reply=250\n" },
};

static const struct story aliases[] = {
	{ "an alias to one stands under its name", 0,
	    { ACCEPTED(1, "info@x"),
		LOGGED(2, FAILED, "5.1.1", "info@x", "joe@y", "mx",
		    "550 <joe@y>: unknown") },
	    "info@x failed 5.1.1 tried=2\n" },
	{ "or under the final one", 1,
	    { ACCEPTED(1, "info@x"),
		LOGGED(2, FAILED, "5.1.1", "info@x", "joe@y", "mx",
		    "550 <joe@y>: unknown") },
	    "info@x final=joe@y failed 5.1.1 mta=mx tried=2 "
	    "reply=550 <joe@y>: unknown\n" },
	{ "a reply that names nobody stays", 0,
	    { LOGGED(2, FAILED, "5.1.1", "info@x", "joe@y.example", "mx",
		"550 unknown") },
	    "info@x failed 5.1.1 tried=2 reply=550 unknown\n" },
	{ "in the same domain the host is named", 0,
	    { LOGGED(2, FAILED, "5.1.1", "info@x", "joe@X", "mx", "550") },
	    "info@x failed 5.1.1 mta=mx tried=2 reply=550\n" },
	{ "a private forward cannot be followed", 0,
	    { LOGGED(2, TRANSFERRED, "2.0.0", "info@x", "joe@y", "mx",
		"250 mx has it") },
	    "info@x relayed 2.1.9 tried=2\n" },
	{ "unless aliases are revealed", 1,
	    { LOGGED(2, TRANSFERRED, "2.0.0", "info@x", "joe@y", "mx", "") },
	    "info@x final=joe@y transferred 2.4.0 mta=mx tried=2\n" },
	{ "an alias to several", 0,
	    { ACCEPTED(1, "team@x"),
		LOGGED(2, DELIVERED, "2.0.0", "team@x", "ann@x", NULL, "ok"),
		LOGGED(3, RELAYED, "2.0.0", "team@x", "bob@y", "mx", "250") },
	    "team@x expanded 2.5.0 tried=3 of=2/0/0\n" },
	{ "with its branches", 1,
	    { ACCEPTED(1, "team@x"),
		LOGGED(2, DELIVERED, "2.0.0", "team@x", "ann@x", NULL, "ok"),
		LOGGED(3, RELAYED, "2.0.0", "team@x", "bob@y", "mx", "250") },
	    "team@x expanded 2.5.0 tried=3 of=2/0/0\n"
	    "team@x final=ann@x delivered 2.0.0 tried=2 reply=ok\n"
	    "team@x final=bob@y relayed 2.1.9 mta=mx tried=3 reply=250\n" },
	{ "one branch failed, one waits", 0,
	    { LOGGED(2, FAILED, "5.1.1", "team@x", "ann@x", NULL, "no"),
		LOGGED(3, DELAYED, "4.4.1", "team@x", "bob@y", "mx", "t"),
		LOGGED(4, DELIVERED, "2.0.0", "team@x", "eve@x", NULL, "") },
	    "team@x expanded 2.5.0 tried=4 of=3/1/1\n" },
	{ "each branch failed", 0,
	    { ACCEPTED(1, "team@x"),
		LOGGED(2, FAILED, "5.1.1", "team@x", "ann@x", NULL, "no"),
		LOGGED(3, FAILED, "5.2.2", "team@x", "bob@y", "mx", "full") },
	    "team@x failed 5.2.2 tried=3 of=2/2/0 reply=full\n" },
	{ "no branch arrived yet", 0,
	    { LOGGED(2, FAILED, "5.1.1", "team@x", "ann@x", NULL, "no"),
		LOGGED(3, DELAYED, "4.4.1", "team@x", "bob@y", "mx", "t") },
	    "team@x delayed 4.4.1 tried=3 retry of=2/1/1 reply=t\n" },
	{ "waiting before the alias was resolved", 0,
	    { LOGGED(1, DELAYED, "4.3.0", "info@x", "info@x", NULL, "lookup"),
		LOGGED(2, DELIVERED, "2.0.0", "info@x", "joe@x", NULL, "") },
	    "info@x delivered 2.0.0 tried=2\n" },
	{ "kept and forwarded", 1,
	    { LOGGED(1, DELIVERED, "2.0.0", "joe@x", "joe@x", NULL, "mbox"),
		LOGGED(2, RELAYED, "2.0.0", "joe@x", "joe@y", "mx", "250") },
	    "joe@x expanded 2.5.0 tried=2 of=2/0/0\n"
	    "joe@x delivered 2.0.0 tried=1 reply=mbox\n"
	    "joe@x final=joe@y relayed 2.1.9 mta=mx tried=2 reply=250\n" },
	{ "a list is expanded and not shown", 0,
	    { ACCEPTED(1, "list@x"),
		LOGGED(2, EXPANDED, "2.0.0", "list@x", "list@x", NULL, "") },
	    "list@x expanded 2.0.0 tried=2\n" },
	{ "expanded to one that is known so far", 0,
	    { LOGGED(2, EXPANDED, "2.0.0", "list@x", "list@x", NULL, ""),
		LOGGED(3, DELAYED, "4.4.1", "list@x", "a@y", "mx", "t") },
	    "list@x expanded 2.5.0 tried=3\n" },
	{ "a stray address belongs to the only recipient", 0,
	    { ACCEPTED(1, "info@x"),
		LOGGED(2, DELIVERED, "2.0.0", NULL, "joe@x", NULL, "") },
	    "info@x delivered 2.0.0 tried=2\n" },
	{ "of several it is nobody's", 0,
	    { ACCEPTED(1, "info@x"), ACCEPTED(1, "a@x"),
		LOGGED(2, DELIVERED, "2.0.0", NULL, "joe@x", NULL, "") },
	    "info@x delayed 4.0.0 retry reply=250 queued as Q\n"
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n" },
	{ "and shown to those who may see aliases", 1,
	    { ACCEPTED(1, "info@x"), ACCEPTED(1, "a@x"),
		LOGGED(2, DELIVERED, "2.0.0", NULL, "joe@x", NULL, "") },
	    "info@x delayed 4.0.0 retry reply=250 queued as Q\n"
	    "a@x delayed 4.0.0 retry reply=250 queued as Q\n"
	    "joe@x delivered 2.0.0 tried=2\n" },
	{ "rows stand as the recipients came up", 0,
	    { ACCEPTED(1, "z@x"), ACCEPTED(1, "m@x"), ACCEPTED(1, "a@x"),
		LOGGED(2, FAILED, "5.1.1", "a@x", "a@x", NULL, "no") },
	    "z@x delayed 4.0.0 retry reply=250 queued as Q\n"
	    "m@x delayed 4.0.0 retry reply=250 queued as Q\n"
	    "a@x failed 5.1.1 tried=2 reply=no\n" },
};

static void
what_happened_to_one_recipient(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(one_recipient); i++)
		check_story(&one_recipient[i]);
}

static void
what_is_said_of_the_whole_message(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(whole_messages); i++)
		check_story(&whole_messages[i]);
}

static void
what_the_next_hop_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(hops); i++)
		check_story(&hops[i]);
}

static void
what_an_alias_comes_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(aliases); i++)
		check_story(&aliases[i]);
}

static const struct story *
find(const struct story *stories, const char *name)
{
	while (strcmp(stories->name, name) != 0)
		stories++;
	return stories;
}

/* However the events arrive, they come to the same. */
static void
order_of_arrival_changes_nothing(void **state)
{
	const struct story *s = find(one_recipient, "retries, then delivered");
	struct history_event events[EVENTS_MAX], turned[EVENTS_MAX];
	struct status_view view = { 0 };
	size_t count = events_of(s->events, events);

	(void)state;
	for (size_t shift = 0; shift < count; shift++) {
		struct status_list list;

		for (size_t i = 0; i < count; i++)
			turned[i] = events[(i + shift) % count];
		assert_int_equal(status_derive(turned, count, &view, &list), 0);
		assert_int_equal(list.count, 1);
		assert_int_equal(list.rows[0].action, ACTION_DELIVERED);
		assert_int_equal(list.rows[0].attempts, 3);
		assert_int_equal(list.rows[0].event_count, count);
		status_list_free(&list);
	}
}

/* A hidden branch is not told by the events either. */
static void
hidden_branches_have_no_events(void **state)
{
	const struct story *s = find(aliases, "an alias to several");
	struct history_event events[EVENTS_MAX];
	struct status_view view = { 0 };
	size_t count = events_of(s->events, events);
	struct status_list list;

	(void)state;
	assert_int_equal(status_derive(events, count, &view, &list), 0);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.rows[0].event_count, 1);
	assert_int_equal(list.rows[0].events[0].source, SOURCE_PROXY);
	status_list_free(&list);
}

static void
actions_have_words(void **state)
{
	(void)state;
	for (uint8_t i = 0; i <= ACTION_FAILED; i++) {
		const char *name = status_action_name(i);
		char upper[32] = "";

		for (size_t k = 0; name[k] != '\0'; k++)
			upper[k] = (char)(name[k] & ~0x20);
		assert_int_equal(status_action_read(name, strlen(name)), i);
		assert_int_equal(status_action_read(upper, strlen(upper)), i);
		assert_int_equal(
		    status_action_read(name, strlen(name) - 1), -1);
		assert_true(strlen(status_words(i, true)) > 0);
	}
	assert_int_equal(status_action_read("", 0), -1);
	assert_string_equal(status_words(200, true), "unknown");
	assert_string_not_equal(status_words(ACTION_DELAYED, true),
	    status_words(ACTION_DELAYED, false));
}

static void
codes_are_three_numbers(void **state)
{
	static const char *const good[] = { "2.0.0", "4.123.999", "5.10.0" };
	static const char *const bad[] = { "", "5", "5.1", "5.1.", "3.0.0",
		"5.01.0", "5.1.1234", "5.1.1 ", "5 1 1", "55.1.1", "5..1",
		"5.1.1.1", "x" };

	(void)state;
	for (size_t i = 0; i < LEN(good); i++)
		assert_true(status_code_is_valid(good[i]));
	for (size_t i = 0; i < LEN(bad); i++)
		assert_false(status_code_is_valid(bad[i]));
}

/* Postfix's own log knows seconds: delivered at 2, accepted at 2.6. */
static void
the_submission_comes_first(void **state)
{
	const struct history_event events[] = {
		{ .time = 2600,
		    .source = SOURCE_PROXY,
		    .action = ACTION_DELAYED,
		    .recipient = text("a@x"),
		    .original = text("a@x") },
		{ .time = 2000,
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .recipient = text("a@x"),
		    .original = text("a@x") },
	};
	struct status_view view = { 0 };
	struct status_list list;

	(void)state;
	assert_int_equal(status_derive(events, 2, &view, &list), 0);
	assert_int_equal(list.rows[0].action, ACTION_DELIVERED);
	assert_int_equal(list.rows[0].last_attempt, 2000);
	assert_int_equal(list.rows[0].events[0].source, SOURCE_PROXY);
	assert_int_equal(list.rows[0].events[1].source, SOURCE_LOG);
	status_list_free(&list);
}

/* RFC 3886 3.3.7, where the log does not say when trying ends. */
static void
who_waits_is_tried_until_the_queue_gives_up(void **state)
{
	struct history_event events[] = {
		{ .time = 1000,
		    .source = SOURCE_PROXY,
		    .action = ACTION_DELAYED,
		    .original = text("a@x"),
		    .recipient = text("a@x") },
		{ .time = 5000,
		    .source = SOURCE_LOG,
		    .action = ACTION_DELAYED,
		    .status = "4.4.1",
		    .original = text("a@x"),
		    .recipient = text("b@x") },
	};
	struct status_view view = { .queue_lifetime = 60000 };
	struct status_list list;

	(void)state;
	for (size_t count = 1; count <= 2; count++) {
		assert_int_equal(status_derive(events, count, &view, &list), 0);
		assert_int_equal(list.rows[0].action, ACTION_DELAYED);
		assert_int_equal(list.rows[0].retry_until, 61000);
		status_list_free(&list);
	}
	events[1].retry_until = 30000;
	assert_int_equal(status_derive(events, 2, &view, &list), 0);
	assert_int_equal(list.rows[0].retry_until, 30000);
	status_list_free(&list);
	events[1].action = ACTION_DELIVERED;
	assert_int_equal(status_derive(events, 2, &view, &list), 0);
	assert_int_equal(list.rows[0].retry_until, 0);
	status_list_free(&list);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_happened_to_one_recipient),
		cmocka_unit_test(what_is_said_of_the_whole_message),
		cmocka_unit_test(what_the_next_hop_means),
		cmocka_unit_test(what_an_alias_comes_to),
		cmocka_unit_test(order_of_arrival_changes_nothing),
		cmocka_unit_test(the_submission_comes_first),
		cmocka_unit_test(who_waits_is_tried_until_the_queue_gives_up),
		cmocka_unit_test(hidden_branches_have_no_events),
		cmocka_unit_test(actions_have_words),
		cmocka_unit_test(codes_are_three_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
