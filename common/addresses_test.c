/*
 * Which client addresses are one (a /64 of IPv6), and that counts rise and
 * fall.
 */
#include "common/addresses.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct sockaddr_storage
address_of(const char *text, uint16_t port)
{
	struct sockaddr_storage ss = { 0 };
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	if (strchr(text, ':') == NULL) {
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	} else {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	}
	return ss;
}

static uint64_t
key_of(const char *text, uint16_t port)
{
	struct sockaddr_storage ss = address_of(text, port);

	return addresses_key(&ss);
}

static void
an_address_is_shown_as_people_write_it(void **state)
{
	static const struct {
		const char *address, *text;
	} cases[] = {
		{ "192.0.2.7", "192.0.2.7" },
		{ "::ffff:192.0.2.7", "192.0.2.7" },
		{ "2001:db8:0:0:0:0:0:1", "2001:db8::1" },
	};
	struct sockaddr_storage none = { .ss_family = AF_UNIX };
	char out[ADDRESSES_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sockaddr_storage ss = address_of(cases[i].address, 1038);

		assert_int_equal(addresses_text(&ss, out), 1038);
		assert_string_equal(out, cases[i].text);
	}
	assert_int_equal(addresses_text(&none, out), 0);
	assert_string_equal(out, "");
}

static void
a_64_is_one_address(void **state)
{
	static const struct {
		const char *one, *other;
		bool same;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.2", false },
		{ "127.0.0.1", "::ffff:127.0.0.1", true },
		{ "127.0.0.1", "::1", false },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
		{ "::1", "::2", true },
		{ "0.0.0.0", "::1", false },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t one = key_of(cases[i].one, 1000);
		uint64_t other = key_of(cases[i].other, 2000);

		assert_true(one != 0 && other != 0);
		assert_int_equal(one == other, cases[i].same);
	}
}

static void
counts_rise_and_fall(void **state)
{
	uint64_t a = key_of("192.0.2.1", 0), b = key_of("192.0.2.2", 0);
	unsigned i;

	(void)state;
	for (i = 1; i <= 100; i++)
		assert_int_equal(addresses_add(a, ADDRESSES_SESSIONS), i);
	assert_int_equal(addresses_add(a, ADDRESSES_EXCHANGES), 1);
	assert_int_equal(addresses_add(b, ADDRESSES_SESSIONS), 1);
	for (i = 100; i-- > 0;)
		assert_int_equal(addresses_remove(a, ADDRESSES_SESSIONS), i);
	assert_int_equal(addresses_add(a, ADDRESSES_EXCHANGES), 2);
	assert_int_equal(addresses_remove(a, ADDRESSES_EXCHANGES), 1);
	assert_int_equal(addresses_remove(a, ADDRESSES_EXCHANGES), 0);
	assert_int_equal(addresses_remove(b, ADDRESSES_SESSIONS), 0);
}

static void
what_was_not_counted_is_not_removed(void **state)
{
	uint64_t key = key_of("192.0.2.3", 0);

	(void)state;
	assert_int_equal(addresses_remove(key, ADDRESSES_SESSIONS), 0);
	assert_int_equal(addresses_add(key, ADDRESSES_SESSIONS), 1);
	assert_int_equal(addresses_remove(key, ADDRESSES_EXCHANGES), 0);
	assert_int_equal(addresses_remove(key, ADDRESSES_SESSIONS), 0);
	assert_int_equal(addresses_add(key, ADDRESSES_SESSIONS), 1);
	assert_int_equal(addresses_remove(key, ADDRESSES_SESSIONS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_shown_as_people_write_it),
		cmocka_unit_test(a_64_is_one_address),
		cmocka_unit_test(counts_rise_and_fall),
		cmocka_unit_test(what_was_not_counted_is_not_removed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
