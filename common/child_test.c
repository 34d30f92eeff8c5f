/*
 * A child under a waybilld that is played by the test: what it is given, what
 * it answers, and what it does when waybilld is gone.
 */
#include "common/child.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/frame.h"
#include "common/messages.h"

static int running = 1;
static struct frame_packet packet;

static void
drain(uint64_t ms)
{
	running = 0;
	/* The exit status shows the time to the test. */
	_exit((int)ms);
}

static void
status(char *out, size_t size)
{
	snprintf(out, size, "sessions=3 mails=4");
}

static const char *
snapshot(int fd, int log)
{
	static int first = -1;
	size_t len = 0, log_len = 0;
	char *text = child_read_fd(fd, &len);
	char *log_text = child_read_fd(log, &log_len);
	int bad = text == NULL || strcmp(text, "new one") != 0 || len != 7 ||
	    log_text == NULL || strcmp(log_text, "new log") != 0;

	/* Nothing is left open from one to the next. */
	if (first == -1)
		first = fd;
	bad = bad || fd != first;
	free(text);
	free(log_text);
	close(fd);
	close(log);
	return bad ? "unreadable" : NULL;
}

static void
serve_as_child(void)
{
	static const struct child_orders orders = {
		.drain = drain, .status = status, .snapshot = snapshot
	};
	struct event_base *base;
	struct child_start start;
	size_t len = 0;
	char *text;

	child_begin(&start);
	if (start.generation != 7 || start.index != 2 || start.count != 3)
		_exit(90);
	if (child_take_fd(&start, "none") != -1)
		_exit(91);
	text = child_read_fd(child_take_fd(&start, "listen.b"), &len);
	if (text == NULL || strcmp(text, "second") != 0)
		_exit(92);
	text = child_read_fd(child_take_fd(&start, "snapshot"), &len);
	if (text == NULL || strcmp(text, "first") != 0)
		_exit(93);
	text = child_read_fd(child_take_fd(&start, "listen.b"), &len);
	if (text == NULL || strcmp(text, "third") != 0 || start.count != 0)
		_exit(94);
	base = event_base_new();
	child_serve(base, &orders, 42);
	while (running)
		event_base_loop(base, EVLOOP_ONCE);
}

static int
file_of(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	return fd;
}

static void
expect_exit(pid_t pid, int expected)
{
	int ended;

	assert_int_equal(waitpid(pid, &ended, 0), pid);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), expected);
}

static void
say(int fd, unsigned type, const struct wire_out *body, const int *fds,
    size_t count)
{
	struct frame_head head = { .type = type, .id = 5 };

	assert_int_equal(frame_send(fd, &head, body, fds, count), 0);
}

static pid_t
start_child(int *control)
{
	static const char *const names[] = { "snapshot", "listen.b",
		"listen.b" };
	struct wire_out body = { 0 };
	int pair[2];
	int fds[3] = { file_of("first"), file_of("second"), file_of("third") };
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	if ((pid = fork()) == 0) {
		int end = fcntl(pair[1], F_DUPFD, 64);

		close(pair[0]);
		if (dup2(end, CHILD_CONTROL_FD) == -1)
			_exit(99);
		close(end);
		if (pair[1] != CHILD_CONTROL_FD)
			close(pair[1]);
		serve_as_child();
		_exit(98);
	}
	close(pair[1]);
	*control = pair[0];
	wire_put_u32(&body, 7);
	wire_put_u32(&body, 2);
	wire_put_u16(&body, 3);
	for (int i = 0; i < 3; i++)
		wire_put_text(&body, names[i]);
	say(*control, MSG_CHILD_START, &body, fds, 3);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	wire_free(&body);
	assert_int_equal(frame_receive(*control, &packet), 1);
	assert_int_equal(packet.head.type, MSG_CHILD_READY);
	return pid;
}

static void
orders_are_answered(void **state)
{
	struct wire_out body = { 0 };
	char text[64];
	int control, fds[2];
	pid_t pid = start_child(&control);

	(void)state;
	say(control, MSG_CHILD_STATUS, NULL, NULL, 0);
	assert_int_equal(frame_receive(control, &packet), 1);
	assert_int_equal(packet.head.type, MSG_CHILD_STATUS_IS);
	assert_int_equal(packet.head.id, 5);
	wire_get_text(&packet.body, text, sizeof(text));
	assert_int_equal(wire_end(&packet.body), 0);
	assert_string_equal(text, "sessions=3 mails=4");

	wire_put_u16(&body, 2);
	wire_put_text(&body, "log");
	wire_put_text(&body, "snapshot");
	fds[0] = file_of("new log");
	fds[1] = file_of("new one");
	for (int i = 0; i < 2; i++) {
		say(control, MSG_CHILD_SNAPSHOT, &body, fds, 2);
		assert_int_equal(frame_receive(control, &packet), 1);
		assert_int_equal(packet.head.type, MSG_CHILD_SNAPSHOT_IS);
		assert_int_equal(wire_get_u8(&packet.body), 1);
	}
	close(fds[0]);
	close(fds[1]);

	say(control, MSG_CHILD_ACCEPT_CLOCK, NULL, NULL, 0);
	assert_int_equal(frame_receive(control, &packet), 1);
	assert_int_equal(packet.head.type, MSG_CHILD_ACCEPT_CLOCK_IS);
	assert_int_equal(wire_get_u8(&packet.body), 0);
	wire_get_text(&packet.body, text, sizeof(text));
	assert_int_equal(wire_end(&packet.body), 0);

	/* Nonsense is logged and left. */
	say(control, MSG_MINT, NULL, NULL, 0);
	wire_begin(&body);
	wire_put_u64(&body, 11);
	say(control, MSG_CHILD_DRAIN, &body, NULL, 0);
	expect_exit(pid, 11);
	wire_free(&body);
	close(control);
}

static void
orphans_and_terminated_ones_drain(void **state)
{
	int control;
	pid_t pid = start_child(&control);

	(void)state;
	close(control);
	expect_exit(pid, 42);
	pid = start_child(&control);
	kill(pid, SIGHUP);
	kill(pid, SIGINT);
	kill(pid, SIGTERM);
	expect_exit(pid, 42);
	close(control);
}

static void
nobody_starts_it_by_hand(void **state)
{
	struct child_start start;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(CHILD_CONTROL_FD);
		child_begin(&start);
		_exit(0);
	}
	expect_exit(pid, 2);
}

static void
packets_that_are_wrong_are_refused(void **state)
{
	struct frame_head head = { .type = MSG_CHILD_DRAIN };
	uint8_t raw[32] = { 0, 0, 0, 8, 0, MSG_CHILD_DRAIN };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (size_t len = 1; len < sizeof(raw); len++) {
		assert_int_equal(write(pair[0], raw, len), len);
		assert_int_equal(
		    frame_receive(pair[1], &packet), len == 24 ? 1 : -1);
	}
	assert_int_equal(frame_send(pair[0], &head, NULL, NULL, 0), 0);
	assert_int_equal(frame_receive(pair[1], &packet), 1);
	close(pair[0]);
	assert_int_equal(frame_receive(pair[1], &packet), 0);
	close(pair[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(orders_are_answered),
		cmocka_unit_test(orphans_and_terminated_ones_drain),
		cmocka_unit_test(nobody_starts_it_by_hand),
		cmocka_unit_test(packets_that_are_wrong_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
