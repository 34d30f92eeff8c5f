/*
 * Listening sockets: bound as configured, and kept across reloads.
 */
#include "daemon/listener.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"

static char any[] = "*", everything[] = "0.0.0.0", loopback[] = "127.0.0.1",
	    title_a[] = "a", title_b[] = "b";

static struct conf_listen
section(char *title, char **address, int64_t port)
{
	struct conf_listen l = { .title = title, .port = port };

	l.address.item = address;
	l.address.count = 1;
	return l;
}

static int
port_of(const struct listener *l)
{
	struct sockaddr_storage ss = { 0 };
	socklen_t len = sizeof(ss);

	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&ss, &len), 0);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

static void
any_free_port_stays_the_same_at_reload(void **state)
{
	char *address[] = { loopback };
	struct conf_listen both[] = { section(title_a, address, 0),
		section(title_b, address, 0) };
	struct conf conf = { .listen = both, .listen_count = 2 };
	struct listeners first, second;
	char why[300];

	(void)state;
	assert_int_equal(
	    listeners_open(&first, &conf, NULL, why, sizeof(why)), 0);
	assert_int_equal(first.count, 2);
	assert_int_not_equal(port_of(&first.list[0]), 0);
	assert_int_equal(
	    listeners_open(&second, &conf, &first, why, sizeof(why)), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(first.list[i].fd, second.list[i].fd);
		assert_int_equal(
		    port_of(&first.list[i]), port_of(&second.list[i]));
	}
	listeners_close(&first);
	listeners_close(&second);
}

static void
star_is_both_families_at_one_port(void **state)
{
	char *address[] = { any };
	struct conf_listen one = section(title_a, address, 0);
	struct conf conf = { .listen = &one, .listen_count = 1 };
	struct listeners all, again;
	char why[300];

	(void)state;
	assert_int_equal(
	    listeners_open(&all, &conf, NULL, why, sizeof(why)), 0);
	assert_in_range(all.count, 1, 2);
	if (all.count == 2)
		assert_int_equal(port_of(&all.list[0]), port_of(&all.list[1]));
	assert_int_equal(
	    listeners_open(&again, &conf, &all, why, sizeof(why)), 0);
	assert_int_equal(all.count, again.count);
	assert_int_equal(port_of(&all.list[0]), port_of(&again.list[0]));
	listeners_close(&all);
	listeners_close(&again);
}

static void
a_port_in_use_is_named_with_its_cure(void **state)
{
	char *address[] = { loopback };
	struct conf_listen one = section(title_a, address, 0);
	struct conf conf = { .listen = &one, .listen_count = 1 };
	struct listeners all, other;
	char why[300];

	(void)state;
	assert_int_equal(
	    listeners_open(&all, &conf, NULL, why, sizeof(why)), 0);
	one.port = port_of(&all.list[0]);
	assert_int_equal(
	    listeners_open(&other, &conf, NULL, why, sizeof(why)), -1);
	assert_int_equal(other.count, 0);
	assert_non_null(strstr(why, "listen \"a\": 127.0.0.1 port "));
	assert_non_null(strstr(why, "change the port"));
	listeners_close(&all);
}

/* The other generation still listens while the new one is opened. */
static void
one_address_takes_the_port_from_any_and_back(void **state)
{
	char *four[] = { loopback }, *every[] = { any };
	struct conf_listen one = section(title_a, every, 0);
	struct conf conf = { .listen = &one, .listen_count = 1 };
	struct listeners all, narrow, wide, stranger;
	char why[300];

	(void)state;
	assert_int_equal(
	    listeners_open(&all, &conf, NULL, why, sizeof(why)), 0);
	one.port = port_of(&all.list[0]);
	one.address.item = four;
	assert_int_equal(
	    listeners_open(&narrow, &conf, &all, why, sizeof(why)), 0);
	assert_int_equal(port_of(&narrow.list[0]), one.port);
	listeners_close(&all);
	one.address.item = every;
	assert_int_equal(
	    listeners_open(&wide, &conf, &narrow, why, sizeof(why)), 0);
	assert_int_equal(
	    listeners_open(&stranger, &conf, NULL, why, sizeof(why)), -1);
	listeners_close(&narrow);
	listeners_close(&wide);
}

/* A free port, for a section that names it. */
static int
free_port(void)
{
	char *four[] = { loopback };
	struct conf_listen one = section(title_a, four, 0);
	struct conf conf = { .listen = &one, .listen_count = 1 };
	struct listeners all;
	char why[300];
	int port;

	assert_int_equal(
	    listeners_open(&all, &conf, NULL, why, sizeof(why)), 0);
	port = port_of(&all.list[0]);
	listeners_close(&all);
	return port;
}

/* Replace what is open by what conf says; how many sockets that are. */
static size_t
reload(struct listeners *all, const struct conf *conf)
{
	struct listeners next;
	char why[300];

	if (listeners_open(&next, conf, all, why, sizeof(why)) != 0)
		fail_msg("%s", why);
	listeners_close(all);
	*all = next;
	return next.count;
}

/* It waits in the queue of the more exact socket. */
static void
no_client_is_reset_when_any_takes_the_port_from_one_address(void **state)
{
	char *four[] = { loopback }, *every[] = { any };
	struct conf_listen one = section(title_a, four, free_port());
	struct conf conf = { .listen = &one, .listen_count = 1 };
	struct listeners all = { 0, NULL };
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)one.port) };
	int client = socket(AF_INET, SOCK_STREAM, 0);
	size_t count;
	char octet;

	(void)state;
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(reload(&all, &conf), 1);
	assert_int_equal(
	    connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	one.address.item = every;
	count = reload(&all, &conf);
	assert_int_equal(reload(&all, &conf), count);
	one.address.item = four;
	assert_int_equal(reload(&all, &conf), 1);
	assert_int_equal(recv(client, &octet, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	listeners_close(&all);
	close(client);
}

static void
a_covered_socket_is_kept_once_and_by_who_names_it(void **state)
{
	char *four[] = { loopback }, *both[] = { loopback, any };
	char *zero[] = { everything };
	struct conf_listen two[] = { section(title_a, zero, free_port()),
		section(title_b, four, 0) };
	struct conf conf = { .listen = &two[1], .listen_count = 1 };
	struct listeners all = { 0, NULL };
	size_t count;

	(void)state;
	two[1].port = two[0].port;
	assert_int_equal(reload(&all, &conf), 1);
	/* Another section has the rest of the port now. */
	conf.listen = two;
	conf.listen_count = 2;
	assert_int_equal(reload(&all, &conf), 2);
	assert_string_equal(all.list[1].title, title_b);
	/* Any address, named so, covers it as well. */
	conf.listen_count = 1;
	assert_int_equal(reload(&all, &conf), 2);
	assert_string_equal(all.list[1].title, title_a);
	two[0].address = (struct conf_list){ both, 2 };
	count = reload(&all, &conf);
	for (int i = 0; i < 3; i++)
		assert_int_equal(reload(&all, &conf), count);
	listeners_close(&all);
}

static void
the_tracker_listens_beside_a_section_of_its_name(void **state)
{
	static char track[] = "track";
	char *address[] = { loopback };
	struct conf_listen one = section(track, address, 0);
	struct conf conf = { .listen = &one,
		.listen_count = 1,
		.track_on = true,
		.track.address = one.address };
	struct listeners all, again;
	char why[300];

	(void)state;
	assert_int_equal(
	    listeners_open(&all, &conf, NULL, why, sizeof(why)), 0);
	assert_int_equal(all.count, 2);
	assert_false(all.list[0].of_tracker);
	assert_true(all.list[1].of_tracker);
	assert_int_equal(
	    listeners_open(&again, &conf, &all, why, sizeof(why)), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    port_of(&all.list[i]), port_of(&again.list[i]));
	listeners_close(&again);
	conf.track.port = port_of(&all.list[1]);
	assert_int_equal(
	    listeners_open(&again, &conf, NULL, why, sizeof(why)), -1);
	assert_non_null(strstr(why, "section \"track\": 127.0.0.1 port "));
	listeners_close(&all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_free_port_stays_the_same_at_reload),
		cmocka_unit_test(star_is_both_families_at_one_port),
		cmocka_unit_test(a_port_in_use_is_named_with_its_cure),
		cmocka_unit_test(one_address_takes_the_port_from_any_and_back),
		cmocka_unit_test(
		    no_client_is_reset_when_any_takes_the_port_from_one_address),
		cmocka_unit_test(
		    a_covered_socket_is_kept_once_and_by_who_names_it),
		cmocka_unit_test(
		    the_tracker_listens_beside_a_section_of_its_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
