/*
 * ENVIDs: all different, whatever the clock does; opened by their key only.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "secrets/envid.h"

#define MINTED 10000000u
#define SECOND 1000
#define DAY    86400000

static const uint8_t key[ENVID_KEY_LEN] = "0123456789abcde";

static int
by_value(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Draw count of them and keep eight octets of each. */
static void
draw_some(struct envid_cipher *c, struct timeline *tl, struct envid_parts *p,
    uint64_t *out, size_t count, uint64_t now)
{
	uint8_t handle[HANDLE_LEN];
	uint64_t wanted;

	for (size_t i = 0; i < count; i++) {
		now += i % 7 == 0;
		assert_int_equal(envid_draw(c, tl, now, p, handle), 0);
		wanted = timeline_wants(tl, now);
		if (wanted != 0)
			timeline_reserve(tl, wanted);
		assert_true(timeline_covers(tl, tl->time));
		memcpy(&out[i], handle, sizeof(out[i]));
	}
}

/* Runs of a keeper: each begins at the reservation of the one before. */
static void
ten_million_are_different_across_restarts_and_steps(void **state)
{
	static const int64_t steps[] = { SECOND, -SECOND, DAY, -DAY, 0, -DAY,
		SECOND, DAY };
	const size_t runs = 50, each = MINTED / 50;
	struct envid_cipher *c = envid_cipher_new(key);
	uint64_t *all = malloc(MINTED * sizeof(*all));
	uint64_t reserved[2] = { 0, 0 }, now = 1790000000000;
	struct timeline tl;

	(void)state;
	assert_non_null(c);
	assert_non_null(all);
	for (size_t run = 0; run < runs; run++) {
		uint16_t node = run % 2;
		struct envid_parts p = { .account = 7, .node = node };

		now += (uint64_t)steps[run % 8];
		timeline_start(&tl, reserved[node], false, now);
		draw_some(c, &tl, &p, all + run * each, each, now);
		reserved[node] = tl.reserved;
	}
	qsort(all, MINTED, sizeof(*all), by_value);
	for (size_t i = 1; i < MINTED; i++)
		if (all[i] == all[i - 1])
			fail_msg("two ENVIDs are equal");
	free(all);
	envid_cipher_free(c);
}

static void
more_than_a_millisecond_holds_move_time_on(void **state)
{
	struct timeline tl;

	(void)state;
	timeline_start(&tl, 0, false, 1000);
	for (uint32_t i = 0; i < TIMELINE_COUNTERS; i++)
		timeline_next(&tl, 1000);
	assert_int_equal(tl.time, 1000);
	timeline_next(&tl, 1000);
	assert_int_equal(tl.time, 1001);
	assert_int_equal(tl.counter, 0);
	timeline_next(&tl, 5);
	assert_int_equal(tl.time, 1001);
	assert_int_equal(tl.counter, 1);
}

static void
a_leap_of_more_than_a_day_is_doubted_until_agreed(void **state)
{
	struct timeline tl;

	(void)state;
	timeline_start(&tl, 0, false, 50 * (uint64_t)DAY);
	assert_false(tl.doubted);
	assert_false(timeline_watch(&tl, 51 * (uint64_t)DAY));
	assert_true(timeline_watch(&tl, 53 * (uint64_t)DAY));
	assert_false(timeline_watch(&tl, 53 * (uint64_t)DAY));
	assert_true(tl.doubted);
	timeline_start(&tl, 50 * (uint64_t)DAY, false, 52 * (uint64_t)DAY);
	assert_true(tl.doubted);
	timeline_start(&tl, 50 * (uint64_t)DAY, true, 50 * (uint64_t)DAY);
	assert_true(tl.doubted);
}

static void
parts_come_back(void **state)
{
	static const struct envid_parts table[] = {
		{ 0, 0, 0, 0, ENVID_DERIVED },
		{ 1790000000000, 1, 0, 0, ENVID_RANDOM },
		{ (1ull << 44) - 1, ENVID_ACCOUNT_MAX, 4095, 1048575,
		    ENVID_DERIVED },
	};
	struct envid_cipher *c = envid_cipher_new(key);
	uint8_t handle[HANDLE_LEN];
	struct envid_parts p;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(envid_close(c, &table[i], handle), 0);
		assert_int_equal(envid_open(c, handle, &p), 0);
		assert_int_equal(p.time, table[i].time);
		assert_int_equal(p.account, table[i].account);
		assert_int_equal(p.node, table[i].node);
		assert_int_equal(p.counter, table[i].counter);
		assert_int_equal(p.kind, table[i].kind);
	}
	p.account = ENVID_ACCOUNT_MAX + 1;
	assert_int_equal(envid_close(c, &p, handle), -1);
	envid_cipher_free(c);
}

static void
foreign_and_guessed_ones_do_not_open(void **state)
{
	static const uint8_t other[ENVID_KEY_LEN] = "another key....";
	struct envid_cipher *c = envid_cipher_new(key);
	struct envid_cipher *foreign = envid_cipher_new(other);
	struct envid_parts p = { .time = 1790000000000, .account = 3 };
	uint8_t handle[HANDLE_LEN];
	unsigned opened = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		p.counter = i;
		assert_int_equal(envid_close(foreign, &p, handle), 0);
		opened += envid_open(c, handle, &p) == 0;
		p = (struct envid_parts){ .time = 1790000000000, .account = 3 };
	}
	/* two of 65536 checks are good */
	assert_in_range(opened, 0, 20);
	envid_cipher_free(foreign);
	envid_cipher_free(c);
}

static void
a_text_never_begins_with_a_dash(void **state)
{
	struct envid_cipher *c = envid_cipher_new(key);
	struct envid_parts p = { .account = 3 };
	char text[ENVID_MAX + 1];
	uint8_t handle[HANDLE_LEN], back[HANDLE_LEN];
	struct octets fqhn;
	struct timeline tl;
	size_t len;

	(void)state;
	timeline_start(&tl, 0, false, 1790000000000);
	for (int i = 0; i < 20000; i++) {
		envid_draw(c, &tl, 1790000000000, &p, handle);
		len = envid_text(handle, "mail.example.com", text);
		assert_int_equal(len, ENVID_LOCAL_LEN + 17);
		assert_int_not_equal(text[0], '-');
		assert_int_equal(
		    envid_parse(
			(struct octets){ (uint8_t *)text, len }, back, &fqhn),
		    0);
		assert_memory_equal(handle, back, HANDLE_LEN);
		assert_int_equal(fqhn.len, 16);
	}
	envid_cipher_free(c);
}

/* rfc-facts: the fall-back of RFC 3885 3.2, "+" of base64 as xtext. */
static void
a_long_host_name_becomes_its_hash(void **state)
{
	char host[120], out[ENVID_FQHN_MAX + 1], text[ENVID_MAX + 1];
	const uint8_t handle[HANDLE_LEN] = { 0 };

	(void)state;
	envid_fqhn("mail.example.com", out);
	assert_string_equal(out, "mail.example.com");
	memset(host, 'a', sizeof(host));
	host[ENVID_FQHN_MAX] = '\0';
	envid_fqhn(host, out);
	assert_string_equal(out, host);
	assert_int_equal(envid_text(handle, out, text), ENVID_MAX);
	host[ENVID_FQHN_MAX] = 'a';
	host[ENVID_FQHN_MAX + 1] = '\0';
	envid_fqhn(host, out);
	assert_in_range(strlen(out), 27, 60);
	assert_null(strchr(out, '='));
}

static void
what_is_no_envid_of_ours_is_refused(void **state)
{
	static const char *const table[] = {
		"",
		"@",
		"AAAAAAAAAAAAAAAAAAAAAA",
		"AAAAAAAAAAAAAAAAAAAAAA@",
		"AAAAAAAAAAAAAAAAAAAAA@h",
		"AAAAAAAAAAAAAAAAAAAAAAA@h",
		"AAAAAAAAAAAAAAAAAAAAA+@h",
		"AAAAAAAAAAAAAAAAAAAAAB@h",
		"AAAAAAAAAAAAAAAAAAAAAA@a@b",
	};
	uint8_t handle[HANDLE_LEN];
	struct octets fqhn;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct octets text = { (const uint8_t *)table[i],
			strlen(table[i]) };

		if (envid_parse(text, handle, &fqhn) != -1)
			fail_msg("taken: %s", table[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    ten_million_are_different_across_restarts_and_steps),
		cmocka_unit_test(more_than_a_millisecond_holds_move_time_on),
		cmocka_unit_test(
		    a_leap_of_more_than_a_day_is_doubted_until_agreed),
		cmocka_unit_test(parts_come_back),
		cmocka_unit_test(foreign_and_guessed_ones_do_not_open),
		cmocka_unit_test(a_text_never_begins_with_a_dash),
		cmocka_unit_test(a_long_host_name_becomes_its_hash),
		cmocka_unit_test(what_is_no_envid_of_ours_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
