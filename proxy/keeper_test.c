/*
 * Records on their way to the keeper: none is lost while it is away, however
 * many wait, and nobody waits for a keeper without end.
 */
#include "proxy/keeper.h"

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

#include "common/child.h"
#include "common/door.h"
#include "common/link.h"
#include "common/messages.h"
#include "conf/conf.h"

/* More than a link holds (CHANNEL_OUT_MAX), in long records. */
enum { RECORDS = 12, RECORD_OCTETS = 900 << 10, TURNS_MAX = 8000 };

static struct event_base *base;
static char directory[] = "/tmp/waybill-keeper-XXXXXX";
static struct conf conf;
static struct keeper keeper;

/* What the other side saw and says. */
static struct {
	unsigned askers;
	unsigned settles;
	unsigned again; /* of them, those that said so */
	unsigned next;	/* and those of sessions that go on */
	unsigned forgotten;
	uint8_t status;
	unsigned malformed; /* answers still to be so */
	struct door *door;
	int fd;
} there;

static struct {
	unsigned stored;
	unsigned given_up;
	unsigned unminted;
	bool goes_on; /* the session; and its next mint is taken: */
	bool takes;
} told;

static int
answer_settle(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct wire_out out = { 0 };

	body->next = body->end;
	there.settles++;
	wire_put_u8(&out, there.status);
	if (there.malformed > 0) {
		there.malformed--;
		wire_put_u8(&out, 0);
	}
	door_answer(asker->door, asker->number, id, MSG_SETTLED, &out);
	wire_free(&out);
	return 0;
}

static int
answer_settle_again(struct asker *asker, uint64_t id, struct wire_in *body)
{
	there.again++;
	return answer_settle(asker, id, body);
}

static int
answer_settle_next(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct minted next = { .status = KEEPER_OK };
	struct wire_out out = { 0 };

	body->next = body->end;
	there.next++;
	wire_put_u8(&out, KEEPER_OK);
	minted_put(&out, &next);
	door_answer(asker->door, asker->number, id, MSG_SETTLED, &out);
	wire_free(&out);
	return 0;
}

static int
answer_forget(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct ticket ticket;

	(void)asker;
	(void)id;
	ticket_get(body, &ticket);
	assert_string_equal(ticket.account, "alice");
	body->next = body->end;
	there.forgotten++;
	return 0;
}

static int
answer_mint(struct asker *asker, uint64_t id, struct wire_in *body)
{
	struct wire_out out = { 0 };

	body->next = body->end;
	there.malformed--;
	wire_put_u8(&out, 0);
	door_answer(asker->door, asker->number, id, MSG_MINTED, &out);
	wire_free(&out);
	return 0;
}

static void
opened(struct asker *asker)
{
	(void)asker;
	there.askers++;
}

static const struct door_rule rules[] = {
	{ MSG_SETTLE, answer_settle },
	{ MSG_SETTLE_NEXT, answer_settle_next },
	{ MSG_SETTLE_AGAIN, answer_settle_again },
	{ MSG_FORGET, answer_forget },
	{ MSG_MINT, answer_mint },
	{ 0, NULL },
};

static void
keeper_comes(void)
{
	const struct door_owner owner = {
		.name = "test", .rules = rules, .opened = opened
	};
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory,
	    DOOR_KEEPER_PROXY_PATH);
	there.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(
	    bind(there.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(there.fd, 8), 0);
	there.door = door_open(base, there.fd, getuid(), &owner);
	assert_non_null(there.door);
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	link_flush_all();
	door_flush_all();
	usleep(1000);
}

static void
turns_until(const unsigned *what, unsigned count)
{
	for (int i = 0; i < TURNS_MAX && *what < count; i++)
		turn();
	assert_true(*what >= count);
}

static void
turns_until_stored(void)
{
	for (int i = 0; i < TURNS_MAX && keeper.settle_count > 0; i++)
		turn();
	assert_int_equal(keeper.settle_count, 0);
}

static bool
on_settled(void *arg, uint64_t who, bool stored, const struct minted *next)
{
	(void)arg;
	assert_int_not_equal(who, 0);
	if (stored)
		told.stored++;
	else
		told.given_up++;
	return next->status == KEEPER_OK && told.takes;
}

static void
on_minted(void *arg, uint64_t who, const struct minted *minted)
{
	(void)arg;
	assert_int_equal(who, 7);
	assert_int_equal(minted->status, KEEPER_UNAVAILABLE);
	told.unminted++;
}

static const struct keeper_answers answers = { .settled = on_settled,
	.minted = on_minted };

static bool
settle(uint64_t who, size_t octets)
{
	uint8_t *text = calloc(1, octets + 1);
	struct mail_record record = { .ticket = { .account = "alice" },
		.subject = { text, octets } };
	bool taken;

	assert_non_null(text);
	taken = keeper_settle(&keeper, &record, who, told.goes_on);
	free(text);
	return taken;
}

static int
setup(void **state)
{
	(void)state;
	memset(&there, 0, sizeof(there));
	memset(&told, 0, sizeof(told));
	conf.run_dir = directory;
	conf.tracking.settle_timeout = 2000;
	conf.tracking.mint_timeout = 2000;
	keeper_open(&keeper, base, &conf, &answers, NULL);
	return 0;
}

static int
teardown(void **state)
{
	char path[128];

	(void)state;
	keeper_close(&keeper);
	link_flush_all();
	if (there.door != NULL) {
		door_free(there.door);
		door_flush_all();
		close(there.fd);
	}
	snprintf(
	    path, sizeof(path), "%s/%s", directory, DOOR_KEEPER_PROXY_PATH);
	unlink(path);
	return 0;
}

static void
records_of_a_long_absence_are_stored_in_one_go(void **state)
{
	(void)state;
	for (uint64_t who = 1; who <= RECORDS; who++)
		assert_true(settle(who, RECORD_OCTETS));
	turns_until(&told.given_up, RECORDS);
	keeper_comes();
	turns_until_stored();
	assert_int_equal(there.settles, RECORDS);
	assert_int_equal(there.askers, 1);
	assert_int_equal(told.given_up, RECORDS);
	assert_int_equal(told.stored, 0);
	assert_int_equal(keeper.settle_octets, 0);
}

static void
more_at_once_than_the_link_holds_costs_no_link(void **state)
{
	(void)state;
	keeper_comes();
	turns_until(&there.askers, 1);
	for (uint64_t who = 1; who <= RECORDS; who++)
		assert_true(settle(who, RECORD_OCTETS));
	turns_until_stored();
	assert_int_equal(there.askers, 1);
	assert_int_equal(there.settles, RECORDS);
	assert_int_equal(told.given_up + told.stored, RECORDS);
}

static void
what_could_not_be_stored_is_tried_again(void **state)
{
	(void)state;
	keeper_comes();
	there.status = KEEPER_UNAVAILABLE;
	assert_true(settle(1, 100));
	assert_true(settle(0, 100));
	turns_until(&told.given_up, 1);
	assert_int_equal(told.stored, 0);
	assert_int_equal(there.again, 0);
	there.status = KEEPER_OK;
	turns_until_stored();
	assert_int_equal(there.again, 2);
	assert_int_equal(told.given_up, 1);
	assert_int_equal(told.stored, 0);
}

static void
what_is_refused_is_not_tried_again(void **state)
{
	(void)state;
	keeper_comes();
	there.status = KEEPER_REFUSED;
	assert_true(settle(1, 100));
	turns_until(&told.given_up, 1);
	assert_int_equal(keeper.settle_count, 0);
	assert_false(settle(2, WIRE_BODY_MAX));
}

static void
a_malformed_answer_ends_the_link_and_is_none(void **state)
{
	const struct mint mint = { .untracked = 1 };

	(void)state;
	keeper_comes();
	there.malformed = 1;
	assert_true(settle(1, 100));
	turns_until(&told.given_up, 1);
	turns_until(&there.askers, 2);
	turns_until_stored();
	assert_int_equal(told.stored, 0);
	there.malformed = 1;
	assert_true(keeper_mint(&keeper, &mint, 7));
	turns_until(&told.unminted, 1);
	turns_until(&there.askers, 3);
	assert_int_equal(there.malformed, 0);
}

/* Whose session is gone, or ended while the answer came, sends no other. */
static void
a_next_mint_that_nobody_takes_is_forgotten(void **state)
{
	(void)state;
	keeper_comes();
	told.goes_on = told.takes = true;
	assert_true(settle(1, 100));
	turns_until(&told.stored, 1);
	told.takes = false;
	assert_true(settle(2, 100));
	turns_until(&there.forgotten, 1);
	assert_true(settle(0, 100));
	turns_until(&there.forgotten, 2);
	assert_int_equal(there.next, 3);
	assert_int_equal(there.settles, 0);
	assert_int_equal(keeper.settle_count, 0);
}

/* It is only stored late, when its session has long gone on. */
static void
a_record_that_comes_late_brings_no_mint(void **state)
{
	(void)state;
	told.goes_on = true;
	assert_true(settle(1, 100));
	turns_until(&told.given_up, 1);
	keeper_comes();
	turns_until_stored();
	assert_int_equal(there.next, 0);
	assert_int_equal(there.settles, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    records_of_a_long_absence_are_stored_in_one_go, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    more_at_once_than_the_link_holds_costs_no_link, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    what_could_not_be_stored_is_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_refused_is_not_tried_again, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_malformed_answer_ends_the_link_and_is_none, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_next_mint_that_nobody_takes_is_forgotten, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_record_that_comes_late_brings_no_mint, setup, teardown),
	};
	int failed;

	if (mkdtemp(directory) == NULL || (base = event_base_new()) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	event_base_free(base);
	rmdir(directory);
	return failed;
}
