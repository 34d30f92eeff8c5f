/*
 * A feed between a log and a door that is not the keeper's: wherever it is
 * broken off, each line of a known id is told, and the stored place is never
 * behind a line that was not.
 */
#include "track/feed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/door.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/turn.h"
#include "track/scan.h"

enum { PATIENCE = 20000, LINES_MAX = 20000 };

/* What the door does with a question. */
enum mood {
	MOOD_STORES,
	MOOD_UNAVAILABLE,
	MOOD_HANGS_UP,
	MOOD_SILENT,
	MOOD_MALFORMED
};

struct fixture {
	char directory[64];
	char log[96];
	char state_path[96];
	char door_path[96];
	struct event_base *base;
	struct door *door;
	int listener;
	struct feed *feed;
	struct feed_state state;
	struct feed_options options;
	enum mood mood;
	unsigned questions;
	uint64_t asker; /* who asked last */
	unsigned askers;
	unsigned told; /* items of known ids, repeated ones too */
	unsigned next; /* line that is written next */
	bool told_of[LINES_MAX];
	unsigned foreign;
};

/* Ids of lines begin with "A"; others are not ours. */
static uint8_t
take_item(struct fixture *x, const struct feed_item *item)
{
	char text[32] = "";
	unsigned number;

	if (item->queue_id.data[0] != 'A') {
		x->foreign++;
		return FEED_UNKNOWN;
	}
	memcpy(text, item->event.recipient.data,
	    item->event.recipient.len < 31 ? item->event.recipient.len : 31);
	assert_int_equal(sscanf(text, "to%u@x", &number), 1);
	x->told_of[number] = true;
	x->told++;
	return FEED_STORED;
}

static int
answer_events(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct fixture *x = door_arg(asker);
	struct octets msa = wire_get_octets(body, 255);
	uint16_t count = wire_get_u16(body);
	struct wire_out out = { 0 };
	struct feed_item item;

	assert_true(scan_is(msa, "main"));
	x->questions++;
	x->askers += asker->number != x->asker;
	x->asker = asker->number;
	wire_begin(&out);
	wire_put_u16(&out, count);
	for (uint16_t i = 0; i < count; i++) {
		feed_item_get(body, &item);
		wire_put_u8(&out,
		    x->mood == MOOD_STORES ? take_item(x, &item)
					   : FEED_UNAVAILABLE);
	}
	assert_int_equal(wire_end(body), 0);
	if (x->mood == MOOD_MALFORMED)
		wire_put_u8(&out, 0);
	if (x->mood == MOOD_HANGS_UP)
		door_close_asker(x->door, asker->number);
	else if (x->mood != MOOD_SILENT)
		door_answer(x->door, asker->number, id, MSG_EVENTS_ARE, &out);
	wire_free(&out);
	return 0;
}

static void
open_keeper(struct fixture *x)
{
	static const struct door_rule rules[] = { { MSG_EVENTS, answer_events },
		{ 0, NULL } };
	const struct door_owner owner = {
		.name = "feed", .rules = rules, .arg = x
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	strcpy(address.sun_path, x->door_path);
	x->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(x->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(x->listener, 5), 0);
	x->door = door_open(x->base, x->listener, getuid(), &owner);
	assert_non_null(x->door);
}

static void
close_keeper(struct fixture *x)
{
	if (x->door == NULL)
		return;
	door_free(x->door);
	door_flush_all();
	x->door = NULL;
	close(x->listener);
	unlink(x->door_path);
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->directory, "/tmp/feed.XXXXXX");
	assert_non_null(mkdtemp(x->directory));
	snprintf(x->log, sizeof(x->log), "%s/mail.log", x->directory);
	snprintf(
	    x->state_path, sizeof(x->state_path), "%s/state", x->directory);
	snprintf(x->door_path, sizeof(x->door_path), "%s/door", x->directory);
	x->base = event_base_new();
	x->options = (struct feed_options){
		.path = x->log, .door = x->door_path, .msa = "main", .wait = 0
	};
	x->state.lock = -1;
	*state = x;
	return 0;
}

static void
stop(struct fixture *x)
{
	feed_free(x->feed);
	x->feed = NULL;
	feed_state_close(&x->state);
	link_flush_all();
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;
	char command[128];

	stop(x);
	close_keeper(x);
	event_base_free(x->base);
	snprintf(command, sizeof(command), "rm -r %s", x->directory);
	assert_int_equal(system(command), 0);
	free(x);
	return 0;
}

static void
start(struct fixture *x)
{
	char why[512];

	x->state = (struct feed_state){ .path = x->state_path, .lock = -1 };
	assert_int_equal(feed_state_lock(&x->state, x->log, why, sizeof(why)),
	    FEED_LOCK_OURS);
	assert_in_range(feed_state_read(&x->state), 0, 1);
	x->feed = feed_new(x->base, &x->options, &x->state);
	assert_non_null(x->feed);
}

static void
turn(struct fixture *x)
{
	struct timeval tick = { 0, 1000 };

	event_base_loopexit(x->base, &tick);
	event_base_loop(x->base, EVLOOP_ONCE);
	if (x->feed != NULL)
		feed_turn(x->feed);
	link_flush_all();
	door_flush_all();
	turn_end();
}

static void
add_line(struct fixture *x, const char *id, const char *format)
{
	FILE *file = fopen(x->log, "a");
	time_t now = time(NULL);
	char date[32];

	strftime(date, sizeof(date), "%b %e %H:%M:%S", localtime(&now));
	fprintf(file,
	    "%s mail postfix/smtp[1]: %s: to=<to%u@x>, relay=mx[192.0.2.7]:25, "
	    "delay=1, dsn=2.0.0, status=sent (250 %s)\n",
	    date, id, x->next, format);
	fclose(file);
}

/* Count lines of ours, each of a message of its own, and one that is not. */
static void
add_lines(struct fixture *x, unsigned count)
{
	char id[16];

	for (unsigned i = 0; i < count; i++) {
		snprintf(id, sizeof(id), "A%05u", x->next);
		add_line(x, id, "ok");
		x->next++;
	}
	add_line(x, "F00001", "ok");
}

static bool
all_told(const struct fixture *x)
{
	for (unsigned i = 0; i < x->next; i++)
		if (!x->told_of[i])
			return false;
	return true;
}

static void
until_told(struct fixture *x)
{
	for (int i = 0; i < PATIENCE && !all_told(x); i++)
		turn(x);
	assert_true(all_told(x));
}

static uint64_t
size_of_log(const struct fixture *x)
{
	struct stat st;

	return stat(x->log, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static uint64_t
stored_offset(const struct fixture *x)
{
	struct follow_record record;

	assert_int_equal(follow_record_read(x->state_path, &record), 0);
	return record.offset;
}

static void
until_stored(struct fixture *x)
{
	for (int i = 0; i < PATIENCE && stored_offset(x) != size_of_log(x); i++)
		turn(x);
	assert_int_equal(stored_offset(x), size_of_log(x));
}

static void
each_line_is_told_once(void **state)
{
	struct fixture *x = *state;

	open_keeper(x);
	add_lines(x, 3000);
	start(x);
	until_told(x);
	add_lines(x, 10);
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 3010);
	stop(x);
	add_lines(x, 5);
	start(x);
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 3015);
}

static void
the_place_is_stored_before_the_first_line(void **state)
{
	struct fixture *x = *state;
	struct follow_record record;

	add_lines(x, 1);
	start(x);
	assert_int_equal(follow_record_read(x->state_path, &record), 0);
	assert_true(record.inode != 0);
	assert_int_equal(record.offset, 0);
}

static void
without_a_keeper_nothing_is_done_with(void **state)
{
	struct fixture *x = *state;

	add_lines(x, 100);
	start(x);
	for (int i = 0; i < 100; i++)
		turn(x);
	feed_store(x->feed);
	assert_int_equal(stored_offset(x), 0);
	open_keeper(x);
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 100);
}

static void
an_unwilling_keeper_is_asked_again(void **state)
{
	struct fixture *x = *state;

	x->mood = MOOD_UNAVAILABLE;
	open_keeper(x);
	add_lines(x, 100);
	start(x);
	for (int i = 0; i < PATIENCE && x->questions < 3; i++)
		turn(x);
	assert_int_equal(x->told, 0);
	feed_store(x->feed);
	assert_int_equal(stored_offset(x), 0);
	x->mood = MOOD_STORES;
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 100);
}

static void
a_keeper_that_dies_with_a_question_is_asked_again(void **state)
{
	struct fixture *x = *state;

	open_keeper(x);
	x->mood = MOOD_HANGS_UP;
	add_lines(x, 100);
	start(x);
	for (int i = 0; i < PATIENCE && x->questions < 6; i++)
		turn(x);
	/* Again and again: somebody should be told. */
	for (int i = 0; i < 50; i++)
		turn(x);
	feed_store(x->feed);
	assert_int_equal(stored_offset(x), 0);
	x->mood = MOOD_STORES;
	until_told(x);
	close_keeper(x);
	add_lines(x, 100);
	for (int i = 0; i < 20; i++)
		turn(x);
	open_keeper(x);
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 200);
}

static void
a_keeper_that_answers_nonsense_is_hung_up_on(void **state)
{
	struct fixture *x = *state;

	x->mood = MOOD_MALFORMED;
	open_keeper(x);
	add_lines(x, 100);
	start(x);
	for (int i = 0; i < PATIENCE && x->questions < 3; i++)
		turn(x);
	assert_true(x->askers >= 2);
	assert_int_equal(x->told, 0);
	x->mood = MOOD_STORES;
	until_told(x);
	until_stored(x);
	assert_int_equal(x->told, 100);
}

/* As kill -9 does: nothing is stored at the end. */
static void
wherever_it_is_killed_no_line_is_lost(void **state)
{
	struct fixture *x = *state;
	char to[128];

	srand(1);
	open_keeper(x);
	for (int round = 0; round < 150; round++) {
		if (x->feed == NULL)
			start(x);
		add_lines(x, (unsigned)rand() % 20);
		for (int i = rand() % 8; i > 0; i--)
			turn(x);
		if (rand() % 20 == 0) {
			snprintf(to, sizeof(to), "%s-%04d", x->log, round);
			rename(x->log, to);
			add_lines(x, 3);
		}
		if (rand() % 3 == 0)
			stop(x);
		if (rand() % 10 == 0) {
			close_keeper(x);
			open_keeper(x);
		}
	}
	if (x->feed == NULL)
		start(x);
	until_told(x);
}

static void
an_id_that_waits_holds_the_place(void **state)
{
	struct fixture *x = *state;
	uint64_t before;

	x->options.wait = 3600000;
	open_keeper(x);
	add_lines(x, 10); /* one that is not ours is the last */
	before = size_of_log(x);
	add_lines(x, 10);
	start(x);
	until_told(x);
	feed_store(x->feed);
	assert_in_range(stored_offset(x), 0, before - 1);
	stop(x);
	x->options.wait = 0;
	start(x);
	until_stored(x);
	assert_true(x->foreign > 0);
}

static void
once_ends_when_all_is_done(void **state)
{
	struct fixture *x = *state;

	x->options.once = true;
	open_keeper(x);
	add_lines(x, 100);
	start(x);
	for (int i = 0; i < PATIENCE && !feed_is_finished(x->feed); i++)
		turn(x);
	assert_true(feed_is_finished(x->feed));
	assert_true(all_told(x));
	feed_store(x->feed);
	assert_int_equal(stored_offset(x), size_of_log(x));
}

static void
a_damaged_state_begins_anew(void **state)
{
	struct fixture *x = *state;
	FILE *file = fopen(x->state_path, "w");

	fputs("waybill-feed 1\noffset \377", file);
	fclose(file);
	open_keeper(x);
	add_lines(x, 10);
	start(x);
	until_told(x);
	until_stored(x);
}

static void
a_state_that_cannot_be_stored_stops_nothing(void **state)
{
	struct fixture *x = *state;
	char beside[128];

	open_keeper(x);
	/* Where the new state is written first there is a directory. */
	snprintf(beside, sizeof(beside), "%s.new", x->state_path);
	assert_int_equal(mkdir(beside, 0700), 0);
	add_lines(x, 10);
	start(x);
	until_told(x);
	assert_int_equal(rmdir(beside), 0);
	feed_store(x->feed);
	until_stored(x);
}

static void
one_feed_at_a_time(void **state)
{
	struct fixture *x = *state;
	struct feed_state other = { .path = x->state_path, .lock = -1 };
	char why[512], path[128];

	start(x);
	assert_int_equal(
	    feed_state_lock(&other, x->log, why, sizeof(why)), FEED_LOCK_BUSY);
	stop(x);
	assert_int_equal(
	    feed_state_lock(&other, x->log, why, sizeof(why)), FEED_LOCK_OURS);
	feed_state_close(&other);
	assert_int_equal(
	    feed_state_lock(&other, "/x", why, sizeof(why)), FEED_LOCK_OTHER);
	assert_non_null(strstr(why, x->log));
	feed_state_close(&other);
	snprintf(path, sizeof(path), "%s/none/state", x->directory);
	other.path = path;
	assert_int_equal(
	    feed_state_lock(&other, "/x", why, sizeof(why)), FEED_LOCK_FAILED);
	assert_non_null(strstr(why, "no such directory"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_line_is_told_once),
		TEST(the_place_is_stored_before_the_first_line),
		TEST(without_a_keeper_nothing_is_done_with),
		TEST(an_unwilling_keeper_is_asked_again),
		TEST(a_keeper_that_dies_with_a_question_is_asked_again),
		TEST(a_keeper_that_answers_nonsense_is_hung_up_on),
		TEST(wherever_it_is_killed_no_line_is_lost),
		TEST(an_id_that_waits_holds_the_place),
		TEST(once_ends_when_all_is_done),
		TEST(a_damaged_state_begins_anew),
		TEST(a_state_that_cannot_be_stored_stops_nothing),
		TEST(one_feed_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
