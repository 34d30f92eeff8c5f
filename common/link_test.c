/*
 * Links and doors against each other over real Unix sockets, in one event
 * base: who may ask what, how frames arrive, and what becomes of questions
 * when time runs out or a side goes away.
 */
#include "common/link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/channel.h"
#include "common/door.h"
#include "common/messages.h"

static struct event_base *base;
static char directory[] = "/tmp/waybill-link-XXXXXX";
static char path[64];

static struct {
	unsigned count;
	unsigned closed;
	uint64_t asker;
	uint64_t ids[4096];
	uint64_t state;
	struct door *door;
} seen;

static struct {
	unsigned count;
	unsigned failed;
	uint64_t who;
	unsigned type;
	uint64_t number;
	size_t len;
	unsigned ups;
	struct link *to_free;
} heard;

static void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	link_flush_all();
	door_flush_all();
}

static void
turns_until(const unsigned *what, unsigned count)
{
	for (int i = 0; i < 5000 && *what < count; i++) {
		turn();
		if (*what < count)
			usleep(1000);
	}
	assert_int_equal(*what, count);
}

static int
listen_at(const char *where)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	unlink(where);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 128), 0);
	return fd;
}

static int
connect_raw(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(
	    connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return fd;
}

/* Answers a MINT with its own number; the twin of what ask() asks. */
static int
answer_mint(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct wire_out out = { 0 };
	uint64_t number = wire_get_u64(body);

	wire_get_octets(body, 1024);
	if (wire_end(body) == -1)
		return -1;
	seen.ids[seen.count++ % 4096] = id;
	seen.asker = asker->number;
	asker->state = &seen.state;
	wire_put_u64(&out, number);
	door_answer(asker->door, asker->number, id, MSG_MINTED, &out);
	wire_free(&out);
	return 0;
}

/* Settles are remembered and answered by the test, or never. */
static int
answer_settle(struct asker *asker, uint64_t id, struct wire_in *body)
{
	wire_get_octets(body, WIRE_BODY_MAX);
	seen.ids[seen.count++ % 4096] = id;
	seen.asker = asker->number;
	return 0;
}

/* A handler that leaves its body unread must not pass. */
static int
answer_careless(struct asker *asker, uint64_t id, struct wire_in *body)
{
	(void)asker;
	(void)id;
	(void)body;
	seen.count++;
	return 0;
}

static int
answer_then_close(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct wire_out out = { 0 };

	wire_get_u64(body);
	wire_put_u8(&out, 0);
	door_answer(asker->door, asker->number, id, MSG_SETTLED, &out);
	door_close_asker(asker->door, asker->number);
	wire_free(&out);
	return 0;
}

static void
closed(struct asker *asker)
{
	(void)asker;
	seen.closed++;
}

static const struct door_rule rules[] = {
	{ MSG_MINT, answer_mint },
	{ MSG_SETTLE, answer_settle },
	{ MSG_SHOW, answer_careless },
	{ MSG_TOKEN, answer_then_close },
	{ 0, NULL },
};

static struct door *
open_door(int fd)
{
	const struct door_owner owner = {
		.name = "test", .rules = rules, .arg = &seen, .closed = closed
	};

	seen.door = door_open(base, fd, getuid(), &owner);
	assert_non_null(seen.door);
	return seen.door;
}

static void
answered(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	assert_ptr_equal(arg, &heard);
	heard.count++;
	heard.who = who;
	heard.type = type;
	if (type == 0)
		heard.failed++;
	heard.len = (size_t)(body->end - body->next);
	if (type == MSG_MINTED) {
		heard.number = wire_get_u64(body);
		assert_int_equal(wire_end(body), 0);
		assert_int_equal(heard.number, who);
	}
	if (heard.to_free != NULL) {
		link_free(heard.to_free);
		heard.to_free = NULL;
	}
}

static void
came_up(void *arg)
{
	(void)arg;
	heard.ups++;
}

static uint64_t
ask(struct link *link, unsigned type, uint64_t who, unsigned timeout_ms)
{
	struct wire_out body = { 0 };
	uint64_t question;

	wire_put_u64(&body, who);
	if (type == MSG_MINT)
		wire_put_octets(&body, "0123456789", who % 11);
	question = link_ask(link, type, &body, timeout_ms, answered, who);
	wire_free(&body);
	return question;
}

static int
setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	memset(&heard, 0, sizeof(heard));
	return 0;
}

static void
many_questions_of_a_turn_leave_in_one_write(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new(base, path, &heard);
	unsigned before;

	(void)state;
	link_on_up(link, came_up);
	for (uint64_t i = 1; i <= 1000; i++)
		assert_true(ask(link, MSG_MINT, i, 2000) > 0);
	assert_int_equal(heard.count, 0);
	turns_until(&heard.count, 1000);
	assert_int_equal(heard.failed, 0);
	assert_int_equal(heard.who, 1000);
	assert_int_equal(heard.ups, 1);
	assert_int_equal(door_asker_count(door), 1);

	/* One turn to the door, one back: whatever there was, at once. */
	before = seen.count;
	for (uint64_t i = 1; i <= 1000; i++)
		assert_true(ask(link, MSG_MINT, i, 2000) > 0);
	link_flush_all();
	turn();
	assert_int_equal(seen.count - before, 1000);
	turn();
	assert_int_equal(heard.count, 2000);
	link_free(link);
	turns_until(&seen.closed, 1);
	door_free(door);
	turn();
	close(fd);
}

static void
put_frame(uint8_t *out, uint32_t len, unsigned type, uint64_t id)
{
	struct frame_head head = { len, type, id };

	frame_head_put(out, &head);
}

static void
what_is_not_in_the_table_ends_the_channel(void **state)
{
	static const struct {
		const char *what;
		unsigned type;
		uint32_t len;
		uint8_t zero;
		unsigned questions;
	} cases[] = {
		{ "unknown type", 59, 0, 0, 0 },
		{ "type 0", 0, 0, 0, 0 },
		{ "an answer's type", MSG_MINTED, 0, 0, 0 },
		{ "not in this door's table", MSG_OPERATOR_STOP, 0, 0, 0 },
		{ "body over its bound", MSG_MINT, 1025, 0, 0 },
		{ "huge body", MSG_MINT, 0xffffffff, 0, 0 },
		{ "zero that is not", MSG_MINT, 8, 1, 0 },
		{ "short body", MSG_MINT, 4, 0, 0 },
		{ "left-over body", MSG_MINT, 13, 0, 0 },
		{ "careless handler", MSG_SHOW, 4, 0, 1 },
	};
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	uint8_t frame[64];
	int peer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		setup(NULL);
		seen.door = door;
		peer = connect_raw();
		memset(frame, 0, sizeof(frame));
		put_frame(frame, cases[i].len, cases[i].type, 1);
		frame[7] = cases[i].zero;
		/* A good question behind it is not answered any more. */
		put_frame(frame + 16 + (cases[i].len < 16 ? cases[i].len : 0),
		    12, MSG_MINT, 2);
		assert_int_equal(write(peer, frame, sizeof(frame)), 64);
		turns_until(&seen.closed, 1);
		assert_int_equal(seen.count, cases[i].questions);
		assert_int_equal(read(peer, frame, sizeof(frame)), 0);
		close(peer);
	}
	assert_int_equal(door_asker_count(door), 0);
	door_free(door);
	turn();
	close(fd);
}

static void
frames_arrive_octet_by_octet(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	uint8_t frames[2 * 28];
	uint8_t answer[2 * 24];
	int peer = connect_raw();
	size_t got = 0;

	(void)state;
	memset(frames, 0, sizeof(frames));
	put_frame(frames, 12, MSG_MINT, 7);
	frames[16 + 7] = 7;
	put_frame(frames + 28, 12, MSG_MINT, 8);
	frames[28 + 16 + 7] = 8;
	for (size_t i = 0; i < sizeof(frames); i++) {
		assert_int_equal(write(peer, frames + i, 1), 1);
		turn();
		turn();
	}
	turns_until(&seen.count, 2);
	turn();
	while (got < sizeof(answer)) {
		ssize_t n = read(peer, answer + got, sizeof(answer) - got);

		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_int_equal(answer[16 + 7], 7);
	assert_int_equal(answer[24 + 15], 8);
	close(peer);
	turns_until(&seen.closed, 1);
	door_free(door);
	turn();
	close(fd);
}

static void
bodies_of_a_megabyte_pass_both_ways(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new_once(base, path, &heard);
	struct wire_out body = { 0 };
	uint8_t *data = calloc(1, 1048576);

	(void)state;
	wire_put_octets(&body, data, 1048572);
	for (int i = 0; i < 3; i++)
		assert_true(
		    link_ask(link, MSG_SETTLE, &body, 5000, answered, 9) > 0);
	turns_until(&seen.count, 3);
	wire_begin(&body);
	wire_put_raw(&body, data, 1048576);
	for (int i = 0; i < 3; i++)
		door_answer(door, seen.asker, seen.ids[i], MSG_LISTED, &body);
	turns_until(&heard.count, 3);
	assert_int_equal(heard.failed, 0);
	assert_int_equal(heard.len, 1048576);
	wire_begin(&body);
	wire_put_raw(&body, data, 1048576);
	wire_put_u8(&body, 1);
	assert_true(body.failed);
	assert_int_equal(link_ask(link, MSG_SETTLE, &body, 5, answered, 1), 0);
	wire_free(&body);
	free(data);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
a_late_answer_finds_nobody(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new(base, path, &heard);
	struct wire_out body = { 0 };

	(void)state;
	wire_put_octets(&body, "x", 1);
	assert_true(link_ask(link, MSG_SETTLE, &body, 30, answered, 5) > 0);
	wire_free(&body);
	turns_until(&seen.count, 1);
	turns_until(&heard.failed, 1);
	assert_int_equal(heard.who, 5);
	wire_put_u8(&body, 0);
	door_answer(door, seen.asker, seen.ids[0], MSG_SETTLED, &body);
	door_answer(door, seen.asker + 99, seen.ids[0], MSG_SETTLED, &body);
	assert_true(ask(link, MSG_MINT, 7, 1000) > 0);
	turns_until(&heard.count, 2);
	assert_int_equal(heard.who, 7);
	wire_free(&body);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
questions_wait_while_the_link_is_down(void **state)
{
	struct link *link;
	struct door *door;
	int fd;

	(void)state;
	unlink(path);
	link = link_new(base, path, &heard);
	assert_true(ask(link, MSG_MINT, 1, 3000) > 0);
	assert_true(ask(link, MSG_MINT, 2, 20) > 0);
	turns_until(&heard.failed, 1);
	assert_int_equal(heard.who, 2);
	assert_false(link_is_up(link));
	fd = listen_at(path);
	door = open_door(fd);
	turns_until(&heard.count, 2);
	assert_int_equal(heard.who, 1);
	assert_int_equal(heard.failed, 1);
	assert_int_equal(seen.count, 1);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
what_was_sent_before_a_break_is_told_so(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new(base, path, &heard);
	struct wire_out body = { 0 };

	(void)state;
	link_on_up(link, came_up);
	wire_put_octets(&body, "x", 1);
	assert_true(link_ask(link, MSG_SETTLE, &body, 5000, answered, 1) > 0);
	turns_until(&seen.count, 1);
	/* Not sent yet when the door's side goes: asked again. */
	assert_true(ask(link, MSG_MINT, 2, 5000) > 0);
	door_free(door);
	door_flush_all();
	turn();
	door = open_door(fd);
	turns_until(&heard.count, 2);
	assert_int_equal(heard.failed, 1);
	assert_int_equal(heard.who, 2);
	assert_int_equal(heard.ups, 2);
	wire_free(&body);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
an_exchange_ends_with_its_connection(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new_once(base, path, &heard);

	(void)state;
	assert_true(link_is_up(link));
	assert_true(ask(link, MSG_TOKEN, 1, 5000) > 0);
	assert_true(ask(link, MSG_TOKEN, 2, 5000) > 0);
	turns_until(&heard.count, 2);
	assert_int_equal(heard.failed, 1);
	assert_int_equal(seen.closed, 1);
	assert_false(link_is_up(link));
	assert_true(ask(link, MSG_TOKEN, 3, 5000) > 0);
	turns_until(&heard.failed, 2);
	link_free(link);

	unlink(path);
	link = link_new_once(base, path, &heard);
	assert_true(ask(link, MSG_TOKEN, 4, 5000) > 0);
	turns_until(&heard.failed, 3);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
a_link_may_be_freed_by_its_own_answer(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link = link_new_once(base, path, &heard);

	(void)state;
	for (uint64_t i = 1; i <= 10; i++)
		assert_true(ask(link, MSG_MINT, i, 5000) > 0);
	heard.to_free = link;
	turns_until(&heard.count, 1);
	turns_until(&seen.closed, 1);
	assert_int_equal(heard.count, 1);
	door_free(door);
	turn();
	close(fd);
}

static void
an_asker_that_does_not_read_is_cut_off(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct wire_out body = { 0 };
	uint8_t frame[32] = { 0 };
	int peer = connect_raw();

	(void)state;
	put_frame(frame, 4, MSG_SETTLE, 1);
	assert_int_equal(write(peer, frame, 20), 20);
	turns_until(&seen.count, 1);
	for (size_t i = 0; i < 1 << 17; i++)
		wire_put_u64(&body, i);
	for (int i = 0; i < 12; i++) {
		door_answer(door, seen.asker, 1, MSG_LISTED, &body);
		turn();
	}
	turns_until(&seen.closed, 1);
	wire_free(&body);
	close(peer);
	door_free(door);
	turn();
	close(fd);
}

static void
a_paused_door_lets_nobody_in(void **state)
{
	int fd = listen_at(path);
	struct door *door = open_door(fd);
	struct link *link;

	(void)state;
	door_pause(door, 1);
	link = link_new_once(base, path, &heard);
	assert_true(ask(link, MSG_MINT, 1, 5000) > 0);
	for (int i = 0; i < 10; i++)
		turn();
	assert_int_equal(door_asker_count(door), 0);
	door_pause(door, 0);
	turns_until(&heard.count, 1);
	assert_int_equal(heard.failed, 0);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

static void
a_full_door_lets_others_wait(void **state)
{
	struct door_owner owner = {
		.name = "test", .rules = rules, .askers_max = 2
	};
	int fd = listen_at(path), clients[4];
	struct door *door = door_open(base, fd, getuid(), &owner);

	(void)state;
	for (int i = 0; i < 4; i++)
		clients[i] = connect_raw();
	for (int i = 0; i < 4; i++) {
		for (int n = 0; n < 5; n++)
			turn();
		assert_int_equal(door_asker_count(door), i < 3 ? 2 : 1);
		door_pause(door, 1);
		door_pause(door, 0);
		turn();
		assert_int_equal(door_asker_count(door), i < 3 ? 2 : 1);
		close(clients[i]);
	}
	door_free(door);
	turn();
	close(fd);
}

static void
strangers_are_not_let_in(void **state)
{
	const struct door_owner owner = { .name = "test", .rules = rules };
	int fd = listen_at(path);
	struct door *door = door_open(base, fd, 12345, &owner);
	struct link *link = link_new_once(base, path, &heard);
	unsigned expected = getuid() == 0 ? 0 : 1;

	(void)state;
	assert_true(ask(link, MSG_MINT, 1, 5000) > 0);
	turns_until(&heard.count, 1);
	/* Root is let in everywhere. */
	assert_int_equal(heard.failed, expected);
	link_free(link);
	door_free(door);
	turn();
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    many_questions_of_a_turn_leave_in_one_write, setup),
		cmocka_unit_test_setup(
		    what_is_not_in_the_table_ends_the_channel, setup),
		cmocka_unit_test_setup(frames_arrive_octet_by_octet, setup),
		cmocka_unit_test_setup(
		    bodies_of_a_megabyte_pass_both_ways, setup),
		cmocka_unit_test_setup(a_late_answer_finds_nobody, setup),
		cmocka_unit_test_setup(
		    questions_wait_while_the_link_is_down, setup),
		cmocka_unit_test_setup(
		    what_was_sent_before_a_break_is_told_so, setup),
		cmocka_unit_test_setup(
		    an_exchange_ends_with_its_connection, setup),
		cmocka_unit_test_setup(
		    a_link_may_be_freed_by_its_own_answer, setup),
		cmocka_unit_test_setup(
		    an_asker_that_does_not_read_is_cut_off, setup),
		cmocka_unit_test_setup(a_paused_door_lets_nobody_in, setup),
		cmocka_unit_test_setup(a_full_door_lets_others_wait, setup),
		cmocka_unit_test_setup(strangers_are_not_let_in, setup),
	};
	int failed;

	if (mkdtemp(directory) == NULL)
		return 1;
	snprintf(path, sizeof(path), "%s/door", directory);
	base = event_base_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	unlink(path);
	rmdir(directory);
	return failed;
}
