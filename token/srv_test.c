/*
 * Tests of the order of SRV records (RFC 2782) and of host names.
 */
#include "token/srv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static uint32_t wish;

static uint32_t
draw_wish(uint32_t limit)
{
	return wish < limit ? wish : limit;
}

static void
order_is(struct resolver_srv *records, size_t count, uint32_t drawn,
    const char *expected)
{
	char got[64] = "";

	wish = drawn;
	srv_order(records, count, draw_wish);
	for (size_t i = 0; i < count; i++)
		strcat(got, records[i].target);
	assert_string_equal(got, expected);
}

static void
lower_priorities_go_first(void **state)
{
	struct resolver_srv records[] = { { "a", 20, 5, 1 }, { "b", 10, 1, 1 },
		{ "c", 65535, 9, 1 }, { "d", 0, 0, 1 } };

	(void)state;
	order_is(records, 4, 0, "dbac");
}

static void
weights_choose_among_equals(void **state)
{
	static const struct {
		uint32_t drawn;
		char first;
	} cases[] = { { 0, 'z' }, { 1, 'a' }, { 3, 'a' }, { 4, 'b' },
		{ 10, 'b' } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct resolver_srv records[] = { { "a", 1, 3, 1 },
			{ "z", 1, 0, 1 }, { "b", 1, 7, 1 } };

		wish = cases[i].drawn;
		srv_order(records, 3, draw_wish);
		assert_int_equal(records[0].target[0], cases[i].first);
	}
}

static void
every_record_stays(void **state)
{
	struct resolver_srv records[RESOLVER_SRV_MAX];
	unsigned seen = 0;

	(void)state;
	for (unsigned i = 0; i < RESOLVER_SRV_MAX; i++)
		records[i] = (struct resolver_srv){ "x", (uint16_t)(i % 3),
			(uint16_t)(i * 7919), (uint16_t)i };
	wish = 40000;
	srv_order(records, RESOLVER_SRV_MAX, draw_wish);
	for (unsigned i = 0; i < RESOLVER_SRV_MAX; i++) {
		seen |= 1u << records[i].port;
		if (i > 0)
			assert_true(
			    records[i - 1].priority <= records[i].priority);
	}
	assert_int_equal(seen, 0xffffffffu);
}

static void
names_that_are_hosts(void **state)
{
	static const char *const good[] = { "mx.example.org", "a_b.example",
		"localhost", "192.0.2.1", "2001:db8::1", "mx.example.org." };
	static const char *const bad[] = { "", ".", "-x.example", "a..b",
		"mx example", "mx/x", "m\x1b[2J", "[192.0.2.1]", "a:1",
		"\xc3\xa4.example" };

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(srv_is_host(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(srv_is_host(bad[i]));
}

static void
places_to_connect_to(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		unsigned port;
	} cases[] = { { "h.example:99", "h.example", 99 },
		{ "h.example", "h.example", 1038 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "[2001:db8::1]:7", "2001:db8::1", 7 },
		{ "[2001:db8::1]", "2001:db8::1", 1038 }, { "", NULL, 0 },
		{ ":1", NULL, 0 }, { "h:", NULL, 0 }, { "h:0", NULL, 0 },
		{ "h:65536", NULL, 0 }, { "h:1x", NULL, 0 },
		{ "h:-1", NULL, 0 }, { "[::1", NULL, 0 }, { "[::1]x", NULL, 0 },
		{ "2001:db8::1", NULL, 0 }, { "h h:1", NULL, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct srv_target out;

		if (cases[i].host == NULL) {
			assert_int_equal(
			    srv_read_target(cases[i].text, &out), -1);
			continue;
		}
		assert_int_equal(srv_read_target(cases[i].text, &out), 0);
		assert_string_equal(out.host, cases[i].host);
		assert_int_equal(out.port, cases[i].port);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lower_priorities_go_first),
		cmocka_unit_test(weights_choose_among_equals),
		cmocka_unit_test(every_record_stays),
		cmocka_unit_test(names_that_are_hosts),
		cmocka_unit_test(places_to_connect_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
