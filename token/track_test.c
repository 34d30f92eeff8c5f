/*
 * Tests of what the answers of several servers come to (RFC 3886 3.3.3).
 */
#include "token/track.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "token/track_lines.h"

#define ENVID "x+2B1@h.example" /* "x+1@h.example" on the wire */

static const struct report_recipient nobody = { .original = "",
	.final = "",
	.comment = "",
	.remote_mta = "",
	.remote_address = "",
	.reply = "",
	.tls = "",
	.branches = "" };

static struct report_recipient
block(const char *address, uint8_t action)
{
	struct report_recipient r = nobody;

	r.original = r.final = address;
	r.action = action;
	return r;
}

/* A server that answered in one part; what report_free() frees is copied. */
static struct track_server *
add_server(struct track *t, const char *envid,
    const struct report_recipient *said, size_t count)
{
	struct track_server *s = calloc(1, sizeof(*s));
	struct report_part *part = calloc(1, sizeof(*part));

	assert_non_null(s);
	assert_non_null(part);
	*part = (struct report_part){ .envid = envid,
		.reporting_mta = "h.example",
		.recipients = calloc(count, sizeof(*said)),
		.count = count };
	assert_non_null(part->recipients);
	memcpy(part->recipients, said, count * sizeof(*said));
	s->report = (struct report){ .parts = part, .count = 1 };
	t->servers[t->server_count++] = s;
	return s;
}

static void
states_of_all_recipients(void **state)
{
	static const struct {
		uint8_t actions[3];
		enum track_state expected;
		bool open;
	} cases[] = {
		{ { ACTION_DELIVERED, ACTION_RELAYED, ACTION_EXPANDED },
		    TRACK_ARRIVED, false },
		{ { ACTION_DELIVERED, ACTION_DELAYED, ACTION_FAILED },
		    TRACK_FAILED, true },
		{ { ACTION_DELIVERED, ACTION_DELAYED, ACTION_OPAQUE },
		    TRACK_UNDER_WAY, true },
		{ { ACTION_DELIVERED, ACTION_OPAQUE, ACTION_DELIVERED },
		    TRACK_UNKNOWN, false },
		{ { ACTION_DELIVERED, ACTION_TRANSFERRED, ACTION_DELIVERED },
		    TRACK_UNDER_WAY, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct report_recipient said[3] = { block("a@d",
							cases[i].actions[0]),
			block("b@d", cases[i].actions[1]),
			block("c@d", cases[i].actions[2]) };
		struct track t = { 0 };

		assert_int_equal(track_state(&t), TRACK_UNKNOWN);
		assert_int_equal(
		    track_take(&t, add_server(&t, ENVID, said, 3), ENVID), 1);
		assert_int_equal(t.count, 3);
		assert_int_equal(track_state(&t), cases[i].expected);
		assert_int_equal(track_is_open(&t), cases[i].open);
		track_free(&t);
	}
}

static void
parts_about_other_messages_count_for_nothing(void **state)
{
	static const struct {
		const char *envid;
		int taken;
	} cases[] = { { "x+2B1@h.example", 1 }, { "x+1@h.example", 1 },
		{ "<x+1@h.example>", 1 }, { "", 1 }, { "X+1@h.example", 0 },
		{ "x+1@h.example2", 0 }, { "x+1@h.exampl", 0 } };
	struct report_recipient said = block("a@d", ACTION_DELIVERED);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct track t = { 0 };
		struct track_server *s =
		    add_server(&t, cases[i].envid, &said, 1);

		assert_int_equal(track_take(&t, s, ENVID), cases[i].taken);
		track_free(&t);
	}
}

static void
only_what_is_due_is_replaced(void **state)
{
	struct report_recipient said[] = { block("a@d", ACTION_TRANSFERRED),
		block("b@d", ACTION_TRANSFERRED), block("c@d", ACTION_FAILED) };
	struct report_recipient later[] = { block("A@D", ACTION_DELIVERED),
		block("b@d", ACTION_FAILED), block("c@d", ACTION_DELIVERED),
		block("x@d", ACTION_DELIVERED) };
	struct track t = { 0 };
	struct track_server *first = add_server(&t, ENVID, said, 3);
	struct track_server *next;

	(void)state;
	assert_int_equal(track_take(&t, first, ENVID), 1);
	next = add_server(&t, ENVID, later, 4);
	t.rows[0].due = next;
	assert_int_equal(track_take(&t, next, ENVID), 1);
	assert_int_equal(t.count, 3);
	assert_int_equal(track_row_state(&t.rows[0]), TRACK_ARRIVED);
	assert_ptr_equal(track_row_now(&t.rows[0])->server, next);
	assert_int_equal(t.rows[1].count, 1);
	assert_int_equal(track_row_state(&t.rows[2]), TRACK_FAILED);
	track_free(&t);
}

static void
a_recipient_that_became_several_has_a_row_for_each(void **state)
{
	struct report_recipient said = block("a@d", ACTION_TRANSFERRED);
	struct report_recipient later[] = { block("a@d", ACTION_DELIVERED),
		block("a@d", ACTION_FAILED), block("a@d", ACTION_DELAYED) };
	struct track t = { 0 };
	struct track_server *first = add_server(&t, ENVID, &said, 1), *next;
	struct track_line *lines;
	size_t count;

	(void)state;
	assert_int_equal(track_take(&t, first, ENVID), 1);
	next = add_server(&t, ENVID, later, 3);
	t.rows[0].due = next;
	assert_int_equal(track_take(&t, next, ENVID), 1);
	assert_int_equal(t.count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(t.rows[i].count, 2);
		assert_ptr_equal(t.rows[i].steps[0].server, first);
		assert_ptr_equal(track_row_now(&t.rows[i])->said,
		    &next->report.parts[0].recipients[i]);
	}
	/* Two tell no time of arrival; the first hop's block is told once. */
	lines = track_lines(&t, &count);
	assert_non_null(lines);
	assert_int_equal(count, 4);
	free(lines);
	track_free(&t);
}

/* A server that lies makes its user wait, but not for minutes. */
static void
very_many_blocks_of_one_long_address_are_taken(void **state)
{
	enum { MANY = 10000, LONG = 3000 };
	struct report_recipient *said = calloc(MANY, sizeof(*said));
	char *address = malloc(LONG + 1);
	struct track_server *s;
	struct track t = { 0 };
	clock_t start;

	(void)state;
	assert_non_null(said);
	assert_non_null(address);
	memset(address, 'a', LONG);
	address[LONG] = '\0';
	for (size_t i = 0; i < MANY; i++)
		said[i] = block(address, ACTION_DELIVERED);
	s = add_server(&t, ENVID, said, MANY);
	start = clock();
	assert_int_equal(track_take(&t, s, ENVID), 1);
	assert_int_equal(track_take(&t, s, ENVID), 1);
	assert_int_equal(t.count, 2 * MANY);
	assert_true(clock() - start < 20 * CLOCKS_PER_SEC);
	track_free(&t);
	free(address);
	free(said);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states_of_all_recipients),
		cmocka_unit_test(parts_about_other_messages_count_for_nothing),
		cmocka_unit_test(only_what_is_due_is_replaced),
		cmocka_unit_test(
		    a_recipient_that_became_several_has_a_row_for_each),
		cmocka_unit_test(
		    very_many_blocks_of_one_long_address_are_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
