/*
 * Who is started again, who is not, and who is killed: over children that do
 * nothing but sleep.
 */
#include "daemon/supervisor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/door.h"
#include "common/frame.h"
#include "common/link.h"
#include "common/messages.h"
#include "common/tls_testing.h"
#include "common/turn.h"
#include "conf/conf.h"
#include "daemon/operator.h"
#include "daemon/reload.h"
#include "daemon/run_dir.h"

static char directory[] = "/tmp/supervisor-test-XXXXXX";
static char file[100];
static struct supervisor s;
static struct frame_packet packet;

static void
write_file(const char *name, const char *text, mode_t mode)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

enum { PROGRAMS = 5 };

static const char *const names[] = { "waybill-keeper", "waybill-auth",
	"waybill-proxy", "waybill-track", "waybill-feed", "cert.pem", "key.pem",
	"more.conf", "waybill.conf" };

static const char sleeps[] = "#!/bin/sh\nexec sleep 60\n";
static const char track_and_log[] =
    "track { address = \"127.0.0.1\" port = 0 }\n"
    "msa \"m\" { log { file = \"/nonexistent/log\"\n"
    "	state = \"/nonexistent/state\" } }\n";

/* Tracker and feed stand in it if more says so; it ends with section msa. */
static void
write_conf(const char *name, const char *more)
{
	char text[1500];

	snprintf(text, sizeof(text),
	    "hostname = \"a.example\"\nworkers = 1\n"
	    "user_proxy = \"root\"\nuser_auth = \"root\"\n"
	    "user_keeper = \"root\"\nuser_feed = \"root\"\n"
	    "user_track = \"root\"\nauth { workers = 1 }\n"
	    "listen \"a\" { address = \"127.0.0.1\" port = 0 }\n"
	    "tls { certificate = \"%s/cert.pem\" key = \"%s/key.pem\" }\n%s",
	    directory, directory, more);
	write_file(name, text, 0600);
}

static int
make_directory(void **state)
{
	struct tls_testing_pair pair;

	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	setenv("WAYBILL_LIBEXEC", directory, 1);
	for (size_t i = 0; i < PROGRAMS; i++)
		write_file(names[i], sleeps, 0755);
	tls_testing_make(&pair);
	write_file("cert.pem", pair.certificate, 0600);
	write_file("key.pem", pair.key, 0600);
	write_conf("waybill.conf", "msa \"m\" { address = \"127.0.0.1\" }\n");
	write_conf("more.conf", track_and_log);
	snprintf(file, sizeof(file), "%s/waybill.conf", directory);
	return 0;
}

static int
remove_directory(void **state)
{
	char path[200];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]);
		unlink(path);
	}
	return rmdir(directory);
}

static int
make_supervisor(void **state)
{
	char why[300];

	(void)state;
	s = (struct supervisor){ .lasting = { -1, -1, -1, -1, -1, -1, -1 },
		.file = file,
		.base = event_base_new() };
	TAILQ_INIT(&s.processes);
	s.current = generation_new(
	    conf_read(file), ++s.last_number, NULL, why, sizeof(why));
	return s.current != NULL ? 0 : -1;
}

static int
end_supervisor(void **state)
{
	struct process *p;

	(void)state;
	TAILQ_FOREACH(p, &s.processes, next)
		if (p->pid > 0) {
			kill(p->pid, SIGKILL);
			waitpid(p->pid, NULL, 0);
		}
	supervisor_free(&s);
	event_base_free(s.base);
	return 0;
}

static void
wait_for_an_end(void)
{
	siginfo_t info;

	assert_int_equal(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), 0);
	supervisor_reap(&s);
	turn_end();
}

static void
a_child_says(struct process *p, unsigned type)
{
	static const uint8_t done_and_no_text[] = { 1, 0, 0, 0, 0 };

	packet.head.type = type;
	wire_read(&packet.body, done_and_no_text, sizeof(done_and_no_text));
	supervisor_heard(p, &packet);
}

/* Somebody who took a proxy over does not speak for the keeper. */
static void
only_the_keeper_answers_for_the_keeper(void **state)
{
	static const unsigned types[] = { MSG_CHILD_SNAPSHOT_IS,
		MSG_CHILD_ACCEPT_CLOCK_IS };
	struct process *keeper = supervisor_add(&s, ROLE_KEEPER, 0, s.current);
	struct process *proxy = supervisor_add(&s, ROLE_PROXY, 0, s.current);

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		a_child_says(keeper, types[i]);
		if (proxy->state == PROCESS_RESTING)
			assert_int_equal(
			    process_start(proxy, s.base, &s.lasting), 0);
		a_child_says(proxy, types[i]);
		wait_for_an_end();
		assert_int_equal(proxy->state, PROCESS_RESTING);
		assert_int_equal(keeper->state, PROCESS_STARTING);
	}
}

static void
a_long_status_is_cut(void **state)
{
	static uint8_t body[4 + 60000] = { 0, 0, 60000 >> 8, 60000 & 255 };
	struct process *p = supervisor_add(&s, ROLE_PROXY, 0, s.current);

	(void)state;
	memset(body + 4, 'x', sizeof(body) - 4);
	packet.head.type = MSG_CHILD_STATUS_IS;
	wire_read(&packet.body, body, sizeof(body));
	supervisor_heard(p, &packet);
	assert_int_equal(strlen(p->status), 700);
}

static void
the_keeper_is_needed_until_the_sessions_are_over(void **state)
{
	struct process *keeper = supervisor_add(&s, ROLE_KEEPER, 0, s.current);
	struct process *proxy = supervisor_add(&s, ROLE_PROXY, 0, s.current);

	(void)state;
	stop_order(&s);
	assert_int_equal(s.stop, STOP_PROXIES);
	kill(keeper->pid, SIGKILL);
	wait_for_an_end();
	assert_int_equal(supervisor_count(&s, ROLE_KEEPER, NULL), 1);
	while (keeper->pid == 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	kill(proxy->pid, SIGKILL);
	wait_for_an_end();
	assert_int_equal(s.stop, STOP_KEEPER);
	kill(keeper->pid, SIGKILL);
	wait_for_an_end();
	assert_int_equal(s.stop, STOP_DONE);
}

static void
a_stop_ends_reloads_that_wait_too(void **state)
{
	(void)state;
	s.all_started = true;
	reload_begin(&s);
	assert_non_null(s.reload);
	reload_begin(&s);
	assert_int_equal(s.last_number, 2);
	stop_order(&s);
	assert_null(s.reload);
	assert_int_equal(s.last_number, 2);
}

static struct {
	unsigned count;
	uint64_t who;
	bool done;
} answers[2];

static void
on_answer(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	(void)arg;
	assert_int_equal(type, MSG_OPERATOR_IS);
	answers[who].count++;
	answers[who].done = wire_get_u8(body) != 0;
}

static void
turns(void)
{
	for (int i = 0; i < 20; i++) {
		link_flush_all();
		event_base_loop(s.base, EVLOOP_NONBLOCK);
		door_flush_all();
		turn_end();
	}
}

/* Who asks while a reload is under way is told of the next one. */
static void
each_reload_is_answered_with_its_own_outcome(void **state)
{
	struct identity self = { .uid = geteuid() };
	char why[200], path[200];
	struct process *p;
	struct link *link;
	int fd = run_dir_door(directory, "control", &self, why, sizeof(why));

	(void)state;
	assert_true(fd >= 0);
	s.all_started = true;
	s.operators = operator_open(&s, fd);
	snprintf(path, sizeof(path), "%s/control", directory);
	link = link_new_once(s.base, path, NULL);
	for (uint64_t i = 0; i < 2; i++) {
		assert_true(link_ask(link, MSG_OPERATOR_RELOAD, NULL, 30000,
				on_answer, i) != 0);
		turns();
	}
	assert_int_equal(answers[0].count + answers[1].count, 0);
	s.file = "/nonexistent";
	TAILQ_FOREACH(p, &s.processes, next)
		a_child_says(p, MSG_CHILD_READY);
	turns();
	assert_int_equal(answers[0].count, 1);
	assert_true(answers[0].done);
	assert_int_equal(answers[1].count, 1);
	assert_false(answers[1].done);
	link_free(link);
	link_flush_all();
	operator_free(s.operators);
	door_flush_all();
	unlink(path);
}

static void
whoever_cannot_be_told_is_started_again(void **state)
{
	struct process *p;

	(void)state;
	s.lasting.children_lock = 1000000; /* no descriptor */
	p = supervisor_add(&s, ROLE_PROXY, 0, s.current);
	wait_for_an_end();
	assert_int_equal(p->state, PROCESS_RESTING);
	assert_int_equal(p->restarts, 1);
	s.lasting.children_lock = -1;
}

static struct process *
find(enum role role)
{
	struct process *p;

	TAILQ_FOREACH(p, &s.processes, next)
		if (p->role == role && p->generation == s.current)
			return p;
	return NULL;
}

static void
reload_from(const char *name)
{
	static char path[200];
	struct generation *old = s.current;
	struct process *p;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	s.file = path;
	s.all_started = true;
	reload_begin(&s);
	assert_non_null(s.reload);
	TAILQ_FOREACH(p, &s.processes, next)
		if (p->role == ROLE_AUTH || p->role == ROLE_PROXY)
			a_child_says(p, MSG_CHILD_READY);
	turn_end();
	assert_ptr_not_equal(s.current, old);
}

/* A new generation does not wait for them, nor does mail. */
static void
tracker_and_feed_come_and_go_with_their_sections(void **state)
{
	struct process *track, *feed;

	(void)state;
	assert_null(find(ROLE_TRACK));
	reload_from("more.conf");
	track = find(ROLE_TRACK);
	feed = find(ROLE_FEED);
	assert_non_null(track);
	assert_non_null(feed);
	assert_int_equal(track->state, PROCESS_STARTING);
	a_child_says(feed, MSG_CHILD_READY);
	reload_from("waybill.conf");
	assert_null(find(ROLE_TRACK));
	assert_int_equal(track->state, PROCESS_DRAINING);
	assert_int_equal(feed->state, PROCESS_DRAINING);
}

static void
a_tracker_that_ends_ends_no_reload(void **state)
{
	struct process *p, *track = NULL;
	char path[200];

	(void)state;
	snprintf(path, sizeof(path), "%s/more.conf", directory);
	s.file = path;
	s.all_started = true;
	reload_begin(&s);
	TAILQ_FOREACH(p, &s.processes, next)
		if (p->role == ROLE_TRACK)
			track = p;
	assert_non_null(track);
	kill(track->pid, SIGKILL);
	wait_for_an_end();
	assert_non_null(s.reload);
	assert_int_equal(track->state, PROCESS_RESTING);
	assert_int_equal(track->restarts, 1);
	s.file = file;
	stop_order(&s);
}

static void
the_keeper_ends_after_tracker_and_feed(void **state)
{
	struct process *p;

	(void)state;
	supervisor_add(&s, ROLE_KEEPER, 0, s.current);
	reload_from("more.conf");
	stop_order(&s);
	TAILQ_FOREACH(p, &s.processes, next)
		if (p->role == ROLE_PROXY || p->role == ROLE_AUTH)
			kill(p->pid, SIGKILL);
	while (supervisor_count(&s, ROLE_PROXY, NULL) > 0)
		wait_for_an_end();
	assert_int_equal(s.stop, STOP_PROXIES);
	kill(find(ROLE_FEED)->pid, SIGKILL);
	while (supervisor_count(&s, ROLE_FEED, NULL) > 0)
		wait_for_an_end();
	assert_int_equal(s.stop, STOP_PROXIES);
	kill(find(ROLE_TRACK)->pid, SIGKILL);
	while (s.stop != STOP_KEEPER)
		wait_for_an_end();
	assert_int_equal(supervisor_count(&s, ROLE_KEEPER, NULL), 1);
}

/* Its door was opened for whoever started waybilld. */
static void
a_user_made_since_the_start_needs_a_restart(void **state)
{
	char path[200];

	(void)state;
	snprintf(path, sizeof(path), "%s/more.conf", directory);
	s.file = path;
	s.all_started = true;
	s.current->identities[ROLE_FEED].uid = 12345;
	reload_begin(&s);
	assert_null(s.reload);
	s.current->identities[ROLE_FEED].uid = geteuid();
	reload_begin(&s);
	assert_non_null(s.reload);
	s.file = file;
	stop_order(&s);
}

/* It would be taken for ready for ever. */
static void
who_closes_the_channel_and_lives_on_is_killed(void **state)
{
	struct process *p;

	(void)state;
	write_file("waybill-proxy",
	    "#!/bin/sh\ndd bs=65536 count=1 <&3 >/dev/null 2>&1\n"
	    "exec 3<&-\nexec sleep 60\n",
	    0755);
	p = supervisor_add(&s, ROLE_PROXY, 0, s.current);
	a_child_says(p, MSG_CHILD_READY);
	while (p->control >= 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	assert_int_equal(p->state, PROCESS_READY);
	event_base_loop(s.base, EVLOOP_ONCE);
	wait_for_an_end();
	assert_int_equal(p->state, PROCESS_RESTING);
	assert_int_equal(p->restarts, 1);
	write_file("waybill-proxy", sleeps, 0755);
}

/* Whoever ends has no need to read what it was ordered meanwhile. */
static void
who_leaves_an_order_unread_is_not_killed(void **state)
{
	char script[300];
	struct process *p;

	(void)state;
	snprintf(script, sizeof(script),
	    "#!/bin/sh\nexec 3<&-\nsleep 0.3\n: >%s/left\n", directory);
	write_file("waybill-proxy", script, 0755);
	p = supervisor_add(&s, ROLE_PROXY, 0, s.current);
	while (p->control >= 0)
		event_base_loop(s.base, EVLOOP_ONCE);
	wait_for_an_end();
	snprintf(script, sizeof(script), "%s/left", directory);
	assert_int_equal(unlink(script), 0);
	write_file("waybill-proxy", sleeps, 0755);
}

#define CASE(f)                                                                \
	cmocka_unit_test_setup_teardown(f, make_supervisor, end_supervisor)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(only_the_keeper_answers_for_the_keeper),
		CASE(a_long_status_is_cut),
		CASE(the_keeper_is_needed_until_the_sessions_are_over),
		CASE(a_stop_ends_reloads_that_wait_too),
		CASE(each_reload_is_answered_with_its_own_outcome),
		CASE(whoever_cannot_be_told_is_started_again),
		CASE(tracker_and_feed_come_and_go_with_their_sections),
		CASE(a_tracker_that_ends_ends_no_reload),
		CASE(the_keeper_ends_after_tracker_and_feed),
		CASE(a_user_made_since_the_start_needs_a_restart),
		CASE(who_closes_the_channel_and_lives_on_is_killed),
		CASE(who_leaves_an_order_unread_is_not_killed),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
