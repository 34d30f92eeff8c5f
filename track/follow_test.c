/*
 * Following a log: no line is lost and none given twice, however it is
 * rotated and wherever the reading is broken off.
 */
#include "track/follow.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

enum { PATIENCE = 4000, LINE = 64 };

/* A log in a directory of its own, and what was read of it. */
struct fixture {
	char directory[64];
	char log[96];
	struct event_base *base;
	struct follow *follow;
	struct follow_options options;
	struct follow_record stored;
	unsigned next;	   /* number of the line that must come */
	unsigned old;	   /* lines that were shown again */
	unsigned pause_at; /* pause after so many lines, 0: never */
	unsigned seen;
	bool ended;
};

static void
on_line(void *arg, struct octets line, bool old)
{
	struct fixture *x = arg;
	char want[LINE];

	if (old) {
		x->old++;
		return;
	}
	snprintf(want, sizeof(want), "line %u", x->next);
	assert_int_equal(line.len, strlen(want));
	assert_memory_equal(line.data, want, line.len);
	x->next++;
	follow_position(x->follow, &x->stored);
	if (++x->seen == x->pause_at)
		follow_pause(x->follow);
}

static void
on_end(void *arg)
{
	struct fixture *x = arg;

	x->ended = true;
}

static void
start(struct fixture *x)
{
	const struct follow_handler handler = {
		.line = on_line, .end = on_end, .arg = x
	};

	x->follow = follow_new(x->base, &x->options, &x->stored, &handler);
	assert_non_null(x->follow);
}

static void
stop(struct fixture *x)
{
	follow_free(x->follow);
	x->follow = NULL;
}

static int
set_up(void **state)
{
	struct fixture *x = calloc(1, sizeof(*x));

	strcpy(x->directory, "/tmp/follow.XXXXXX");
	assert_non_null(mkdtemp(x->directory));
	snprintf(x->log, sizeof(x->log), "%s/mail.log", x->directory);
	x->base = event_base_new();
	x->options.path = x->log;
	x->options.poll_ms = 1;
	*state = x;
	return 0;
}

static int
tear_down(void **state)
{
	struct fixture *x = *state;
	char command[128];

	stop(x);
	event_base_free(x->base);
	snprintf(command, sizeof(command), "rm -r %s", x->directory);
	assert_int_equal(system(command), 0);
	free(x);
	return 0;
}

static void
turn(struct fixture *x)
{
	event_base_loop(x->base, EVLOOP_NONBLOCK);
	usleep(500);
}

/* Until the line before number has come. */
static void
expect(struct fixture *x, unsigned number)
{
	for (int i = 0; i < PATIENCE && x->next < number; i++)
		turn(x);
	assert_int_equal(x->next, number);
	for (int i = 0; i < 5; i++)
		turn(x);
	assert_int_equal(x->next, number);
}

static void
append(const char *path, const char *text)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void
append_lines(const char *path, unsigned from, unsigned to)
{
	FILE *file = fopen(path, "a");

	assert_non_null(file);
	for (unsigned i = from; i < to; i++)
		fprintf(file, "line %u\n", i);
	fclose(file);
}

static void
rotate(const struct fixture *x, const char *from, const char *to)
{
	char a[128], b[128];

	snprintf(a, sizeof(a), "%s%s", x->log, from);
	snprintf(b, sizeof(b), "%s%s", x->log, to);
	assert_int_equal(rename(a, b), 0);
}

/* As logrotate's copytruncate. */
static void
copy_and_truncate(const struct fixture *x, const char *to)
{
	char command[256];

	snprintf(command, sizeof(command), "cp %s %s%s", x->log, x->log, to);
	assert_int_equal(system(command), 0);
	assert_int_equal(truncate(x->log, 0), 0);
}

static void
lines_come_as_they_are_written(void **state)
{
	struct fixture *x = *state;

	start(x);
	for (int i = 0; i < 5; i++)
		turn(x);
	append_lines(x->log, 0, 3);
	expect(x, 3);
	append(x->log, "line");
	expect(x, 3);
	append(x->log, " 3\r\nline 4\n");
	expect(x, 5);
	assert_int_equal(follow_counters(x->follow)->lines, 5);
	assert_int_equal(follow_counters(x->follow)->cut, 0);
}

static void
a_renamed_file_is_read_to_its_end(void **state)
{
	struct fixture *x = *state;
	char old[128];

	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	snprintf(old, sizeof(old), "%s.1", x->log);
	rotate(x, "", ".1");
	append(x->log, "");
	for (int i = 0; i < 10; i++)
		turn(x);
	/* The writer has not reopened it yet. */
	append_lines(old, 10, 12);
	expect(x, 12);
	append_lines(x->log, 12, 15);
	expect(x, 15);
	assert_int_equal(follow_counters(x->follow)->files, 1);
	assert_int_equal(follow_counters(x->follow)->gaps, 0);
}

static void
a_truncated_file_is_read_from_its_copy_and_anew(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	x->pause_at = 5;
	start(x);
	for (int i = 0; i < 20; i++)
		turn(x);
	assert_int_equal(x->next, 5);
	copy_and_truncate(x, ".1");
	append_lines(x->log, 10, 12);
	follow_resume(x->follow);
	expect(x, 12);
	copy_and_truncate(x, ".1");
	/* Longer at once than it was. */
	append_lines(x->log, 12, 100);
	expect(x, 100);
	assert_int_equal(follow_counters(x->follow)->gaps, 0);
}

static void
what_was_rotated_meanwhile_is_read(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	x->pause_at = 4;
	start(x);
	for (int i = 0; i < 20; i++)
		turn(x);
	stop(x);
	x->pause_at = 0;
	rotate(x, "", ".1");
	append_lines(x->log, 10, 20);
	usleep(20000); /* rotated files are told apart by their times */
	rotate(x, ".1", ".2");
	rotate(x, "", ".1");
	append_lines(x->log, 20, 30);
	start(x);
	expect(x, 30);
	assert_int_equal(follow_counters(x->follow)->files, 2);
	assert_int_equal(follow_counters(x->follow)->gaps, 0);
}

/* As a keeper that was away for days does, and logrotate with compress. */
static void
what_was_rotated_twice_in_a_pause_is_read(void **state)
{
	struct fixture *x = *state;
	char oldest[128];

	append_lines(x->log, 0, 10);
	x->pause_at = 10;
	start(x);
	expect(x, 10);
	append_lines(x->log, 10, 20);
	rotate(x, "", ".1");
	usleep(20000);
	append_lines(x->log, 20, 30);
	rotate(x, ".1", ".2");
	rotate(x, "", ".1");
	append_lines(x->log, 30, 40);
	snprintf(oldest, sizeof(oldest), "%s.2", x->log);
	assert_int_equal(unlink(oldest), 0);
	follow_resume(x->follow);
	expect(x, 40);
	assert_int_equal(follow_counters(x->follow)->files, 2);
}

static void
a_file_that_is_gone_is_a_gap(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	stop(x);
	unlink(x->log);
	append_lines(x->log, 10, 20);
	start(x);
	expect(x, 20);
	assert_int_equal(follow_counters(x->follow)->gaps, 1);
}

/* What stands between it and the log is read all the same. */
static void
behind_a_gap_the_oldest_is_read(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	stop(x);
	unlink(x->log);
	append_lines(x->log, 10, 20);
	rotate(x, "", ".1");
	usleep(20000);
	append_lines(x->log, 20, 30);
	start(x);
	expect(x, 30);
	assert_int_equal(follow_counters(x->follow)->gaps, 1);
}

/* An operator empties the log. */
static void
cut_without_a_copy_nothing_older_comes_again(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	rotate(x, "", ".1");
	append_lines(x->log, 10, 20);
	expect(x, 20);
	assert_int_equal(truncate(x->log, 0), 0);
	append_lines(x->log, 20, 22);
	expect(x, 22);
}

/* The same inode number again, with other text in it. */
static void
another_file_is_not_taken_for_the_old(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	stop(x);
	assert_int_equal(truncate(x->log, 0), 0);
	append_lines(x->log, 10, 50);
	start(x);
	expect(x, 50);
	assert_int_equal(follow_counters(x->follow)->gaps, 1);
}

/* A half line at the old end is made whole there. */
static void
a_writer_that_notices_late_is_heard(void **state)
{
	struct fixture *x = *state;
	struct follow_record early;

	x->options.late_ms = 60000;
	append_lines(x->log, 0, 10);
	start(x);
	expect(x, 10);
	early = x->stored;
	append(x->log, "line ");
	rotate(x, "", ".1");
	append_lines(x->log, 10, 20);
	expect(x, 20);
	strcat(x->log, ".1");
	append(x->log, "20\nline 21\n");
	expect(x, 22);
	x->log[strlen(x->log) - 2] = '\0';
	assert_int_equal(x->stored.inode, early.inode);
	/* A restart begins there, so that nothing of either is lost. */
	stop(x);
	x->next = 10;
	start(x);
	expect(x, 20);
}

static void
old_lines_are_shown_again_as_old(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 100);
	start(x);
	expect(x, 100);
	stop(x);
	x->options.lookback = 60;
	append_lines(x->log, 100, 110);
	start(x);
	expect(x, 110);
	assert_in_range(x->old, 5, 7);
	stop(x);
	x->options.lookback = 1 << 20;
	x->old = 0;
	start(x);
	for (int i = 0; i < 5; i++)
		turn(x);
	assert_int_equal(x->old, 110);
	assert_int_equal(x->next, 110);
}

/* Rotated in one way or the other, now and then. */
static void
disturb(struct fixture *x, int round)
{
	char to[16];

	snprintf(to, sizeof(to), "-%04d", round);
	if (access(x->log, F_OK) != 0)
		return;
	if (rand() % 16 == 0)
		copy_and_truncate(x, to);
	else if (rand() % 16 == 0)
		rotate(x, "", to);
	if (rand() % 5 == 0) {
		stop(x);
		x->pause_at = 0;
		start(x);
	} else if (rand() % 5 == 0) {
		x->pause_at = x->seen + 1 + (unsigned)rand() % 9;
	} else {
		follow_resume(x->follow);
	}
}

static void
wherever_it_is_broken_off_nothing_is_lost_or_doubled(void **state)
{
	struct fixture *x = *state;
	unsigned written = 1;

	srand(7);
	append_lines(x->log, 0, written);
	start(x);
	expect(x, written);
	for (int round = 0; round < 500; round++) {
		unsigned more = (unsigned)(rand() % 40);

		append_lines(x->log, written, written + more);
		written += more;
		for (int i = rand() % 4; i > 0; i--)
			turn(x);
		disturb(x, round);
	}
	x->pause_at = 0;
	follow_resume(x->follow);
	append_lines(x->log, written, written + 1);
	expect(x, written + 1);
	assert_int_equal(follow_counters(x->follow)->gaps, 0);
}

static void
long_lines_and_what_follows_them(void **state)
{
	struct fixture *x = *state;
	char *megabyte = malloc((1 << 20) + 1);

	memset(megabyte, 'x', 1 << 20);
	megabyte[1 << 20] = '\0';
	append_lines(x->log, 0, 2);
	append(x->log, megabyte);
	start(x);
	expect(x, 2);
	stop(x);
	/* Its end is not taken for a line. */
	append(x->log, "\nline 2\n");
	megabyte[FOLLOW_LINE_MAX + 1] = '\0';
	append(x->log, megabyte);
	append(x->log, "\nline 3\n");
	start(x);
	expect(x, 4);
	assert_int_equal(follow_counters(x->follow)->too_long, 2);
	free(megabyte);
}

static void
standard_input_is_read_to_its_end(void **state)
{
	struct fixture *x = *state;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	x->options.path = NULL;
	x->options.fd = ends[0];
	start(x);
	assert_int_equal(write(ends[1], "line 0\nline 1\nli", 16), 16);
	expect(x, 2);
	x->pause_at = 3;
	assert_int_equal(write(ends[1], "ne 2\nline 3\nli", 14), 14);
	close(ends[1]);
	for (int i = 0; i < 3 && x->next < 3; i++)
		turn(x);
	assert_int_equal(x->next, 3);
	assert_false(x->ended);
	follow_resume(x->follow);
	for (int i = 0; i < PATIENCE && !x->ended; i++)
		turn(x);
	assert_true(x->ended);
	assert_int_equal(x->next, 4);
	assert_int_equal(follow_counters(x->follow)->cut, 1);
	close(ends[0]);
}

static void
a_file_as_standard_input_is_read_to_its_end(void **state)
{
	struct fixture *x = *state;

	append_lines(x->log, 0, 100000);
	x->options.fd = open(x->log, O_RDONLY | O_CLOEXEC);
	x->options.path = NULL;
	start(x);
	for (int i = 0; i < PATIENCE && !x->ended; i++)
		turn(x);
	assert_int_equal(x->next, 100000);
	close(x->options.fd);
}

static void
no_input_at_all_is_read_to_its_end(void **state)
{
	struct fixture *x = *state;

	x->options.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	x->options.path = NULL;
	start(x);
	for (int i = 0; i < PATIENCE && !x->ended; i++)
		turn(x);
	assert_true(x->ended);
	close(x->options.fd);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(lines_come_as_they_are_written),
		TEST(a_renamed_file_is_read_to_its_end),
		TEST(a_truncated_file_is_read_from_its_copy_and_anew),
		TEST(what_was_rotated_meanwhile_is_read),
		TEST(what_was_rotated_twice_in_a_pause_is_read),
		TEST(a_file_that_is_gone_is_a_gap),
		TEST(behind_a_gap_the_oldest_is_read),
		TEST(cut_without_a_copy_nothing_older_comes_again),
		TEST(another_file_is_not_taken_for_the_old),
		TEST(a_writer_that_notices_late_is_heard),
		TEST(old_lines_are_shown_again_as_old),
		TEST(wherever_it_is_broken_off_nothing_is_lost_or_doubled),
		TEST(long_lines_and_what_follows_them),
		TEST(standard_input_is_read_to_its_end),
		TEST(a_file_as_standard_input_is_read_to_its_end),
		TEST(no_input_at_all_is_read_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
