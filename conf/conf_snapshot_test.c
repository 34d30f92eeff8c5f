/*
 * The snapshot: what goes in comes out, a role keeps only its own, and what
 * is no snapshot is refused.
 */
#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/conf_defaults.h"

static struct conf *
sample(void)
{
	struct conf *c = conf_new();

	assert_non_null(c);
	free(c->hostname);
	c->hostname = strdup("submit.example.net");
	free(c->msa_name);
	c->msa_name = strdup("main");
	c->track_on = true;
	c->msa_log_on = true;
	c->listen = calloc(1, sizeof(*c->listen));
	c->listen_count = 1;
	c->listen[0].title = strdup("submission");
	c->listen[0].port = 587;
	c->listen[0].address.item = calloc(1, sizeof(char *));
	c->listen[0].address.item[0] = strdup("127.0.0.1");
	c->listen[0].address.count = 1;
	return c;
}

static struct conf *
through_snapshot(enum conf_role role)
{
	struct conf *in = sample(), *out;
	int fd = conf_snapshot_write(in);

	assert_true(fd >= 0);
	out = conf_snapshot_read(fd, role);
	assert_non_null(out);
	close(fd);
	conf_free(in);
	return out;
}

static void
everything_comes_out_for_the_daemon(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_DAEMON);

	(void)state;
	assert_string_equal(c->hostname, "submit.example.net");
	assert_string_equal(c->msa_name, "main");
	assert_int_equal(c->listen_count, 1);
	assert_string_equal(c->listen[0].title, "submission");
	assert_string_equal(c->listen[0].address.item[0], "127.0.0.1");
	assert_int_equal(c->listen[0].port, 587);
	assert_int_equal(c->auth.mechanisms.count, 4);
	assert_int_equal(c->tracking.default_, CONF_TRACKING_ON);
	assert_true(c->tracking.announce);
	assert_string_equal(c->vault.path, "/var/lib/waybill/vault");
	conf_free(c);
}

static void
the_proxy_knows_no_vault_and_no_backend(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_PROXY);

	(void)state;
	assert_int_equal(c->listen_count, 1);
	assert_int_equal(c->msa.port, 10587);
	assert_int_equal(c->limits.sessions, 20000);
	assert_int_equal(c->auth.failures, 3);
	assert_int_equal(c->auth.mechanisms.count, 0);
	assert_int_equal(c->auth.sasl.count, 0);
	assert_string_equal(c->auth.service, "");
	assert_string_equal(c->vault.path, "");
	assert_string_equal(c->vault.keys, "");
	conf_free(c);
}

static void
auth_knows_no_msa_and_no_vault(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_AUTH);

	(void)state;
	assert_string_equal(c->hostname, "submit.example.net");
	assert_int_equal(c->auth.sasl.count, 2);
	assert_int_equal(c->limits.session_max, 86400000);
	assert_int_equal(c->limits.sessions, 0);
	assert_int_equal(c->listen_count, 0);
	assert_string_equal(c->msa.address, "");
	assert_string_equal(c->vault.path, "");
	conf_free(c);
}

static void
the_keeper_knows_no_network(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_KEEPER);

	(void)state;
	assert_string_equal(c->vault.path, "/var/lib/waybill/vault");
	assert_int_equal(c->tracking.retention, 864000000);
	assert_int_equal(c->listen_count, 0);
	assert_string_equal(c->msa.address, "");
	assert_int_equal(c->auth.sasl.count, 0);
	conf_free(c);
}

static void
the_tracker_knows_no_vault_and_no_logins(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_TRACK);

	(void)state;
	assert_true(c->track_on);
	assert_string_equal(c->hostname, "submit.example.net");
	assert_string_equal(c->run_dir, "/run/waybill");
	assert_int_equal(c->track.port, 1038);
	assert_int_equal(c->track.address.count, 1);
	assert_int_equal(c->tracking.inner_hosts.count, 8);
	assert_int_equal(c->tracking.remember.count, 0);
	assert_string_equal(c->msa.address, "");
	assert_int_equal(c->msa.queue_lifetime, 432000000);
	assert_int_equal(c->limits.handshake_timeout, 30000);
	assert_int_equal(c->limits.sessions, 0);
	assert_int_equal(c->listen_count, 0);
	assert_int_equal(c->auth.sasl.count, 0);
	assert_string_equal(c->vault.path, "");
	assert_string_equal(c->msa_log.file, "");
	conf_free(c);
}

static void
the_feed_knows_its_log_alone(void **state)
{
	struct conf *c = through_snapshot(CONF_FOR_FEED);

	(void)state;
	assert_true(c->msa_log_on);
	assert_string_equal(c->msa_name, "main");
	assert_string_equal(c->run_dir, "/run/waybill");
	assert_string_equal(c->msa_log.state, "/var/lib/waybill/feed/main");
	assert_int_equal(c->msa_log.wait, 60000);
	assert_string_equal(c->msa.address, "");
	assert_string_equal(c->hostname, "");
	assert_int_equal(c->track.port, 0);
	assert_string_equal(c->vault.path, "");
	conf_free(c);
}

static void
a_snapshot_cannot_be_changed(void **state)
{
	struct conf *c = sample();
	int fd = conf_snapshot_write(c);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 0), -1);
	close(fd);
	conf_free(c);
}

/* Cut at every place, and with an octet too much, it is none. */
static void
what_is_no_snapshot_is_refused(void **state)
{
	struct conf *c = sample();
	int fd = conf_snapshot_write(c), cut;
	char text[8192];
	ssize_t len = pread(fd, text, sizeof(text) - 1, 0);

	(void)state;
	assert_true(len > 0 && len < (ssize_t)sizeof(text) - 1);
	for (ssize_t n = 0; n <= len + 1; n++) {
		if (n == len)
			continue;
		cut = memfd_create("cut", MFD_CLOEXEC);
		assert_int_equal(write(cut, text, (size_t)n), n);
		assert_null(conf_snapshot_read(cut, CONF_FOR_PROXY));
		assert_int_equal(errno, EBADMSG);
		close(cut);
	}
	close(fd);
	conf_free(c);
}

static void
a_vault_that_moved_is_noticed(void **state)
{
	struct conf *a = sample(), *b = sample();

	(void)state;
	assert_null(conf_vault_differs(a, b));
	b->vault.min_free = 1;
	assert_null(conf_vault_differs(a, b));
	free(b->vault.keys);
	b->vault.keys = strdup("/elsewhere");
	assert_string_equal(conf_vault_differs(a, b), "keys");
	free(b->vault.path);
	b->vault.path = strdup("/elsewhere");
	assert_string_equal(conf_vault_differs(a, b), "path");
	conf_free(a);
	conf_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_comes_out_for_the_daemon),
		cmocka_unit_test(the_proxy_knows_no_vault_and_no_backend),
		cmocka_unit_test(auth_knows_no_msa_and_no_vault),
		cmocka_unit_test(the_keeper_knows_no_network),
		cmocka_unit_test(the_tracker_knows_no_vault_and_no_logins),
		cmocka_unit_test(the_feed_knows_its_log_alone),
		cmocka_unit_test(a_snapshot_cannot_be_changed),
		cmocka_unit_test(what_is_no_snapshot_is_refused),
		cmocka_unit_test(a_vault_that_moved_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
