/*
 * Buffers: what goes in comes out in order, however it is cut, and an empty
 * one holds no memory once it is trimmed.
 */
#include "common/buffer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void
what_goes_in_comes_out(void **state)
{
	static const size_t cuts[] = { 1, 3, 700, 2047, 2048, 2049, 5000 };
	struct buffer b = { 0 };
	uint8_t next_in = 0, next_out = 0;
	size_t i, k, round;

	(void)state;
	for (round = 0; round < 200; round++) {
		size_t put = cuts[round % 7], eat = cuts[(round * 3 + 1) % 7];
		uint8_t *room = buffer_reserve(&b, put);

		for (i = 0; i < put; i++)
			room[i] = next_in++;
		buffer_commit(&b, put);
		if (eat > buffer_len(&b))
			eat = buffer_len(&b);
		for (k = 0; k < eat; k++)
			assert_int_equal(buffer_at(&b)[k], next_out++);
		buffer_consume(&b, eat);
	}
	assert_true(buffer_len(&b) > 0);
	for (k = 0; k < buffer_len(&b); k++)
		assert_int_equal(buffer_at(&b)[k], next_out++);
	buffer_free(&b);
	assert_null(b.data);
}

static void
a_trimmed_one_holds_no_memory(void **state)
{
	struct buffer b = { 0 };

	(void)state;
	assert_null(buffer_at(&b));
	buffer_consume(&b, 0);
	buffer_append(&b, "", 0);
	assert_null(b.data);
	buffer_append(&b, "abc", 3);
	buffer_consume(&b, 2);
	assert_memory_equal(buffer_at(&b), "c", 1);
	buffer_trim(&b);
	assert_memory_equal(buffer_at(&b), "c", 1);
	buffer_consume(&b, 1);
	assert_memory_equal(b.data, "\0\0\0", 3);
	buffer_trim(&b);
	assert_null(b.data);
	assert_int_equal(b.size, 0);
	buffer_trim(&b);
	buffer_free(&b);
}

/* A reader that always leaves a little behind does not make it grow. */
static void
what_was_eaten_is_used_again(void **state)
{
	struct buffer b = { 0 };
	char block[1000];
	size_t i;

	(void)state;
	memset(block, 'x', sizeof(block));
	buffer_append(&b, block, 1);
	for (i = 0; i < 1000; i++) {
		buffer_append(&b, block, sizeof(block));
		buffer_consume(&b, sizeof(block));
	}
	assert_true(b.size <= 4096);
	assert_int_equal(buffer_len(&b), 1);
	buffer_free(&b);
}

/* Lines hold passwords: none is left behind where the rest was moved. */
static void
what_was_eaten_is_wiped(void **state)
{
	static const char secret[] = "secret";
	struct buffer b = { 0 };
	char block[1400];

	(void)state;
	memset(block, 'x', sizeof(block));
	buffer_append(&b, block, sizeof(block));
	buffer_append(&b, secret, sizeof(secret) - 1);
	buffer_append(&b, "rest", 4);
	buffer_consume(&b, sizeof(block) + sizeof(secret) - 1);
	buffer_reserve(&b, 2000);
	assert_int_equal(b.start, 0);
	assert_memory_equal(buffer_at(&b), "rest", 4);
	assert_null(memmem(b.data, 1500, secret, sizeof(secret) - 1));
	buffer_free(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out),
		cmocka_unit_test(a_trimmed_one_holds_no_memory),
		cmocka_unit_test(what_was_eaten_is_used_again),
		cmocka_unit_test(what_was_eaten_is_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
