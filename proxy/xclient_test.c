/*
 * What an MSA is told about a client: XCLIENT and XFORWARD commands, their
 * order, lengths and encoding.
 */
#include "proxy/xclient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/caps.h"

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define ALL	 (~0U)

static const struct {
	const char *title;
	struct xclient_client client;
	unsigned attrs;
	const char *line; /* the only one; NULL: none */
} single[] = {
	{ "everything, NAME and ADDR last",
	    { "mx.example", "192.0.2.1", 4711, "ESMTP", "laptop", "alice",
		"198.51.100.7", 587 },
	    ALL,
	    "XCLIENT PROTO=ESMTP HELO=laptop LOGIN=alice "
	    "DESTADDR=198.51.100.7 DESTPORT=587 PORT=4711 NAME=mx.example "
	    "ADDR=192.0.2.1\r\n" },
	{ "announced attributes only",
	    { "mx.example", "192.0.2.1", 4711, "ESMTP", "laptop", "alice", NULL,
		0 },
	    ATTR_LOGIN | ATTR_ADDR, "XCLIENT LOGIN=alice ADDR=192.0.2.1\r\n" },
	{ "an unknown name",
	    { NULL, "192.0.2.1", 0, NULL, NULL, NULL, NULL, 0 }, ALL,
	    "XCLIENT NAME=[UNAVAILABLE] ADDR=192.0.2.1\r\n" },
	{ "IPv6",
	    { NULL, "2001:db8::1", 0, NULL, NULL, NULL, "2001:db8::2", 0 },
	    ATTR_ADDR | ATTR_DESTADDR,
	    "XCLIENT DESTADDR=IPV6:2001:db8::2 ADDR=IPV6:2001:db8::1\r\n" },
	{ "a mapped address is IPv4",
	    { NULL, "::FFFF:192.0.2.1", 0, NULL, NULL, NULL, NULL, 0 },
	    ATTR_ADDR, "XCLIENT ADDR=192.0.2.1\r\n" },
	{ "values are xtext",
	    { "a b", "192.0.2.1", 0, NULL, "x\r\nQUIT", "a+b=c\xc3\xbc", NULL,
		0 },
	    ATTR_NAME | ATTR_HELO | ATTR_LOGIN,
	    "XCLIENT HELO=x+0D+0AQUIT LOGIN=a+2Bb+3Dc+C3+BC NAME=a+20b\r\n" },
	{ "nothing is announced",
	    { "mx.example", "192.0.2.1", 1, "ESMTP", "h", "l", "d", 1 }, 0,
	    NULL },
	{ "nothing is known", { NULL, NULL, 0, NULL, NULL, NULL, NULL, 0 },
	    ATTR_LOGIN, NULL },
};

static void
client_is_told_in_one_command(void **state)
{
	struct xclient_lines lines;

	(void)state;
	for (size_t i = 0; i < N(single); i++) {
		const char *line = single[i].line;

		assert_int_equal(
		    xclient_build(&single[i].client, single[i].attrs, &lines),
		    0);
		if (lines.count != (line != NULL))
			fail_msg("%s: %zu lines", single[i].title, lines.count);
		if (line != NULL)
			assert_string_equal(lines.line[0], line);
	}
}

static char *
filled(char *text, size_t len, char c)
{
	memset(text, c, len);
	text[len] = '\0';
	return text;
}

static void
long_values_are_split_over_commands(void **state)
{
	char name[256], helo[256], login[256];
	const struct xclient_client client = { filled(name, 255, 'n'),
		"2001:db8:ffff:ffff:ffff:ffff:255.255.255.255", 65535, "ESMTP",
		filled(helo, 255, 'h'), filled(login, 255, 'l'),
		"2001:db8:ffff:ffff:ffff:ffff:255.255.255.255", 65535 };
	struct xclient_lines lines;
	const char *last;

	(void)state;
	assert_int_equal(xclient_build(&client, ALL, &lines), 0);
	assert_int_equal(lines.count, 3);
	for (size_t i = 0; i < lines.count; i++) {
		size_t len = strlen(lines.line[i]);

		assert_true(len <= XCLIENT_LINE_MAX);
		assert_memory_equal(lines.line[i], "XCLIENT ", 8);
		assert_string_equal(lines.line[i] + len - 2, "\r\n");
	}
	last = lines.line[lines.count - 1];
	assert_non_null(strstr(last, " NAME=nnn"));
	assert_non_null(strstr(strstr(last, " NAME="), " ADDR=IPV6:2001"));
}

/* The worst that fits: every value takes a command of its own. */
static void
longest_values_fit_the_commands_there_are(void **state)
{
	char name[512], helo[512], login[512];
	const struct xclient_client client = { filled(name, 440, 'n'),
		"192.0.2.1", 65535, "ESMTP", filled(helo, 496, 'h'),
		filled(login, 496, 'l'), "192.0.2.2", 65535 };
	struct xclient_lines lines;

	(void)state;
	assert_int_equal(xclient_build(&client, ALL, &lines), 0);
	assert_true(lines.count <= XCLIENT_LINES);
	for (size_t i = 0; i < lines.count; i++)
		assert_true(strlen(lines.line[i]) <= XCLIENT_LINE_MAX);
}

static void
login_is_never_cut(void **state)
{
	char text[600];
	struct xclient_client client = { .login = filled(text, 496, 'l') };
	struct xclient_lines lines;

	(void)state;
	assert_int_equal(xclient_build(&client, ATTR_LOGIN, &lines), 0);
	assert_int_equal(strlen(lines.line[0]), XCLIENT_LINE_MAX);
	filled(text, 497, 'l');
	assert_int_equal(xclient_build(&client, ATTR_LOGIN, &lines), -1);
	filled(text, 200, '=');
	assert_int_equal(xclient_build(&client, ATTR_LOGIN, &lines), -1);
}

static void
overlong_helo_and_name_are_unavailable(void **state)
{
	char text[600];
	const struct xclient_client client = {
		.name = text, .helo = text, .addr = "192.0.2.1"
	};
	struct xclient_lines lines;

	(void)state;
	filled(text, 599, 'x');
	assert_int_equal(
	    xclient_build(&client, ATTR_HELO | ATTR_NAME | ATTR_ADDR, &lines),
	    0);
	assert_int_equal(lines.count, 1);
	assert_string_equal(lines.line[0],
	    "XCLIENT HELO=[UNAVAILABLE] NAME=[UNAVAILABLE] "
	    "ADDR=192.0.2.1\r\n");
}

static void
ident_is_xtext(void **state)
{
	char out[XCLIENT_LINE_MAX + 100], envid[600];
	const char *expected = "XFORWARD IDENT=a+2Bb@c\r\n";
	size_t len = strlen(expected);

	(void)state;
	assert_int_equal(xforward_ident("a+b@c", out, sizeof(out)), len);
	assert_string_equal(out, expected);
	assert_int_equal(xforward_ident("a+b@c", out, len + 1), len);
	assert_int_equal(xforward_ident("a+b@c", out, len), -1);
	assert_int_equal(xforward_ident("a", out, 0), -1);
	assert_int_equal(
	    xforward_ident(filled(envid, 495, 'e'), out, sizeof(out)),
	    XCLIENT_LINE_MAX);
	assert_int_equal(
	    xforward_ident(filled(envid, 496, 'e'), out, sizeof(out)), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(client_is_told_in_one_command),
		cmocka_unit_test(long_values_are_split_over_commands),
		cmocka_unit_test(longest_values_fit_the_commands_there_are),
		cmocka_unit_test(login_is_never_cut),
		cmocka_unit_test(overlong_helo_and_name_are_unavailable),
		cmocka_unit_test(ident_is_xtext),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
