/*
 * Steps on their way to the keeper: their order, what becomes of ids that are
 * not known yet, and how far the log is done with. Time is the test's.
 */
#include "track/feed_queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "track/scan.h"

enum { WAIT = 60000, START = 1000000, IDS = 64 };

#define WALL	   1700000000000ULL /* at START */
#define END_OF_LOG UINT64_MAX

/* A keeper that knows some ids, and writes down what it stores. */
struct fixture {
	struct feed_queue *queue;
	struct feed_marks marks;
	struct feed_batch batch;
	struct feed_now now;
	uint64_t offset;
	uint64_t age; /* of the lines of the log, ms */
	size_t asked; /* items ever */
	size_t known_count;
	char known[IDS][16];
	char stored[4096];
};

static void
start(struct fixture *x, const struct feed_queue_options *options)
{
	struct follow_record at = { 0 };

	feed_queue_free(x->queue);
	x->queue = feed_queue_new(options);
	assert_non_null(x->queue);
	feed_marks_free(&x->marks);
	feed_marks_init(&x->marks, &at);
	feed_queue_up(x->queue, START);
}

static int
set_up(void **state)
{
	const struct feed_queue_options options = { .wait = WAIT };
	struct fixture *x = calloc(1, sizeof(*x));

	x->now = (struct feed_now){ START, WALL };
	TAILQ_INIT(&x->marks.list);
	start(x, &options);
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;

	feed_queue_free(x->queue);
	feed_marks_free(&x->marks);
	feed_batch_free(&x->batch);
	free(x);
	return 0;
}

static void
know(struct fixture *x, const char *id)
{
	strcpy(x->known[x->known_count++], id);
}

static bool
is_known(const struct fixture *x, struct octets id)
{
	for (size_t i = 0; i < x->known_count; i++)
		if (scan_is(id, x->known[i]))
			return true;
	return false;
}

/* One line of the log, at the present time. */
static void
add(struct fixture *x, enum log_kind kind, const char *id, const char *what)
{
	struct log_event event = { .kind = kind,
		.queue_id = scan_text(id),
		.status = {
		    .time = x->now.wall - x->age, .source = SOURCE_LOG } };
	struct follow_record at = { .inode = 1, .offset = ++x->offset };
	struct feed_mark *mark = feed_marks_take(&x->marks);

	if (kind == LOGGED_JOIN)
		event.next_id = scan_text(what);
	else
		event.status.recipient = scan_text(what);
	assert_int_equal(feed_queue_add(x->queue, &event, mark, x->now), 0);
	feed_marks_move(&x->marks, &at);
}

/* A join that says what a recipient was submitted as. */
static void
add_aliased(struct fixture *x, const char *id, const char *next,
    const char *recipient, const char *original)
{
	struct log_event event = { .kind = LOGGED_JOIN,
		.queue_id = scan_text(id),
		.next_id = scan_text(next),
		.status = { .time = x->now.wall,
		    .source = SOURCE_LOG,
		    .recipient = scan_text(recipient),
		    .original = scan_text(original) } };

	assert_int_equal(feed_queue_add(x->queue, &event,
			     feed_marks_take(&x->marks), x->now),
	    0);
}

static uint8_t
store(struct fixture *x, const struct feed_item *item)
{
	static const char *const words[] = { "", " is ", " ends" };
	size_t len = strlen(x->stored);

	if (!is_known(x, item->queue_id))
		return FEED_UNKNOWN;
	if (item->kind == FEED_JOIN)
		snprintf(x->known[x->known_count++], 16, "%.*s",
		    (int)item->other_id.len, (const char *)item->other_id.data);
	snprintf(x->stored + len, sizeof(x->stored) - len,
	    "%.*s%s%.*s%.*s%s%.*s;", (int)item->queue_id.len,
	    (const char *)item->queue_id.data, words[item->kind],
	    (int)item->other_id.len, (const char *)item->other_id.data,
	    (int)item->event.recipient.len,
	    (const char *)item->event.recipient.data,
	    item->event.original.len > 0 ? " for " : "",
	    (int)item->event.original.len,
	    (const char *)item->event.original.data);
	return FEED_STORED;
}

static bool
take(struct fixture *x)
{
	return feed_queue_take(x->queue, &x->batch, x->now);
}

static void
answer(struct fixture *x)
{
	uint8_t results[FEED_ITEMS_MAX];
	struct feed_item item;
	struct wire_in in;

	wire_read(&in, x->batch.items.data, x->batch.items.len);
	for (uint16_t i = 0; i < x->batch.count; i++) {
		feed_item_get(&in, &item);
		results[i] = store(x, &item);
	}
	assert_int_equal(wire_end(&in), 0);
	x->asked += x->batch.count;
	feed_queue_answer(x->queue, &x->batch, results, x->now);
}

/* Ask as long as something is due. */
static void
ask(struct fixture *x)
{
	while (take(x))
		answer(x);
}

static void
pass(struct fixture *x, uint64_t ms, uint64_t log_time)
{
	x->now.ticks += ms;
	x->now.wall += ms;
	feed_queue_tick(x->queue, log_time, x->now);
	ask(x);
}

/* In steps, as the feed does, to a log that stands still. */
static void
pass_long(struct fixture *x, uint64_t ms)
{
	for (uint64_t i = 0; i < ms / 250; i++)
		pass(x, 250, END_OF_LOG);
}

static uint64_t
done_offset(struct fixture *x)
{
	struct follow_record at = { .inode = 1, .offset = x->offset };

	feed_marks_move(&x->marks, &at);
	return x->marks.done.offset;
}

static size_t
waiting(const struct fixture *x)
{
	return feed_queue_counters(x->queue)->waiting;
}

static void
steps_of_known_ids_are_stored_in_order(void **state)
{
	struct fixture *x = *state;

	know(x, "A");
	know(x, "B");
	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_STATUS, "B", "1");
	add(x, LOGGED_STATUS, "A", "2");
	add(x, LOGGED_END, "A", "");
	add(x, LOGGED_END, "B", "");
	ask(x);
	assert_string_equal(x->stored, "A1;B1;A2;A ends;B ends;");
	assert_int_equal(waiting(x), 0);
	assert_int_equal(done_offset(x), 5);
}

static void
an_id_that_is_settled_late_keeps_its_order(void **state)
{
	struct fixture *x = *state;

	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_END, "A", "");
	ask(x);
	assert_int_equal(done_offset(x), 0);
	pass_long(x, 3000);
	assert_string_equal(x->stored, "");
	know(x, "A");
	pass_long(x, 20000);
	assert_string_equal(x->stored, "A1;A ends;");
	assert_int_equal(done_offset(x), 2);
}

static void
a_foreign_id_is_asked_for_once_not_once_a_line(void **state)
{
	struct fixture *x = *state;

	for (int i = 0; i < 100; i++)
		add(x, LOGGED_STATUS, "F", "1");
	ask(x);
	assert_int_equal(x->asked, 1);
	pass_long(x, 2 * WAIT);
	assert_in_range(x->asked, 2, 12);
	assert_int_equal(waiting(x), 0);
	assert_int_equal(feed_queue_counters(x->queue)->foreign, 100);
	assert_int_equal(done_offset(x), 100);
}

static void
a_foreign_id_is_not_given_up_before_its_time(void **state)
{
	struct fixture *x = *state;

	add(x, LOGGED_STATUS, "F", "1");
	ask(x);
	pass_long(x, WAIT - 1000);
	assert_int_equal(waiting(x), 1);
	know(x, "F");
	pass_long(x, 2 * WAIT);
	assert_string_equal(x->stored, "F1;");
}

static void
the_offset_waits_for_the_oldest_line_only(void **state)
{
	struct fixture *x = *state;

	know(x, "A");
	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_STATUS, "F", "1");
	add(x, LOGGED_STATUS, "A", "2");
	ask(x);
	assert_string_equal(x->stored, "A1;A2;");
	assert_int_equal(done_offset(x), 1);
	pass_long(x, 2 * WAIT);
	assert_int_equal(done_offset(x), 3);
}

static void
a_join_wakes_what_came_before_it(void **state)
{
	struct fixture *x = *state;

	know(x, "X");
	add(x, LOGGED_STATUS, "Y", "1");
	add(x, LOGGED_END, "Y", "");
	ask(x);
	pass(x, 30, WALL);
	add(x, LOGGED_JOIN, "X", "Y");
	add(x, LOGGED_END, "X", "");
	ask(x);
	assert_string_equal(x->stored, "X is Y;Y1;Y ends;X ends;");
	assert_int_equal(waiting(x), 0);
}

static void
a_join_that_waits_keeps_the_next_id_alive(void **state)
{
	struct fixture *x = *state;

	add(x, LOGGED_STATUS, "Y", "1");
	ask(x);
	pass_long(x, 20000);
	add(x, LOGGED_JOIN, "X", "Y");
	ask(x);
	pass_long(x, WAIT - 10000);
	know(x, "X");
	pass_long(x, WAIT);
	assert_string_equal(x->stored, "X is Y;Y1;");
}

static void
joins_in_a_ring_end_too(void **state)
{
	struct fixture *x = *state;

	add(x, LOGGED_JOIN, "X", "Y");
	add(x, LOGGED_JOIN, "Y", "X");
	add(x, LOGGED_JOIN, "Z", "Z");
	ask(x);
	pass_long(x, 5 * WAIT);
	assert_int_equal(waiting(x), 0);
	assert_int_equal(done_offset(x), 3);
}

static void
steps_before_their_join_learn_what_they_were_submitted_as(void **state)
{
	struct fixture *x = *state;

	know(x, "A");
	add(x, LOGGED_STATUS, "N", "bob");
	add(x, LOGGED_STATUS, "N", "carol");
	add(x, LOGGED_END, "N", "");
	ask(x);
	assert_string_equal(x->stored, "");
	add(x, LOGGED_JOIN, "A", "N");
	add_aliased(x, "A", "N", "bob", "one");
	pass_long(x, 1000);
	assert_string_equal(
	    x->stored, "A is N;Nbob for one;A is N;Ncarol;N ends;");
	assert_int_equal(waiting(x), 0);
	assert_int_equal(feed_queue_counters(x->queue)->octets, 0);
}

/* Reading an old log fast, its lines are all past their wait at once. */
static void
in_an_old_log_a_join_may_still_come(void **state)
{
	struct fixture *x = *state;
	const uint64_t age = 86400000;

	know(x, "X");
	feed_queue_up(x->queue, START - 2 * WAIT);
	x->age = age;
	add(x, LOGGED_STATUS, "Y", "1");
	add(x, LOGGED_STATUS, "F", "1");
	ask(x);
	pass(x, 10, WALL - age + 1000);
	assert_int_equal(waiting(x), 2);
	add(x, LOGGED_JOIN, "X", "Y");
	ask(x);
	assert_string_equal(x->stored, "X is Y;Y1;");
	pass(x, 10, WALL - age + WAIT + 1);
	assert_int_equal(waiting(x), 0);
	assert_int_equal(x->asked, 4);
}

static void
what_had_no_answer_is_asked_again_in_order(void **state)
{
	struct fixture *x = *state;
	const uint8_t results[] = { FEED_UNAVAILABLE, FEED_UNAVAILABLE,
		FEED_UNAVAILABLE };

	know(x, "A");
	know(x, "B");
	know(x, "C");
	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_STATUS, "B", "1");
	add(x, LOGGED_STATUS, "C", "1");
	assert_true(take(x));
	assert_int_equal(x->batch.count, 3);
	feed_queue_answer(x->queue, &x->batch, NULL, x->now);
	assert_true(take(x));
	feed_queue_answer(x->queue, &x->batch, results, x->now);
	assert_int_equal(done_offset(x), 0);
	ask(x);
	assert_string_equal(x->stored, "A1;B1;C1;");
	assert_int_equal(done_offset(x), 3);
}

/* An item that the keeper can never take must not hold up the others. */
static void
one_that_is_unavailable_waits_alone(void **state)
{
	struct fixture *x = *state;
	const uint8_t results[] = { FEED_UNAVAILABLE, FEED_STORED };

	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_STATUS, "B", "1");
	assert_true(take(x));
	feed_queue_answer(x->queue, &x->batch, results, x->now);
	assert_false(take(x));
	know(x, "A");
	pass_long(x, 1000);
	assert_string_equal(x->stored, "A1;");
}

static void
a_keeper_that_was_away_for_long_gets_time_to_learn(void **state)
{
	struct fixture *x = *state;

	add(x, LOGGED_STATUS, "A", "1");
	assert_true(take(x));
	x->now.ticks += 100 * WAIT;
	x->now.wall += 100 * WAIT;
	feed_queue_answer(x->queue, &x->batch, NULL, x->now);
	feed_queue_up(x->queue, x->now.ticks);
	ask(x);
	pass_long(x, WAIT / 2);
	assert_int_equal(waiting(x), 1);
	know(x, "A");
	pass_long(x, WAIT);
	assert_string_equal(x->stored, "A1;");
}

static void
a_full_message_is_done_with(void **state)
{
	struct fixture *x = *state;
	const uint8_t results[] = { FEED_FULL };

	add(x, LOGGED_STATUS, "A", "1");
	assert_true(take(x));
	feed_queue_answer(x->queue, &x->batch, results, x->now);
	assert_int_equal(waiting(x), 0);
	assert_int_equal(feed_queue_counters(x->queue)->full, 1);
}

static void
the_buffer_is_bounded_and_empties(void **state)
{
	const struct feed_queue_options options = { .wait = WAIT,
		.steps_max = 10 };
	struct fixture *x = *state;
	char id[16];

	start(x, &options);
	for (int i = 0; i < 10; i++) {
		assert_false(feed_queue_is_full(x->queue));
		snprintf(id, sizeof(id), "F%d", i);
		add(x, LOGGED_STATUS, id, "1");
	}
	assert_true(feed_queue_is_full(x->queue));
	assert_false(feed_queue_is_roomy(x->queue));
	/* The log stands still for as long as nothing is read. */
	for (int i = 0; i < 1000; i++)
		pass(x, 250, WALL);
	assert_true(feed_queue_is_roomy(x->queue));
	assert_false(feed_queue_is_full(x->queue));
}

static void
what_is_no_item_is_left_out(void **state)
{
	struct fixture *x = *state;
	static char long_id[200];

	memset(long_id, 'A', sizeof(long_id) - 1);
	add(x, LOGGED_STATUS, "", "1");
	add(x, LOGGED_STATUS, long_id, "1");
	assert_false(take(x));
	assert_int_equal(feed_queue_counters(x->queue)->refused, 2);
	assert_int_equal(done_offset(x), 2);
}

static void
a_batch_is_bounded(void **state)
{
	struct fixture *x = *state;
	static const uint8_t stored[FEED_ITEMS_MAX]; /* FEED_STORED */
	static char to[1025];
	char id[16];

	memset(to, 'a', sizeof(to) - 1);
	for (int i = 0; i < 3000; i++) {
		snprintf(id, sizeof(id), "A%d", i);
		add(x, LOGGED_STATUS, id, to);
	}
	for (size_t asked = 0; asked < 3000; asked += x->batch.count) {
		assert_true(take(x));
		assert_in_range(x->batch.count, 1, FEED_ITEMS_MAX);
		assert_in_range(x->batch.items.len, 1, 1000000);
		feed_queue_answer(x->queue, &x->batch, stored, x->now);
	}
	assert_false(take(x));
}

/* What is asked for is in one of two questions; the first has no answer. */
static void
two_questions_in_flight_do_not_mix(void **state)
{
	struct fixture *x = *state;
	static struct feed_batch other;

	know(x, "A");
	know(x, "B");
	add(x, LOGGED_STATUS, "A", "1");
	add(x, LOGGED_END, "A", "");
	assert_true(feed_queue_take(x->queue, &other, x->now));
	add(x, LOGGED_STATUS, "B", "1");
	add(x, LOGGED_STATUS, "A", "2");
	ask(x);
	assert_string_equal(x->stored, "B1;");
	feed_queue_answer(x->queue, &other, NULL, x->now);
	feed_batch_free(&other);
	ask(x);
	assert_string_equal(x->stored, "B1;A1;A ends;A2;");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(steps_of_known_ids_are_stored_in_order),
		TEST(an_id_that_is_settled_late_keeps_its_order),
		TEST(a_foreign_id_is_asked_for_once_not_once_a_line),
		TEST(a_foreign_id_is_not_given_up_before_its_time),
		TEST(the_offset_waits_for_the_oldest_line_only),
		TEST(a_join_wakes_what_came_before_it),
		TEST(a_join_that_waits_keeps_the_next_id_alive),
		TEST(joins_in_a_ring_end_too),
		TEST(steps_before_their_join_learn_what_they_were_submitted_as),
		TEST(in_an_old_log_a_join_may_still_come),
		TEST(what_had_no_answer_is_asked_again_in_order),
		TEST(one_that_is_unavailable_waits_alone),
		TEST(a_keeper_that_was_away_for_long_gets_time_to_learn),
		TEST(a_full_message_is_done_with),
		TEST(the_buffer_is_bounded_and_empties),
		TEST(what_is_no_item_is_left_out),
		TEST(a_batch_is_bounded),
		TEST(two_questions_in_flight_do_not_mix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
