/*
 * Tables for XMTRK: commands that are read, replies that are written.
 */
#include "proxy/xmtrk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/inner_host.h"
#include "common/status.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static struct octets
repeated(const char *unit, size_t times)
{
	static char room[16][8192];
	static unsigned next;
	char *s = room[next++ % 16];

	s[0] = '\0';
	for (size_t i = 0; i < times; i++)
		strcat(s, unit);
	return text(s);
}

static int
parse(const char *command, struct xmtrk_command *out, const char **error)
{
	size_t len = strlen(command);
	char *exact = malloc(len + 1);
	int rc;

	/* Without NUL behind it, so that a read too far is seen. */
	memcpy(exact, command, len);
	exact = realloc(exact, len == 0 ? 1 : len);
	rc = xmtrk_parse(exact, len, out, error);
	free(exact);
	return rc;
}

static void
commands_are_read(void **state)
{
	static const struct {
		const char *command;
		enum xmtrk_verb verb;
		uint64_t since;
		uint16_t limit;
		const char *id;
	} rows[] = {
		{ "LIST", XMTRK_LIST, 0, LIST_LIMIT, "" },
		{ "list", XMTRK_LIST, 0, LIST_LIMIT, "" },
		{ " LIST ", XMTRK_LIST, 0, LIST_LIMIT, "" },
		{ "LIST LIMIT=1", XMTRK_LIST, 0, 1, "" },
		{ "LIST limit=1000", XMTRK_LIST, 0, 1000, "" },
		{ "LIST SINCE=2026-11-22T02:09:09Z", XMTRK_LIST, 1795313349000,
		    LIST_LIMIT, "" },
		{ "LIST SINCE=2026-11-22T04:09:09+02:00", XMTRK_LIST,
		    1795313349000, LIST_LIMIT, "" },
		{ "LIST  AFTER=a+2B2Bb@c  LIMIT=7 SINCE=1970-01-01T00:00:00Z",
		    XMTRK_LIST, 0, 7, "a+2Bb@c" },
		{ "SHOW a@b", XMTRK_SHOW, 0, LIST_LIMIT, "a@b" },
		{ "show <a@b>", XMTRK_SHOW, 0, LIST_LIMIT, "<a@b>" },
		{ "Token a@b", XMTRK_TOKEN, 0, LIST_LIMIT, "a@b" },
		{ "revoke a@b", XMTRK_REVOKE, 0, LIST_LIMIT, "a@b" },
		{ "TOKEN <a+2Bb+3Dc+20d@e>", XMTRK_TOKEN, 0, LIST_LIMIT,
		    "<a+b=c d@e>" },
	};
	struct xmtrk_command c;
	const char *error;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(parse(rows[i].command, &c, &error), 0);
		assert_null(error);
		assert_int_equal(c.verb, rows[i].verb);
		assert_int_equal(c.since, rows[i].since);
		assert_int_equal(c.limit, rows[i].limit);
		assert_int_equal(c.id_len, strlen(rows[i].id));
		assert_memory_equal(c.id, rows[i].id, c.id_len);
	}
}

static void
wrong_commands_get_501(void **state)
{
	static const char *const bad[] = { "", " ", "LISTS", "LIS",
		"REVOKED a@b", "REVOKE", "LIST\tLIMIT=1", "LIST LIMIT",
		"LIST LIMIT=", "LIST LIMIT=0", "LIST LIMIT=1001",
		"LIST LIMIT=65537", "LIST LIMIT=-1", "LIST LIMIT=1x",
		"LIST LIMIT=1 LIMIT=1", "LIST LIMIT=1 limit=2",
		"LIST SINCE=yesterday",
		"LIST SINCE=", "LIST AFTER=", "LIST AFTER=<a@b>",
		"LIST AFTER=a=b", "LIST BEFORE=a@b", "LIST a@b", "LIST =1",
		"SHOW", "SHOW ", "SHOW a@b c@d", "SHOW <>", "SHOW <a@b",
		"SHOW a+2bb", "SHOW a+", "SHOW a=b", "SHOW a+0Ab",
		"SHOW <a+0Ab>", "SHOW <a+00b>", "SHOW a+20b", "TOKEN",
		"TOKEN \xc3\xa4@b", "SHOW \x01" };
	struct xmtrk_command c;
	const char *error;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		assert_int_equal(parse(bad[i], &c, &error), -1);
		assert_memory_equal(error, "501 5.5.4 ", 10);
	}
}

static void
identifiers_have_bounds(void **state)
{
	struct xmtrk_command c;
	const char *error;
	char command[4096];

	(void)state;
	snprintf(command, sizeof(command), "SHOW %s", repeated("a", 100).data);
	assert_int_equal(parse(command, &c, &error), 0);
	snprintf(command, sizeof(command), "SHOW %s", repeated("a", 101).data);
	assert_int_equal(parse(command, &c, &error), -1);
	snprintf(command, sizeof(command), "SHOW <%s>",
	    repeated("a", MESSAGE_ID_MAX - 2).data);
	assert_int_equal(parse(command, &c, &error), 0);
	assert_int_equal(c.id_len, MESSAGE_ID_MAX);
	snprintf(command, sizeof(command), "SHOW <%s>",
	    repeated("a", MESSAGE_ID_MAX - 1).data);
	assert_int_equal(parse(command, &c, &error), -1);
	snprintf(command, sizeof(command), "SHOW <%s>",
	    repeated("+2B", MESSAGE_ID_MAX - 1).data);
	assert_int_equal(parse(command, &c, &error), -1);
	snprintf(
	    command, sizeof(command), "SHOW <%s>", repeated("a", 3900).data);
	assert_int_equal(parse(command, &c, &error), -1);
}

static void
check_lines(const struct xmtrk_reply *r, unsigned lines)
{
	const char *at = r->data, *end = r->data + r->len;
	unsigned n = 0;

	assert_false(r->failed);
	for (; at < end; n++) {
		const char *lf = memchr(at, '\n', (size_t)(end - at));

		assert_non_null(lf);
		assert_true(lf - at + 1 <= XMTRK_LINE_MAX);
		assert_int_equal(lf[-1], '\r');
		assert_memory_equal(at, n < lines ? "250-" : "250 ", 4);
		for (; at < lf - 1; at++)
			assert_true(*at >= ' ' && *at <= '~');
		at = lf + 1;
	}
	assert_int_equal(n, lines + 1);
}

static void
assert_reply(struct xmtrk_reply *r, unsigned lines, const char *wanted)
{
	check_lines(r, lines);
	assert_int_equal(r->len, strlen(wanted));
	assert_memory_equal(r->data, wanted, r->len);
	xmtrk_reply_free(r);
}

static const struct status_view closed;
static const struct xmtrk_since nothing_since = { .view = &closed };

static struct list_row
plain_row(void)
{
	return (struct list_row){ .envid = text("x1@h.example"),
		.time = 1795313349123,
		.message_id = text("<a+b@c>"),
		.recipient = text("bob@d.example"),
		.recipient_count = 2,
		.subject = text("Gr\xc3\xbc\xc3\x9f"
				"e = 1"),
		.size = 1234,
		.outcome = OUTCOME_ACCEPTED };
}

static void
a_listing_has_a_line_a_message(void **state)
{
	struct xmtrk_reply r = { 0 };
	struct list_row row = plain_row();

	(void)state;
	xmtrk_list_row(&r, &row);
	row = (struct list_row){ .envid = text("x2@h") };
	xmtrk_list_row(&r, &row);
	xmtrk_list_end(&r, true);
	assert_reply(&r, 2,
	    "250-2.0.0 message envid=x1@h.example "
	    "time=2026-11-22T02:09:09.123Z state=accepted size=1234 "
	    "recipients=2 id=<a+2Bb@c> to=bob@d.example "
	    "subject=Gr+C3+BC+C3+9Fe+20+3D+201\r\n"
	    "250-2.0.0 message envid=x2@h time=1970-01-01T00:00:00.000Z "
	    "state=unknown size=0 recipients=0\r\n"
	    "250 2.0.0 end count=2 more=yes\r\n");
	xmtrk_list_end(&r, false);
	assert_reply(&r, 0, "250 2.0.0 end count=0\r\n");
}

static void
long_rows_are_cut_in_order(void **state)
{
	const struct {
		struct octets id, to, subject;
		const char *cut;
	} rows[] = {
		{ text("<a@b>"), text("b@c"), repeated("s", 256), "" },
		{ text("<a@b>"), text("b@c"), repeated("s", 600),
		    " cut=subject\r\n" },
		{ text("<a@b>"), text("b@c"), repeated("\xc3\xa4", 128),
		    " cut=subject\r\n" },
		{ text("<a@b>"), repeated("b", 400), text("short"),
		    " subject=short cut=to\r\n" },
		{ text("<a@b>"), repeated("b", 400), repeated("s", 500),
		    " cut=subject,to\r\n" },
		{ repeated("a", 600), text("b@c"), text("short"),
		    " subject=short cut=to,id\r\n" },
		{ repeated("\xff", 998), repeated("\xff", 1024),
		    repeated("\xff", 256), " cut=subject,to,id\r\n" },
		{ repeated("a", 998), text(""), text(""), " cut=id\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct xmtrk_reply r = { 0 };
		struct list_row row = plain_row();

		row.message_id = rows[i].id;
		row.recipient = rows[i].to;
		row.subject = rows[i].subject;
		xmtrk_list_row(&r, &row);
		xmtrk_list_end(&r, false);
		check_lines(&r, 1);
		if (rows[i].cut[0] == '\0')
			assert_null(memmem(r.data, r.len, " cut=", 5));
		else
			assert_non_null(memmem(
			    r.data, r.len, rows[i].cut, strlen(rows[i].cut)));
		xmtrk_reply_free(&r);
	}
}

static void
a_cut_leaves_whole_characters(void **state)
{
	(void)state;
	for (size_t pad = 0; pad < 13; pad++) {
		struct xmtrk_reply r = { 0 };
		struct list_row row = plain_row();
		const char *cut;

		row.envid = repeated("e", 20 + pad);
		row.subject = repeated("\xe2\x82\xac", 80);
		xmtrk_list_row(&r, &row);
		cut = memmem(r.data, r.len, " cut=subject", 12);
		assert_non_null(cut);
		assert_memory_equal(cut - 9, "+E2+82+AC", 9);
		xmtrk_reply_free(&r);
	}
}

static void
a_message_is_shown_with_its_recipients(void **state)
{
	struct mail_recipient to[] = {
		{ text("b@c"), 250, text("2.1.5 Ok") },
		{ text("x@c"), 550, text("5.1.1 No such user") },
	};
	struct mail_record m = { .envid = text("x1@h"),
		.flags = MAIL_ENVID_SENT | MAIL_MTRK_SENT,
		.outcome = OUTCOME_ACCEPTED,
		.time = 1795313349123,
		.sender = text(""),
		.message_id = text("<a@b>"),
		.subject = text("Hi"),
		.size = 99,
		.msa = text("main"),
		.code = 250,
		.reply = text("2.0.0 Ok: queued as 4X"),
		.queue_id = text("4X"),
		.recipient_count = 2,
		.recipients = to };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_show(&r, &m, &nothing_since);
	assert_reply(&r, 6,
	    "250-2.0.0 message envid=x1@h time=2026-11-22T02:09:09.123Z "
	    "state=accepted size=99 tracked=yes mtrk=yes from= id=<a@b> "
	    "subject=Hi msa=main queue=4X\r\n"
	    "250-2.0.0 recipient to=b@c code=250 text=2.1.5+20Ok\r\n"
	    "250-2.0.0 recipient to=x@c code=550 "
	    "text=5.1.1+20No+20such+20user\r\n"
	    "250-2.0.0 reply code=250 text=2.0.0+20Ok:+20queued+20as+204X\r\n"
	    "250-2.0.0 status time=2026-11-22T02:09:09.123Z action=delayed "
	    "status=4.0.0 to=b@c text=2.0.0+20Ok:+20queued+20as+204X\r\n"
	    "250-2.0.0 status time=2026-11-22T02:09:09.123Z action=failed "
	    "status=5.1.1 last_attempt=2026-11-22T02:09:09.123Z to=x@c "
	    "text=5.1.1+20No+20such+20user\r\n"
	    "250 2.0.0 end count=6\r\n");
	m = (struct mail_record){ .envid = text("x2@h"),
		.flags = MAIL_CLIENT_ENVID | MAIL_CLIENT_MTRK };
	xmtrk_show(&r, &m, &nothing_since);
	assert_reply(&r, 1,
	    "250-2.0.0 message envid=x2@h time=1970-01-01T00:00:00.000Z "
	    "state=unknown size=0 tracked=client mtrk=no from=\r\n"
	    "250 2.0.0 end count=1\r\n");
}

static void
what_happened_since_is_shown(void **state)
{
	struct mail_recipient to = { text("b@c"), 250, text("Ok") };
	struct mail_record m = { .envid = text("x1@h"),
		.flags = MAIL_CLIENT_MTRK,
		.outcome = OUTCOME_ACCEPTED,
		.time = 1795313349123,
		.recipient_count = 1,
		.recipients = &to };
	struct history_event events[] = {
		{ .time = 1795313350000,
		    .source = SOURCE_LOG,
		    .action = ACTION_DELAYED,
		    .status = "4.4.1",
		    .original = text("b@c"),
		    .recipient = text("b@c"),
		    .reply = text("timed out"),
		    .retry_until = 1795313360000 },
		{ .time = 1795313360000,
		    .source = SOURCE_LOG,
		    .action = ACTION_RELAYED,
		    .status = "2.0.0",
		    .original = text("b@c"),
		    .recipient = text("secret@c"),
		    .remote_mta = text("mx.c"),
		    .remote_address = text("192.0.2.1"),
		    .reply = text("250 ok"),
		    .tls = text("TLSv1.3") },
	};
	struct xmtrk_since since = { true, { events, 2 }, &closed };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_show(&r, &m, &since);
	assert_reply(&r, 5,
	    "250-2.0.0 message envid=x1@h time=2026-11-22T02:09:09.123Z "
	    "state=accepted size=0 tracked=revoked mtrk=no from=\r\n"
	    "250-2.0.0 recipient to=b@c code=250 text=Ok\r\n"
	    "250-2.0.0 status time=2026-11-22T02:09:20.000Z action=relayed "
	    "status=2.1.9 last_attempt=2026-11-22T02:09:20.000Z to=b@c "
	    "mta=mx.c address=192.0.2.1 tls=TLSv1.3 "
	    "text=250+20ok\r\n"
	    "250-2.0.0 event time=2026-11-22T02:09:10.000Z action=delayed "
	    "status=4.4.1 until=2026-11-22T02:09:20.000Z to=b@c "
	    "text=timed+20out\r\n"
	    "250-2.0.0 event time=2026-11-22T02:09:20.000Z action=relayed "
	    "status=2.0.0 to=b@c mta=mx.c address=192.0.2.1 tls=TLSv1.3 "
	    "text=250+20ok\r\n"
	    "250 2.0.0 end count=5\r\n");
}

/* As whoever tracks is told in X-Waybill-Branches. */
static void
what_went_wrong_behind_an_alias_is_shown(void **state)
{
	static const char want[] =
	    "action=expanded status=2.5.0 branches=failed+20waiting ";
	struct mail_recipient to = { text("b@c"), 250, text("Ok") };
	struct mail_record m = { .envid = text("x1@h"),
		.outcome = OUTCOME_ACCEPTED,
		.time = 1795313349123,
		.recipient_count = 1,
		.recipients = &to };
	struct history_event events[] = {
		{ .time = 1795313350000,
		    .source = SOURCE_LOG,
		    .action = ACTION_DELIVERED,
		    .original = text("b@c"),
		    .recipient = text("d@c") },
		{ .time = 1795313350000,
		    .source = SOURCE_LOG,
		    .action = ACTION_FAILED,
		    .original = text("b@c"),
		    .recipient = text("e@c") },
		{ .time = 1795313350000,
		    .source = SOURCE_LOG,
		    .action = ACTION_DELAYED,
		    .original = text("b@c"),
		    .recipient = text("f@c") },
	};
	struct xmtrk_since since = { true, { events, 3 }, &closed };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_show(&r, &m, &since);
	assert_non_null(memmem(r.data, r.len, want, strlen(want)));
	xmtrk_reply_free(&r);
}

/* Does the answer hold what only some may see? */
static bool
shows(const struct status_view *view, const char *what)
{
	struct mail_recipient to = { text("b@c"), 250, text("Ok") };
	struct mail_record m = { .envid = text("x1@h"),
		.outcome = OUTCOME_ACCEPTED,
		.recipient_count = 1,
		.recipients = &to };
	struct history_event e = { .time = 1795313360000,
		.source = SOURCE_LOG,
		.action = ACTION_RELAYED,
		.original = text("b@c"),
		.recipient = text("hidden@c"),
		.remote_mta = text("store.example.lan"),
		.remote_address = text("10.0.0.1"),
		.reply = text("250 store.example.lan took it") };
	struct xmtrk_since since = { false, { &e, 1 }, view };
	struct xmtrk_reply r = { 0 };
	bool found;

	xmtrk_show(&r, &m, &since);
	check_lines(&r, 4);
	found = memmem(r.data, r.len, what, strlen(what)) != NULL;
	xmtrk_reply_free(&r);
	return found;
}

static void
what_the_operator_hides_is_not_shown(void **state)
{
	char *const items[] = { "10.0.0.0/8", "example.lan" };
	struct inner_hosts *inner = inner_hosts_new(items, LEN(items));
	struct status_view view = { .is_inner = inner_host_match,
		.arg = inner };

	(void)state;
	assert_non_null(inner);
	assert_false(shows(&view, "hidden"));
	assert_false(shows(&view, "example.lan"));
	assert_false(shows(&view, "10.0.0.1"));
	view.reveal_aliases = true;
	assert_true(shows(&view, " final=hidden@c"));
	assert_false(shows(&view, "example.lan"));
	view.reveal_aliases = false;
	view.reveal_hosts = true;
	assert_false(shows(&view, "hidden"));
	assert_true(shows(&view, " mta=store.example.lan address=10.0.0.1 "));
	inner_hosts_free(inner);
}

static void
what_follows_too_many_lines_is_left_out(void **state)
{
	enum { MANY = 20000 };
	struct mail_record m = { .envid = text("x1@h") };
	struct history_event *events = calloc(MANY, sizeof(*events));
	struct xmtrk_since since = { false, { events, MANY }, &closed };
	struct xmtrk_reply r = { 0 };

	(void)state;
	assert_non_null(events);
	for (size_t i = 0; i < MANY; i++)
		events[i] = (struct history_event){ .time = i,
			.source = SOURCE_LOG,
			.action = ACTION_DELAYED,
			.original = text("b@c") };
	xmtrk_show(&r, &m, &since);
	check_lines(&r, 12000);
	assert_non_null(memmem(r.data, r.len, "count=12000 more=yes", 20));
	xmtrk_reply_free(&r);
	free(events);
}

static void
a_revocation_is_confirmed(void **state)
{
	struct revoke_answer answer = { KEEPER_OK, text("x1@h"), 1 };
	struct token_answer t = { .envid = text("x1@h"), .revoked = 1 };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_revoked(&r, &answer);
	assert_reply(&r, 1,
	    "250-2.0.0 revoked envid=x1@h mtrk=yes\r\n"
	    "250 2.0.0 end count=1\r\n");
	xmtrk_token(&r, &t, "h", 0);
	check_lines(&r, 6);
	assert_non_null(
	    memmem(r.data, r.len, " token tracked=revoked\r\n", 24));
	xmtrk_reply_free(&r);
}

static void
long_messages_take_several_lines(void **state)
{
	struct mail_recipient to = { repeated("\xff", 1024), 550,
		repeated("\xff", 1024) };
	struct mail_record m = { .envid = repeated("+2B", 33),
		.flags = MAIL_UNTRACKED,
		.time = UINT64_MAX,
		.sender = repeated("\xff", 1024),
		.message_id = repeated("a", 300),
		.subject = repeated("s", 256),
		.size = UINT64_MAX,
		.msa = repeated("m", 255),
		.code = 250,
		.reply = repeated("r", 1024),
		.queue_id = repeated("q", 128),
		.recipient_count = 1,
		.recipients = &to };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_show(&r, &m, &nothing_since);
	check_lines(&r, 8);
	assert_non_null(memmem(r.data, r.len, " cut=from\r\n", 11));
	assert_non_null(memmem(r.data, r.len, " cut=text,to\r\n", 14));
	assert_non_null(memmem(r.data, r.len, " cut=text\r\n", 11));
	assert_null(memmem(r.data, r.len, " cut=id", 7));
	assert_non_null(memmem(r.data, r.len, "end count=8\r\n", 13));
	xmtrk_reply_free(&r);
}

static void
a_token_is_spelled_out(void **state)
{
	static const uint8_t secret[] = { 0xfb, 0xef, 0xbe, 0xff, 0, 1, 2 };
	struct token_answer t = { .envid = text("x1@h"),
		.secret = { secret, sizeof(secret) },
		.certifier = "VheLhqV/rCKJmplkGFwsyW59pYk",
		.expires = 1795313349 };
	struct xmtrk_reply r = { 0 };

	(void)state;
	xmtrk_token(&r, &t, "track.example.net", 0);
	assert_reply(&r, 5,
	    "250-2.0.0 token envid=x1@h\r\n"
	    "250-2.0.0 token secret=+2B+2B+2B+2B/wABAg+3D+3D\r\n"
	    "250-2.0.0 token certifier=VheLhqV/rCKJmplkGFwsyW59pYk\r\n"
	    "250-2.0.0 token expires=2026-11-22T02:09:09.000Z\r\n"
	    "250-2.0.0 token uri=mtqp://track.example.net/track/x1@h/"
	    "+2B+2B+2B+2B%2FwABAg+3D+3D\r\n"
	    "250 2.0.0 end count=5\r\n");
}

static void
a_secret_is_never_cut(void **state)
{
	uint8_t secret[SECRET_MAX + 1];
	struct token_answer t = { .envid = text("x1@h"),
		.secret = { secret, SECRET_MAX } };
	struct xmtrk_reply r = { 0 };

	(void)state;
	/* base64 of this is nothing but "+", three octets each as xtext. */
	for (size_t i = 0; i < sizeof(secret); i++)
		secret[i] = (uint8_t)("\xfb\xef\xbe"[i % 3]);
	xmtrk_token(&r, &t, "h", 0);
	assert_true(r.failed);
	xmtrk_reply_free(&r);
	/* Of this it is nothing but "/": the URI alone is too long. */
	memset(secret, 0xff, sizeof(secret));
	xmtrk_token(&r, &t, "h", 0);
	check_lines(&r, 5);
	assert_non_null(memmem(r.data, r.len, "token cut=uri\r\n", 15));
	xmtrk_reply_free(&r);
	t.secret.len = SECRET_MAX + 1;
	xmtrk_token(&r, &t, "h", 0);
	assert_true(r.failed);
	xmtrk_reply_free(&r);
}

static void
failures_have_their_reply(void **state)
{
	static const struct {
		enum keeper_status status;
		const char *code;
	} rows[] = {
		{ KEEPER_REFUSED, "451 4.7.0 " },
		{ KEEPER_LIMITED, "450 4.3.2 " },
		{ KEEPER_UNAVAILABLE, "451 4.3.0 " },
		{ KEEPER_NOT_FOUND, "550 5.5.0 " },
		{ KEEPER_NO_SECRET, "550 5.5.0 " },
		{ (enum keeper_status)99, "451 4.3.0 " },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_memory_equal(
		    xmtrk_error(rows[i].status), rows[i].code, 10);
	assert_string_not_equal(
	    xmtrk_error(KEEPER_NOT_FOUND), xmtrk_error(KEEPER_NO_SECRET));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_read),
		cmocka_unit_test(wrong_commands_get_501),
		cmocka_unit_test(identifiers_have_bounds),
		cmocka_unit_test(a_listing_has_a_line_a_message),
		cmocka_unit_test(long_rows_are_cut_in_order),
		cmocka_unit_test(a_cut_leaves_whole_characters),
		cmocka_unit_test(a_message_is_shown_with_its_recipients),
		cmocka_unit_test(what_happened_since_is_shown),
		cmocka_unit_test(what_went_wrong_behind_an_alias_is_shown),
		cmocka_unit_test(what_the_operator_hides_is_not_shown),
		cmocka_unit_test(what_follows_too_many_lines_is_left_out),
		cmocka_unit_test(a_revocation_is_confirmed),
		cmocka_unit_test(long_messages_take_several_lines),
		cmocka_unit_test(a_token_is_spelled_out),
		cmocka_unit_test(a_secret_is_never_cut),
		cmocka_unit_test(failures_have_their_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
