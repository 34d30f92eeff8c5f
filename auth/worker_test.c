/*
 * Auth processes at one listening socket: exchanges over links, what may not
 * be asked, and that neither silent clients nor a slow backend keep the next
 * user out.
 */
#include "auth/worker.h"

#include "auth/test_fixture.h"

#include <fcntl.h>

#include <event2/event.h>

#include "common/clock.h"
#include "common/door.h"
#include "common/link.h"
#include "common/messages.h"

enum { WORKERS = 2, GENERATION = 7 };

static struct event_base *base;
static char path[96];
static pid_t workers[WORKERS];
static int listener;

/* What the proxy's side heard, by the number of the exchange. */
static struct heard {
	unsigned type;
	unsigned count;
	struct auth_verdict verdict;
	char text[2048];
	size_t len;
} heard[512];

static void
serve(void)
{
	struct event_base *own = event_base_new();
	struct exchange_site site = { .setup = sasl_setup_new(&fixture_conf),
		.ticket_key = fixture_key,
		.ticket_life = 60,
		.generation = GENERATION };
	struct worker_limits limits = { .idle_ms = 400, .step_s = 3 };
	struct worker *worker =
	    worker_new(own, listener, getuid(), &site, &limits);

	for (;;) {
		event_base_loop(own,
		    EVLOOP_ONCE |
			(worker_is_busy(worker) ? EVLOOP_NONBLOCK : 0));
		worker_end_turn(worker);
	}
}

static void
start_workers(void)
{
	for (int i = 0; i < WORKERS; i++)
		if ((workers[i] = fork()) == 0)
			serve();
}

static void
stop_workers(void)
{
	for (int i = 0; i < WORKERS; i++)
		fixture_stop(workers[i]);
}

static void
answered(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct heard *it = &heard[who];
	struct octets text;

	(void)arg;
	it->type = type;
	it->count++;
	if (type == MSG_AUTH_VERDICT) {
		auth_verdict_get(body, &it->verdict);
		assert_int_equal(wire_end(body), 0);
	} else if (type != 0) {
		if (type == MSG_AUTH_MECHANISMS_ARE)
			assert_int_equal(wire_get_u32(body), GENERATION);
		text = wire_get_octets(body, sizeof(it->text) - 1);
		assert_int_equal(wire_end(body), 0);
		memcpy(it->text, text.data, text.len);
		it->text[text.len] = '\0';
		it->len = text.len;
	}
}

static void
wait_for(size_t who, unsigned count)
{
	uint64_t end = clock_ms() + 8000;

	while (heard[who].count < count && clock_ms() < end) {
		event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		link_flush_all();
		usleep(500);
	}
	assert_int_equal(heard[who].count, count);
}

static void
ask(struct link *link, unsigned type, const struct wire_out *body, size_t who)
{
	assert_true(link_ask(link, type, body, 10000, answered, who) > 0);
	link_flush_all();
}

/* The question leaves with the next one. */
static struct link *
begin_unsent(size_t who, const char *mechanism, const char *user)
{
	struct auth_begin value = { .session = who, .tls = 1 };
	struct link *link = link_new_once(base, path, NULL);
	struct wire_out body = { 0 };
	char initial[128];

	assert_non_null(link);
	memset(&heard[who], 0, sizeof(heard[who]));
	snprintf(value.mechanism, sizeof(value.mechanism), "%s", mechanism);
	if (user != NULL) {
		value.has_initial = 1;
		value.initial = (struct octets){ (const uint8_t *)initial,
			(size_t)snprintf(initial, sizeof(initial),
			    "%c%s%cwonder land", 0, user, 0) };
	}
	auth_begin_put(&body, &value);
	assert_true(
	    link_ask(link, MSG_AUTH_BEGIN, &body, 10000, answered, who) > 0);
	wire_free(&body);
	return link;
}

static struct link *
begin(size_t who, const char *mechanism, const char *user)
{
	struct link *link = begin_unsent(who, mechanism, user);

	link_flush_all();
	return link;
}

static void
respond(struct link *link, const char *text, size_t who)
{
	struct wire_out body = { 0 };

	wire_put_text(&body, text);
	ask(link, MSG_AUTH_STEP, &body, who);
	wire_free(&body);
}

static void
exchanges_pass_over_the_door(void **state)
{
	struct wire_out body = { 0 };
	struct link *link;

	(void)state;
	link = begin(1, "LOGIN", NULL);
	wait_for(1, 1);
	assert_int_equal(heard[1].type, MSG_AUTH_CHALLENGE);
	assert_string_equal(heard[1].text, "Username:");
	respond(link, "alice", 1);
	wait_for(1, 2);
	assert_string_equal(heard[1].text, "Password:");
	respond(link, "wonder land", 1);
	wait_for(1, 3);
	assert_int_equal(heard[1].type, MSG_AUTH_VERDICT);
	assert_int_equal(heard[1].verdict.result, AUTH_OK);
	assert_string_equal(heard[1].verdict.ticket.account, "alice");
	assert_int_equal(heard[1].verdict.ticket.session, 1);
	/* One exchange a connection: then it is closed. */
	respond(link, "again", 1);
	wait_for(1, 4);
	assert_int_equal(heard[1].type, 0);
	link_free(link);

	link = begin(2, "PLAIN", "mallory");
	wait_for(2, 1);
	assert_int_equal(heard[2].verdict.result, AUTH_BAD_CREDENTIALS);
	link_free(link);

	memset(&heard[3], 0, sizeof(heard[3]));
	link = link_new_once(base, path, NULL);
	wire_put_u8(&body, 1);
	ask(link, MSG_AUTH_MECHANISMS, &body, 3);
	wait_for(3, 1);
	assert_string_equal(
	    heard[3].text, "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256");
	wire_free(&body);
	link_free(link);
}

static void
what_a_proxy_may_not_ask_ends_the_channel(void **state)
{
	static const struct {
		unsigned type;
		size_t len;
	} cases[] = {
		{ MSG_MINT, 8 },
		{ MSG_CHILD_DRAIN, 8 },
		{ MSG_AUTH_STEP, 4 }, /* before any AUTH_BEGIN */
		{ MSG_AUTH_VERDICT, 0 },
		{ MSG_AUTH_BEGIN, 3 },
		{ MSG_AUTH_MECHANISMS, 0 },
	};
	struct wire_out body = { 0 };
	struct link *link;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&heard[4], 0, sizeof(heard[4]));
		link = link_new_once(base, path, NULL);
		wire_begin(&body);
		wire_put_raw(&body, "\0\0\0\0\0\0\0\0", cases[i].len);
		ask(link, cases[i].type, &body, 4);
		wait_for(4, 1);
		assert_int_equal(heard[4].type, 0);
		link_free(link);
	}
	/* Two steps in one write: the second comes before an answer. */
	link = begin_unsent(5, "LOGIN", NULL);
	respond(link, "alice", 5);
	wait_for(5, 2);
	assert_int_equal(heard[5].type, 0);
	link_free(link);
	wire_free(&body);
}

static void
silent_clients_keep_nobody_out(void **state)
{
	struct link *silent[200], *mute[50], *link;
	uint64_t before;

	(void)state;
	for (size_t i = 0; i < 50; i++)
		mute[i] = link_new_once(base, path, NULL);
	for (size_t i = 0; i < 200; i++)
		silent[i] = begin(100 + i, "LOGIN", NULL);
	before = clock_ms();
	link = begin(6, "PLAIN", "alice");
	wait_for(6, 1);
	assert_int_equal(heard[6].verdict.result, AUTH_OK);
	/* Each that says nothing at all may hold the door for 50 ms. */
	assert_true(clock_ms() - before < 3000);
	link_free(link);
	/* They are in, and end after their time. */
	for (size_t i = 0; i < 200; i++)
		wait_for(100 + i, 1);
	respond(silent[199], "alice", 299);
	usleep(600000);
	wait_for(299, 2);
	respond(silent[199], "late", 299);
	wait_for(299, 3);
	assert_int_equal(heard[299].type, 0);
	for (size_t i = 0; i < 200; i++)
		link_free(silent[i]);
	for (size_t i = 0; i < 50; i++)
		link_free(mute[i]);
	link_flush_all();
}

static void
a_slow_backend_keeps_nobody_out(void **state)
{
	struct link *slow, *link;
	uint64_t before;

	(void)state;
	slow = begin(7, "PLAIN", "slow");
	usleep(50000);
	before = clock_ms();
	for (size_t i = 0; i < 20; i++) {
		link = begin(8, "PLAIN", "alice");
		wait_for(8, 1);
		assert_int_equal(heard[8].verdict.result, AUTH_OK);
		link_free(link);
	}
	assert_true(clock_ms() - before < 900);
	assert_int_equal(heard[7].count, 0);
	wait_for(7, 1);
	assert_int_equal(heard[7].verdict.result, AUTH_OK);
	link_free(slow);
}

static void
a_step_without_end_ends_the_process(void **state)
{
	struct link *link = begin(9, "PLAIN", "stuck");
	uint64_t before = clock_ms();
	int status;
	pid_t pid;

	(void)state;
	wait_for(9, 1);
	assert_int_equal(heard[9].type, 0);
	assert_true(clock_ms() - before < 5000);
	pid = waitpid(-1, &status, 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGALRM);
	for (int i = 0; i < WORKERS; i++)
		if (workers[i] == pid && (workers[i] = fork()) == 0)
			serve();
	link_free(link);
}

static int
listen_at(const char *where)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == -1 ||
	    listen(fd, 1024) == -1)
		return -1;
	return fd;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exchanges_pass_over_the_door),
		cmocka_unit_test(what_a_proxy_may_not_ask_ends_the_channel),
		cmocka_unit_test(silent_clients_keep_nobody_out),
		cmocka_unit_test(a_slow_backend_keeps_nobody_out),
		cmocka_unit_test(a_step_without_end_ends_the_process),
	};
	pid_t saslauthd;
	int failed;

	fixture_make_dir();
	snprintf(path, sizeof(path), "%s/auth", fixture_dir);
	saslauthd = fixture_use_saslauthd();
	if ((listener = listen_at(path)) == -1)
		return 1;
	start_workers();
	base = event_base_new();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	stop_workers();
	fixture_stop(saslauthd);
	link_flush_all();
	event_base_free(base);
	unlink(path);
	fixture_remove();
	return failed;
}
