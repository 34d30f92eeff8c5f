/*
 * Tables for common/inner_host: which hosts are the operator's own.
 */
#include "common/inner_host.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

static struct octets
text(const char *t)
{
	return (struct octets){ (const uint8_t *)t, strlen(t) };
}

static struct inner_hosts *
sample(void)
{
	static char *const items[] = { "10.0.0.0/8", "172.16.0.0/12",
		"192.168.7.9/24", "192.0.2.1", "fd00::/8", "2001:db8:1:2::/63",
		"::1", "example.LAN", "mail.example.net." };
	struct inner_hosts *h = inner_hosts_new(items, LEN(items));

	assert_non_null(h);
	return h;
}

static void
hosts_match_by_network_and_name(void **state)
{
	static const struct {
		const char *host, *address;
		bool inner;
	} rows[] = {
		{ "", "10.255.0.1", true },
		{ "", "11.0.0.1", false },
		{ "", "172.31.255.255", true },
		{ "", "172.32.0.0", false },
		{ "", "192.168.7.200", true },
		{ "", "192.168.8.1", false },
		{ "", "192.0.2.1", true },
		{ "", "192.0.2.2", false },
		{ "", "::ffff:10.0.0.1", true },
		{ "", "fdab::1", true },
		{ "", "fe00::1", false },
		{ "", "2001:db8:1:3::5", true },
		{ "", "2001:db8:1:4::5", false },
		{ "", "::1", true },
		{ "", "[::1]", true },
		{ "", "[IPv6:::1]", true },
		{ "", "IPv6:fd00::1", true },
		{ "", "ipv6:fd00::1", true },
		{ "", "fd00::1%eth0", true },
		{ "[10.0.0.1]", "", true },
		{ "10.0.0.1", "", true },
		{ "example.lan", "", true },
		{ "EXAMPLE.Lan.", "", true },
		{ "store.example.lan", "", true },
		{ "badexample.lan", "", false },
		{ "example.lan.example.org", "", false },
		{ "lan", "", false },
		{ "mail.example.net", "", true },
		{ "example.net", "", false },
		{ "mx.example.org", "10.0.0.1", true },
		{ "store.example.lan", "198.51.100.1", true },
		{ "mx.example.org", "198.51.100.1", false },
		{ "/var/run/lmtp", "", true },
		{ "", "", false },
		{ ".", "", false },
		{ "[", "", false },
		{ "[]", "", false },
		{ "10.0.0", "", false },
		{ "10.0.0.1x", "", false },
	};
	struct inner_hosts *h = sample();

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(inner_host_match(h, text(rows[i].host),
				     text(rows[i].address)),
		    rows[i].inner);
	inner_hosts_free(h);
}

static void
what_is_no_text_never_matches(void **state)
{
	static const uint8_t cut[] = "10.0.0.1\0x";
	struct octets nothing = { NULL, 0 };
	struct inner_hosts *h = sample();
	char huge[5000];

	(void)state;
	assert_false(inner_host_match(h, nothing, nothing));
	assert_false(
	    inner_host_match(h, nothing, (struct octets){ cut, sizeof(cut) }));
	memset(huge, 'a', sizeof(huge));
	memcpy(huge + sizeof(huge) - 12, ".example.lan", 12);
	assert_false(inner_host_match(
	    h, (struct octets){ (uint8_t *)huge, sizeof(huge) }, nothing));
	inner_hosts_free(h);
}

static void
everything_is_inside_a_network_without_bits(void **state)
{
	char *const ipv4[] = { "0.0.0.0/0" };
	char *const all[] = { "::/0" };
	struct inner_hosts *h = inner_hosts_new(ipv4, 1);

	(void)state;
	assert_non_null(h);
	assert_true(inner_host_match(h, text(""), text("198.51.100.1")));
	assert_false(inner_host_match(h, text(""), text("2001:db8::1")));
	inner_hosts_free(h);
	h = inner_hosts_new(all, 1);
	assert_non_null(h);
	assert_true(inner_host_match(h, text(""), text("2001:db8::1")));
	assert_false(inner_host_match(h, text("mx.example.org"), text("")));
	inner_hosts_free(h);
}

static void
an_empty_list_matches_nothing(void **state)
{
	struct inner_hosts *h = inner_hosts_new(NULL, 0);

	(void)state;
	assert_non_null(h);
	assert_false(inner_host_match(h, text("a.example"), text("::1")));
	inner_hosts_free(h);
	inner_hosts_free(NULL);
}

static void
items_that_are_neither_are_refused(void **state)
{
	static char long_name[300];
	char *const bad[] = { "", ".", "..", "10.0.0.0/33", "10.0.0.0/",
		"10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/008x", "10.0.0",
		"10.0.0.256", "fd00::/129", "fd00::/0x8", "[::1]", "a b",
		".example.lan", "a..b", "*.example.lan", "example.lan/8", "a,b",
		long_name };

	(void)state;
	memset(long_name, 'a', sizeof(long_name) - 1);
	for (size_t i = 0; i < LEN(bad); i++) {
		errno = 0;
		assert_null(inner_hosts_new(&bad[i], 1));
		assert_int_equal(errno, EINVAL);
	}
}

static void
lists_have_a_bound(void **state)
{
	static char *items[INNER_HOSTS_MAX + 1];
	struct inner_hosts *h;

	(void)state;
	for (size_t i = 0; i < LEN(items); i++)
		items[i] = "example.lan";
	assert_null(inner_hosts_new(items, LEN(items)));
	assert_int_equal(errno, EINVAL);
	h = inner_hosts_new(items, INNER_HOSTS_MAX);
	assert_non_null(h);
	inner_hosts_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_match_by_network_and_name),
		cmocka_unit_test(what_is_no_text_never_matches),
		cmocka_unit_test(everything_is_inside_a_network_without_bits),
		cmocka_unit_test(an_empty_list_matches_nothing),
		cmocka_unit_test(items_that_are_neither_are_refused),
		cmocka_unit_test(lists_have_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
