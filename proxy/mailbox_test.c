/*
 * Which paths and mailboxes are taken, refused, and how they are divided:
 * RFC 5321 4.1.2 and 4.5.3.1, RFC 6531 3.3.
 */
#include "proxy/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))

static void
assert_span(struct span span, const char *text)
{
	assert_int_equal(span.len, strlen(text));
	if (span.len > 0)
		assert_memory_equal(span.at, text, span.len);
}

static const struct {
	const char *text;
	const char *local;
	const char *domain;
	bool utf8;
} good[] = {
	{ "a@b", "a", "b", false },
	{ "a.b.c@d.example", "a.b.c", "d.example", false },
	{ "!#$%&'*+-/=?^_`{|}~@x", "!#$%&'*+-/=?^_`{|}~", "x", false },
	{ "\"\"@x", "\"\"", "x", false },
	{ "\"a@b\"@x", "\"a@b\"", "x", false },
	{ "\"a \\\" >\"@x", "\"a \\\" >\"", "x", false },
	{ "a@1.2", "a", "1.2", false },
	{ "a@x--y.z9", "a", "x--y.z9", false },
	{ "a@[192.0.2.1]", "a", "[192.0.2.1]", false },
	{ "a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]", false },
	{ "a@[ipv6:::ffff:192.0.2.1]", "a", "[ipv6:::ffff:192.0.2.1]", false },
	{ "a@[x-tag:any!thing]", "a", "[x-tag:any!thing]", false },
	{ "\xc3\xbc@\xc3\xa4.example", "\xc3\xbc", "\xc3\xa4.example", true },
	{ "\"\xc3\xbc \"@x", "\"\xc3\xbc \"", "x", true },
};

static void
mailbox_is_divided(void **state)
{
	struct mailbox box;

	(void)state;
	for (size_t i = 0; i < N(good); i++) {
		const char *text = good[i].text;

		if (!mailbox_parse(text, strlen(text), &box))
			fail_msg("refused: %s", text);
		assert_span(box.whole, text);
		assert_span(box.local, good[i].local);
		assert_span(box.domain, good[i].domain);
		assert_int_equal(box.utf8, good[i].utf8);
	}
}

static const char *const bad[] = {
	"",
	"a",
	"@",
	"a@",
	"@b",
	".a@b",
	"a.@b",
	"a..b@c",
	"a b@c",
	"a@b c",
	"a@b@c",
	"a@.b",
	"a@b.",
	"a@b..c",
	"a@-b",
	"a@b-",
	"a@b-.c",
	"a@b_c",
	"a,b@c",
	"a(b)@c",
	"<a@b>",
	"\"a@b",
	"\"a\"b@c",
	"\"a\\\"@b",
	"\"\\",
	"a@[",
	"a@[]",
	"a@[1.2.3]",
	"a@[1.2.3.256]",
	"a@[1.2.3.4",
	"a@[1.2.3.4]x",
	"a@[2001:db8::1]x",
	"a@[IPv6:2001:db8::g]",
	"a@[IPv6:fe80::1%1]",
	"a@[IPv6:]",
	"a@[tag:]",
	"a@[-tag-:x]",
	"a@[tag:x y]",
	"a@\xff",
	"\xc3@b",
	"\"\\\xc3\xbc\"@x",
};

static void
malformed_mailbox_is_refused(void **state)
{
	struct mailbox box;

	(void)state;
	for (size_t i = 0; i < N(bad); i++)
		if (mailbox_parse(bad[i], strlen(bad[i]), &box))
			fail_msg("taken: %s", bad[i]);
	assert_false(mailbox_parse("a\0@b", 4, &box));
	assert_false(mailbox_parse("\"\0\"@b", 5, &box));
	assert_false(mailbox_parse("a@[\0]", 5, &box));
	assert_false(mailbox_parse("a@[tag:\0]", 9, &box));
	assert_false(mailbox_parse("\"\n\"@b", 5, &box));
	assert_false(mailbox_parse("\"\x7f\"@b", 5, &box));
}

/* A mailbox of given lengths, its domain in labels of at most label. */
static size_t
build(char *out, size_t local, size_t domain, size_t label)
{
	size_t n = local;

	memset(out, 'l', local);
	out[n++] = '@';
	for (size_t i = 1; i <= domain; i++)
		out[n++] = i % (label + 1) == 0 ? '.' : 'd';
	return n;
}

static const struct {
	size_t local;
	size_t domain;
	size_t label;
	bool ok;
} limits[] = {
	{ 64, 10, 63, true }, { 65, 10, 63, false }, { 1, 63, 63, true },
	{ 1, 64, 64, false }, { 1, 252, 60, true },
	{ 1, 253, 60, false }, /* the path would be 257 */
	{ 2, 252, 60, false }, /* the same */
};

static void
limits_of_length_hold(void **state)
{
	struct mailbox box;
	char text[512];

	(void)state;
	for (size_t i = 0; i < N(limits); i++) {
		size_t len = build(
		    text, limits[i].local, limits[i].domain, limits[i].label);

		assert_int_equal(mailbox_parse(text, len, &box), limits[i].ok);
	}
}

static const struct {
	const char *text;
	unsigned allow;
	long len;
	const char *whole;
} paths[] = {
	{ "<a@b>", 0, 5, "a@b" },
	{ "<a@b> SIZE=1", 0, 5, "a@b" },
	{ "<@x,@y.z:a@b>", 0, 13, "a@b" },
	{ "<\"x>\"@b>", 0, 8, "\"x>\"@b" },
	{ "<>", MAILBOX_NULL, 2, "" },
	{ "<>", MAILBOX_POSTMASTER, -1, "" },
	{ "<PostMaster>", MAILBOX_POSTMASTER, 12, "PostMaster" },
	{ "<postmaster@b>", MAILBOX_POSTMASTER, 14, "postmaster@b" },
	{ "<postmasters>", MAILBOX_POSTMASTER, -1, "" },
	{ "<postmaster", MAILBOX_POSTMASTER, -1, "" },
	{ "<postmaster>", MAILBOX_NULL, -1, "" },
	{ "a@b", ~0U, -1, "" },
	{ "", ~0U, -1, "" },
	{ "<", ~0U, -1, "" },
	{ "<a@b", ~0U, -1, "" },
	{ "< a@b>", ~0U, -1, "" },
	{ "<a@b >", ~0U, -1, "" },
	{ "<@x:>", ~0U, -1, "" },
	{ "<@x a@b>", ~0U, -1, "" },
	{ "<@x,a@b>", ~0U, -1, "" },
	{ "<@:a@b>", ~0U, -1, "" },
	{ "<<a@b>>", ~0U, -1, "" },
};

static void
path_is_what_its_command_allows(void **state)
{
	struct mailbox box;

	(void)state;
	for (size_t i = 0; i < N(paths); i++) {
		long len = mailbox_parse_path(
		    paths[i].text, strlen(paths[i].text), paths[i].allow, &box);

		if (len != paths[i].len)
			fail_msg("%s: %ld", paths[i].text, len);
		if (len > 0)
			assert_span(box.whole, paths[i].whole);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mailbox_is_divided),
		cmocka_unit_test(malformed_mailbox_is_refused),
		cmocka_unit_test(limits_of_length_hold),
		cmocka_unit_test(path_is_what_its_command_allows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
