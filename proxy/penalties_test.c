/*
 * Failed logins by address: the delays, that workers share them, and that one
 * address says nothing of another.
 */
#include "proxy/penalties.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"

enum { SLOTS = 64, SLOT_OCTETS = 16, MAX_MS = 15000 };

static int memory;

static int
make_memory(void **state)
{
	(void)state;
	memory = memfd_create("penalties", MFD_CLOEXEC);
	return memory == -1 ? -1
			    : ftruncate(memory, (off_t)SLOTS * SLOT_OCTETS);
}

static int
close_memory(void **state)
{
	(void)state;
	return close(memory);
}

static void
each_failure_doubles_the_delay(void **state)
{
	static const uint64_t delays[] = { 0, 0, 0, 500, 1000, 2000, 4000, 8000,
		15000, 15000, 15000 };
	struct penalties *p = penalties_open(memory);
	unsigned i;

	(void)state;
	assert_non_null(p);
	for (i = 0; i < sizeof(delays) / sizeof(delays[0]); i++) {
		assert_int_equal(penalties_delay(p, 7, MAX_MS), delays[i]);
		assert_int_equal(penalties_fail(p, 7), i + 1);
	}
	for (i = 0; i < 200; i++)
		penalties_fail(p, 7);
	assert_int_equal(penalties_delay(p, 7, MAX_MS), MAX_MS);
	assert_int_equal(penalties_delay(p, 7, 0), 0);
	assert_int_equal(penalties_delay(p, 7, 100), 100);
	penalties_close(p);
}

static void
another_address_does_not_wait(void **state)
{
	struct penalties *p = penalties_open(memory);
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++)
		penalties_fail(p, 7);
	assert_int_equal(penalties_delay(p, 8, MAX_MS), 0);
	/* It would stand in the same slot. */
	assert_int_equal(penalties_delay(p, 7 + SLOTS, MAX_MS), 0);
	assert_int_equal(penalties_fail(p, 7 + SLOTS), 1);
	assert_int_equal(penalties_delay(p, 7, MAX_MS), MAX_MS);
	penalties_close(p);
}

static void
workers_count_together(void **state)
{
	struct penalties *one = penalties_open(memory);
	struct penalties *other = penalties_open(memory);
	unsigned i;

	(void)state;
	for (i = 1; i <= 6; i += 2) {
		assert_int_equal(penalties_fail(one, 9), i);
		assert_int_equal(penalties_fail(other, 9), i + 1);
	}
	assert_int_equal(
	    penalties_delay(one, 9, MAX_MS), penalties_delay(other, 9, MAX_MS));
	assert_true(penalties_delay(one, 9, MAX_MS) > 0);
	penalties_close(one);
	penalties_close(other);
}

/* A turn's time is that of its start; other workers' clocks go on. */
static void
a_failure_ahead_of_the_turn_is_no_amnesty(void **state)
{
	struct penalties *p = penalties_open(memory);
	struct penalties *other;
	pid_t pid;
	unsigned i;

	(void)state;
	for (i = 0; i < 8; i++)
		penalties_fail(p, 9);
	clock_new_turn();
	clock_ms();
	usleep(1100 * 1000);
	if ((pid = fork()) == 0) {
		clock_new_turn();
		other = penalties_open(memory);
		penalties_fail(other, 9);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(penalties_delay(p, 9, MAX_MS), MAX_MS);
	assert_int_equal(penalties_fail(p, 9), 10);
	penalties_close(p);
}

/* More addresses than slots: who failed most is kept. */
static void
a_crowd_does_not_wash_out_the_worst(void **state)
{
	struct penalties *p = penalties_open(memory);
	uint64_t key;
	unsigned i;

	(void)state;
	for (i = 0; i < 10; i++)
		penalties_fail(p, 1000);
	for (key = 1001; key < 3000; key++)
		penalties_fail(p, key);
	assert_int_equal(penalties_delay(p, 1000, MAX_MS), MAX_MS);
	penalties_close(p);
}

static void
memory_that_is_none_is_refused(void **state)
{
	(void)state;
	assert_int_equal(ftruncate(memory, SLOT_OCTETS), 0);
	assert_null(penalties_open(memory));
	assert_int_equal(errno, EINVAL);
	assert_null(penalties_open(-1));
	assert_int_equal(errno, EBADF);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, make_memory, close_memory)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_failure_doubles_the_delay),
		CASE(another_address_does_not_wait),
		CASE(workers_count_together),
		CASE(a_failure_ahead_of_the_turn_is_no_amnesty),
		CASE(a_crowd_does_not_wash_out_the_worst),
		CASE(memory_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
