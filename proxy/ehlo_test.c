/*
 * Tests of EHLO on both sides (RFC 5321 4.1.1.1).
 */
#include "proxy/ehlo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
parse(const char *in, struct msa_caps *caps)
{
	struct reply r;

	reply_init(&r);
	assert_int_equal(reply_feed(&r, in, strlen(in)), strlen(in));
	assert_true(r.complete);
	ehlo_parse(&r, caps);
	reply_clear(&r);
}

static void
what_msas_offer_is_understood(void **state)
{
	static const struct {
		const char *in;
		struct msa_caps want;
	} cases[] = {
		{ "250 mx\r\n", { .mask = 0 } },
		{ "250\r\n", { .mask = 0 } },
		{ "250-SIZE 1\r\n250 DSN\r\n", { .mask = CAP_DSN } },
		{ "250-mx greets you\r\n250-PIPELINING\r\n250-SIZE 10240000"
		  "\r\n250-VRFY\r\n250-ETRN\r\n250-STARTTLS\r\n"
		  "250-AUTH PLAIN LOGIN\r\n250-AUTH=PLAIN LOGIN\r\n"
		  "250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN"
		  " DESTADDR DESTPORT\r\n250-XFORWARD NAME ADDR IDENT SOURCE"
		  "\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-DSN\r\n"
		  "250-SMTPUTF8\r\n250 CHUNKING\r\n",
		    { .mask = CAP_PIPELINING | CAP_SIZE | CAP_STARTTLS |
			    CAP_AUTH | CAP_XCLIENT | CAP_XFORWARD |
			    CAP_ENHANCED | CAP_8BITMIME | CAP_DSN |
			    CAP_SMTPUTF8 | CAP_CHUNKING,
			.size = 10240000,
			.xclient = ATTR_NAME | ATTR_ADDR | ATTR_PROTO |
			    ATTR_HELO | ATTR_PORT | ATTR_LOGIN | ATTR_DESTADDR |
			    ATTR_DESTPORT,
			.xforward =
			    ATTR_NAME | ATTR_ADDR | ATTR_IDENT | ATTR_SOURCE,
			.auth = "PLAIN LOGIN" } },
		{ "250-mx\n250-mtrk\n250-Size\n250-8bitmime \n250 dsn x\n",
		    { .mask = CAP_MTRK | CAP_SIZE | CAP_8BITMIME | CAP_DSN } },
		{ "250-mx\r\n250-DSNX\r\n250-DS\r\n250- DSN\r\n250 -DSN\r\n",
		    { .mask = 0 } },
		{ "250-mx\r\n250-DSN\r\n250\r\n", { .mask = CAP_DSN } },
		{ "250-mx\r\n250-\r\n250 DSN\r\n", { .mask = CAP_DSN } },
		{ "250-mx\r\n250 SIZE 0\r\n", { .mask = CAP_SIZE } },
		{ "250-mx\r\n250 SIZE lots\r\n", { .mask = CAP_SIZE } },
		{ "250-mx\r\n250 SIZE -1\r\n", { .mask = CAP_SIZE } },
		{ "250-mx\r\n250 SIZE 18446744073709551616\r\n",
		    { .mask = CAP_SIZE } },
		{ "250-mx\r\n250 SIZE 18446744073709551615\r\n",
		    { .mask = CAP_SIZE, .size = UINT64_MAX } },
		{ "250-mx\r\n250-AUTH\r\n250 auth=scram-sha-256 Plain plain\r"
		  "\n",
		    { .mask = CAP_AUTH, .auth = "SCRAM-SHA-256 PLAIN" } },
		{ "250-mx\r\n250 XCLIENT\r\n", { .mask = CAP_XCLIENT } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct msa_caps caps;

		memset(&caps, 0xff, sizeof(caps));
		parse(cases[i].in, &caps);
		assert_int_equal(caps.mask, cases[i].want.mask);
		assert_int_equal(caps.size, cases[i].want.size);
		assert_int_equal(caps.xclient, cases[i].want.xclient);
		assert_int_equal(caps.xforward, cases[i].want.xforward);
		assert_string_equal(caps.auth, cases[i].want.auth);
	}
}

static void
order_makes_no_difference_and_values_do(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{ "250-a\r\n250-DSN\r\n250 AUTH PLAIN LOGIN\r\n",
		    "250-b\r\n250-AUTH login plain\r\n250 DSN\r\n", true },
		{ "250-a\r\n250 DSN\r\n", "250 a\r\n", false },
		{ "250-a\r\n250 SIZE 1\r\n", "250-a\r\n250 SIZE 2\r\n", false },
		{ "250-a\r\n250 AUTH PLAIN\r\n", "250-a\r\n250 AUTH LOGIN\r\n",
		    false },
		{ "250-a\r\n250 AUTH A B\r\n", "250-a\r\n250 AUTH A BB\r\n",
		    false },
		{ "250-a\r\n250 XCLIENT NAME\r\n", "250-a\r\n250 XCLIENT\r\n",
		    false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct msa_caps a, b;

		parse(cases[i].a, &a);
		parse(cases[i].b, &b);
		assert_int_equal(ehlo_same_caps(&a, &b), cases[i].same);
		assert_int_equal(ehlo_same_caps(&b, &a), cases[i].same);
	}
}

static void
an_endless_list_of_mechanisms_is_bounded(void **state)
{
	char in[4000] = "250-mx\r\n250 AUTH";
	struct msa_caps caps;

	(void)state;
	for (int i = 0; i < 400; i++) {
		char name[16] = " M000";

		name[2] = (char)('0' + i / 100);
		name[3] = (char)('0' + i / 10 % 10);
		name[4] = (char)('0' + i % 10);
		strcat(in, name);
	}
	strcat(in, "\r\n");
	parse(in, &caps);
	assert_true(strlen(caps.auth) <= EHLO_AUTH_MAX);
	assert_true(ehlo_has_mechanism(caps.auth, "M000", 4));
	assert_true(ehlo_has_mechanism(caps.auth, "M099", 4));
	assert_false(ehlo_has_mechanism(caps.auth, "M399", 4));
	assert_false(ehlo_has_mechanism(caps.auth, "M0", 2));
}

static void
only_what_we_carry_is_offered(void **state)
{
	struct msa_caps caps = { .mask = ~0U, .size = 1000 };

	(void)state;
	assert_int_equal(ehlo_offer_mask(&caps, 0),
	    CAP_PIPELINING | CAP_SIZE | CAP_8BITMIME | CAP_SMTPUTF8 | CAP_DSN |
		CAP_ENHANCED);
	assert_int_equal(ehlo_offer_mask(&caps, ~0U) &
		(CAP_CHUNKING | CAP_BINARYMIME | CAP_XCLIENT | CAP_XFORWARD),
	    0);
	caps.mask = CAP_SMTPUTF8;
	assert_int_equal(ehlo_offer_mask(&caps, CAP_MTRK | CAP_XMTRK),
	    CAP_PIPELINING | CAP_MTRK | CAP_XMTRK);
	caps.mask = 0;
	assert_int_equal(ehlo_offer_mask(&caps, 0), CAP_PIPELINING);
}

static void
size_leaves_room_for_what_we_add(void **state)
{
	struct msa_caps caps = { .mask = CAP_SIZE, .size = 1000 };

	(void)state;
	assert_int_equal(ehlo_offer_size(&caps, 300), 700);
	assert_int_equal(ehlo_offer_size(&caps, 1000), 1);
	assert_int_equal(ehlo_offer_size(&caps, 2000), 1);
	caps.size = 0;
	assert_int_equal(ehlo_offer_size(&caps, 300), 0);
}

static void
our_reply_is_written(void **state)
{
	static const struct {
		struct ehlo_offer offer;
		const char *want;
	} cases[] = {
		{ { "h.example", 0, 0, NULL }, "250 h.example\r\n" },
		{ { "h.example", CAP_PIPELINING, 0, NULL },
		    "250-h.example\r\n250 PIPELINING\r\n" },
		{ { "h.example",
		      CAP_PIPELINING | CAP_SIZE | CAP_STARTTLS | CAP_CHUNKING |
			  CAP_XCLIENT,
		      1234, NULL },
		    "250-h.example\r\n250-PIPELINING\r\n250-SIZE 1234\r\n"
		    "250 STARTTLS\r\n" },
		{ { "h.example", CAP_SIZE | CAP_AUTH | CAP_XMTRK, 0,
		      "PLAIN LOGIN" },
		    "250-h.example\r\n250-SIZE\r\n250-AUTH PLAIN LOGIN\r\n"
		    "250 XMTRK\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].want);
		char out[EHLO_REPLY_MAX];

		assert_int_equal(
		    ehlo_build(&cases[i].offer, out, sizeof(out)), len);
		assert_memory_equal(out, cases[i].want, len);
		assert_int_equal(ehlo_build(&cases[i].offer, out, len), len);
		for (size_t size = 0; size < len; size++)
			assert_int_equal(
			    ehlo_build(&cases[i].offer, out, size), 0);
	}
}

static void
the_longest_reply_fits(void **state)
{
	char out[EHLO_REPLY_MAX], name[EHLO_DOMAIN_MAX + 1],
	    auth[EHLO_AUTH_MAX + 1];
	struct ehlo_offer offer = { name, ~0U, UINT64_MAX, auth };
	struct msa_caps caps;
	struct reply r;
	size_t len;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	memset(auth, 'A', sizeof(auth) - 1);
	auth[sizeof(auth) - 1] = '\0';
	len = ehlo_build(&offer, out, sizeof(out));
	assert_true(len > 0);
	reply_init(&r);
	assert_int_equal(reply_feed(&r, out, len), len);
	assert_true(r.complete);
	ehlo_parse(&r, &caps);
	assert_int_equal(caps.size, UINT64_MAX);
	assert_string_equal(caps.auth, auth);
	reply_clear(&r);
}

static void
helo_is_answered_in_one_line(void **state)
{
	char out[32];

	(void)state;
	assert_int_equal(ehlo_build_helo("h.example", out, sizeof(out)), 15);
	assert_memory_equal(out, "250 h.example\r\n", 15);
	assert_int_equal(ehlo_build_helo("h.example", out, 14), 0);
}

static void
what_clients_call_themselves(void **state)
{
	static const struct {
		const char *in;
		const char *out; /* NULL: refused */
	} cases[] = {
		{ "client.example", "client.example" },
		{ "  client.example \t", "client.example" },
		{ "my_pc", "my_pc" },
		{ "localhost.", "localhost." },
		{ "[127.0.0.1]", "[127.0.0.1]" },
		{ "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
		{ "[IPv6:fe80::1%eth0]", "[IPv6:fe80::1%eth0]" },
		{ "[::1]", "[::1]" },
		{ "::1", "::1" },
		{ "", NULL },
		{ " ", NULL },
		{ ".", NULL },
		{ "[]", NULL },
		{ "[", NULL },
		{ "]", NULL },
		{ "a[b]", NULL },
		{ "[a", NULL },
		{ "my pc", NULL },
		{ "a\tb", NULL },
		{ "a\nb", NULL },
		{ "b\xc3\xbcro", NULL },
		{ "<a>", NULL },
		{ "a;b", NULL },
		{ "(a)", NULL },
	};
	char out[EHLO_DOMAIN_MAX + 1], in[EHLO_DOMAIN_MAX + 1];

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool taken = cases[i].out != NULL;

		assert_int_equal(
		    ehlo_parse_domain(cases[i].in, strlen(cases[i].in), out),
		    taken);
		if (taken)
			assert_string_equal(out, cases[i].out);
	}
	assert_false(ehlo_parse_domain("a\0b", 3, out));
	memset(in, 'a', sizeof(in));
	assert_true(ehlo_parse_domain(in, EHLO_DOMAIN_MAX, out));
	assert_false(ehlo_parse_domain(in, EHLO_DOMAIN_MAX + 1, out));
}

static void
an_msa_is_known_by_a_name_that_can_be_looked_up(void **state)
{
	static const struct {
		const char *in, *name;
	} cases[] = {
		{ "250-mx.Example.net\r\n250 DSN\r\n", "mx.Example.net" },
		{ "250-mx.example.net greets you\r\n250 DSN\r\n",
		    "mx.example.net" },
		{ "250 mx.example.net\r\n", "mx.example.net" },
		{ "250-mx\r\n250 DSN\r\n", "" },
		{ "250-localhost\r\n250 DSN\r\n", "" },
		{ "250-[192.0.2.1]\r\n250 DSN\r\n", "" },
		{ "250-192.0.2.1\r\n250 DSN\r\n", "" },
		{ "250-a..example\r\n250 DSN\r\n", "" },
		{ "250-mx.example.\r\n250 DSN\r\n", "" },
		{ "250-m_x.example\r\n250 DSN\r\n", "" },
		{ "250-Hello, friend\r\n250 DSN\r\n", "" },
		{ "250-\r\n250 DSN\r\n", "" },
		{ "250\r\n", "" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct msa_caps caps;

		parse(cases[i].in, &caps);
		assert_string_equal(caps.name, cases[i].name);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_msas_offer_is_understood),
		cmocka_unit_test(
		    an_msa_is_known_by_a_name_that_can_be_looked_up),
		cmocka_unit_test(order_makes_no_difference_and_values_do),
		cmocka_unit_test(an_endless_list_of_mechanisms_is_bounded),
		cmocka_unit_test(only_what_we_carry_is_offered),
		cmocka_unit_test(size_leaves_room_for_what_we_add),
		cmocka_unit_test(our_reply_is_written),
		cmocka_unit_test(the_longest_reply_fits),
		cmocka_unit_test(helo_is_answered_in_one_line),
		cmocka_unit_test(what_clients_call_themselves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
