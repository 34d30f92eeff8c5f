/*
 * Tables for token/answer: what a server may say, and what it may not.
 */
#include "token/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))

/* One line, out of memory that ends where the line does. */
static enum answer_next
take(struct answer *a, const char *line)
{
	size_t len = strlen(line);
	char *exact = malloc(len == 0 ? 1 : len);
	enum answer_next next;

	memcpy(exact, line, len);
	next = answer_take_line(a, exact, len);
	free(exact);
	return next;
}

static void
assert_field(const struct answer_field *f, const char *value)
{
	assert_non_null(f);
	assert_int_equal(f->len, strlen(value));
	assert_string_equal(f->value, value);
}

static void
a_listing_is_read(void **state)
{
	struct answer a = { 0 };

	(void)state;
	assert_int_equal(take(&a,
			     "250-2.0.0 message envid=a@b size=12 "
			     "subject=Gr+C3+BC+C3+9Fe+20+2B to= new-key_2=x"),
	    ANSWER_MORE);
	assert_int_equal(take(&a, "250-2.0.0 message envid=c@d cut=subject,to"),
	    ANSWER_MORE);
	assert_int_equal(take(&a, "250-2.0.0 novelty"), ANSWER_MORE);
	assert_int_equal(
	    take(&a, "250 2.0.0 end count=3 more=yes"), ANSWER_END);
	assert_true(a.more);
	assert_int_equal(a.count, 3);
	assert_string_equal(a.records[0]->word, "message");
	assert_field(answer_get(a.records[0], "subject"),
	    "Gr\xc3\xbc\xc3\x9f"
	    "e +");
	assert_field(answer_get(a.records[0], "to"), "");
	assert_field(answer_get(a.records[0], "new-key_2"), "x");
	assert_null(answer_get(a.records[0], "from"));
	assert_field(answer_find(&a, "message", "cut"), "subject,to");
	assert_null(answer_find(&a, "novelty", "cut"));
	answer_free(&a);
}

static void
nothing_is_an_answer_too(void **state)
{
	struct answer a = { 0 };

	(void)state;
	assert_int_equal(take(&a, "250 2.0.0 end count=0"), ANSWER_END);
	assert_false(a.more);
	assert_int_equal(a.count, 0);
	answer_free(&a);
}

static void
values_may_hold_any_octet(void **state)
{
	struct answer a = { 0 };
	const struct answer_field *f;

	(void)state;
	assert_int_equal(take(&a, "250-2.0.0 x v=a+00b+0D+0A+FF"), ANSWER_MORE);
	f = answer_find(&a, "x", "v");
	assert_int_equal(f->len, 6);
	assert_memory_equal(f->value, "a\0b\r\n\xff", 7);
	answer_free(&a);
}

static void
malformed_lines_are_refused(void **state)
{
	static const char *const bad[] = { "", "250", "250-", "250 2.0.0",
		"250 2.0.0 ", "251-2.0.0 x", "250-2.0.1 x", "250+2.0.0 x",
		"250-2.0.0  x", "250-2.0.0 X", "250-2.0.0 9", "250-2.0.0 x y",
		"250-2.0.0 x ", "250-2.0.0 x =v", "250-2.0.0 x k",
		"250-2.0.0 x K=v", "250-2.0.0 x k=v  l=w", "250-2.0.0 x k=v ",
		"250-2.0.0 x k=v k=w", "250-2.0.0 x k=a=b", "250-2.0.0 x k=+2",
		"250-2.0.0 x k=+2b", "250-2.0.0 x k=\t", "250-2.0.0 x k=\x80",
		"250-2.0.0 abcdefghijklmnopq",
		"250-2.0.0 x abcdefghijklmnopq=v", "250-2.0.0 end count=0",
		"250 2.0.0 x", "250 2.0.0 end",
		"250 2.0.0 end count=", "250 2.0.0 end count=1",
		"250 2.0.0 end count=x", "250 2.0.0 end count=-0",
		"250 2.0.0 end count=4294967296", "550 5.5.0 no" };

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		struct answer a = { 0 };

		assert_int_equal(take(&a, bad[i]), ANSWER_BAD);
		assert_non_null(a.error);
		answer_free(&a);
	}
}

static void
answers_have_bounds(void **state)
{
	struct answer a = { 0 };
	char line[1024] = "250-2.0.0 x v=", fields[1024] = "250-2.0.0 x";

	(void)state;
	memset(line + strlen(line), 'a', ANSWER_LINE_MAX - strlen(line));
	assert_int_equal(take(&a, line), ANSWER_MORE);
	line[strlen(line)] = 'a';
	assert_int_equal(take(&a, line), ANSWER_BAD);
	for (int i = 0; i < ANSWER_FIELDS_MAX; i++)
		sprintf(fields + strlen(fields), " k%d=", i);
	assert_int_equal(take(&a, fields), ANSWER_MORE);
	strcat(fields, " more=");
	assert_int_equal(take(&a, fields), ANSWER_BAD);
	while (a.count < ANSWER_LINES_MAX)
		assert_int_equal(take(&a, "250-2.0.0 x"), ANSWER_MORE);
	assert_int_equal(take(&a, "250-2.0.0 x"), ANSWER_BAD);
	answer_free(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listing_is_read),
		cmocka_unit_test(nothing_is_an_answer_too),
		cmocka_unit_test(values_may_hold_any_octet),
		cmocka_unit_test(malformed_lines_are_refused),
		cmocka_unit_test(answers_have_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
