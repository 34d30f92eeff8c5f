/*
 * HMAC-SHA-256 against RFC 4231 and against itself with many keys.
 */
#include "common/mac.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec.h"

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

/* RFC 4231 4.3, its key filled up with zeroes as RFC 2104 does. */
static void
a_known_answer_is_given(void **state)
{
	static const uint8_t key[MAC_KEY_LEN] = "Jefe";
	char hex[2 * MAC_LEN + 1];
	uint8_t mac[MAC_LEN];

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(
		    mac_compute(key, text("what do ya want for nothing?"), mac),
		    0);
		codec_hex_encode(mac, sizeof(mac), hex);
		assert_string_equal(hex,
		    "5bdcc146bf60754e6a042426089575c7"
		    "5a003f089d2739839dec58b964ec3843");
	}
}

static void
many_keys_in_any_order_do_not_mix(void **state)
{
	uint8_t first[16][MAC_LEN], key[MAC_KEY_LEN] = { 0 }, mac[MAC_LEN];

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		key[MAC_KEY_LEN - 1] = i;
		assert_int_equal(mac_compute(key, text("x"), first[i]), 0);
	}
	for (unsigned i = 0; i < 10000; i++) {
		unsigned which = i * 7919 % (i % 3 == 0 ? 16 : 3);

		key[MAC_KEY_LEN - 1] = (uint8_t)which;
		assert_int_equal(mac_compute(key, text("x"), mac), 0);
		assert_memory_equal(mac, first[which], MAC_LEN);
	}
}

static void
nothing_is_data_too(void **state)
{
	static const uint8_t key[MAC_KEY_LEN];
	struct octets none = { NULL, 0 };
	uint8_t one[MAC_LEN], other[MAC_LEN];

	(void)state;
	assert_int_equal(mac_compute(key, none, one), 0);
	assert_int_equal(mac_compute(key, text(""), other), 0);
	assert_memory_equal(one, other, MAC_LEN);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_answer_is_given),
		cmocka_unit_test(many_keys_in_any_order_do_not_mix),
		cmocka_unit_test(nothing_is_data_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
