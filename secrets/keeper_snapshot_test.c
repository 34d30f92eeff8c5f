/*
 * What the keeper keeps of a configuration. With arguments, FILE and options
 * as name=value, it writes a snapshot to FILE: so that tests can start a
 * keeper alone (tests/e2e/keeper_client.py).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"
#include "conf/conf_defaults.h"

static void
set_text(char **member, const char *value)
{
	free(*member);
	*member = strdup(value);
}

static bool
set(struct conf *c, const char *name, const char *value)
{
	long long number = strtoll(value, NULL, 10);

	if (strcmp(name, "hostname") == 0)
		set_text(&c->hostname, value);
	else if (strcmp(name, "path") == 0)
		set_text(&c->vault.path, value);
	else if (strcmp(name, "keys") == 0)
		set_text(&c->vault.keys, value);
	else if (strcmp(name, "random") == 0)
		c->tracking.certifier = number != 0 ? CONF_CERTIFIER_RANDOM
						    : CONF_CERTIFIER_DERIVED;
	else if (strcmp(name, "min_free") == 0)
		c->vault.min_free = number;
	else if (strcmp(name, "retention") == 0)
		c->tracking.retention = number;
	else if (strcmp(name, "mints_unfinished") == 0)
		c->tracking.mints_unfinished = number;
	else if (strcmp(name, "drain_timeout") == 0)
		c->drain_timeout = number;
	else
		return false;
	return true;
}

static int
copy_to(int from, const char *file)
{
	int fd = open(file, O_CREAT | O_TRUNC | O_WRONLY, 0600);
	struct stat st;
	off_t start = 0;
	int rc = 1;

	if (fd != -1 && fstat(from, &st) == 0 &&
	    sendfile(fd, from, &start, (size_t)st.st_size) == st.st_size)
		rc = 0;
	close(fd);
	return rc;
}

static int
write_snapshot(int argc, char **argv)
{
	struct conf *c = conf_new();
	char *value;
	int fd, rc = 1;

	if (c == NULL)
		return 1;
	for (int i = 2; i < argc; i++) {
		value = strchr(argv[i], '=');
		if (value == NULL)
			return 2;
		*value++ = '\0';
		if (!set(c, argv[i], value))
			return 2;
	}
	fd = conf_snapshot_write(c);
	if (fd != -1) {
		rc = copy_to(fd, argv[1]);
		close(fd);
	}
	conf_free(c);
	return rc;
}

static void
the_keeper_reads_vault_and_tracking_and_no_more(void **state)
{
	struct conf *c = conf_new(), *kept;
	int fd;

	(void)state;
	assert_non_null(c);
	set(c, "hostname", "mail.example.com");
	set(c, "path", "/some/where");
	set(c, "random", "1");
	set_text(&c->msa.address, "192.0.2.7");
	set_text(&c->tls.key, "/secret.pem");
	fd = conf_snapshot_write(c);
	assert_int_not_equal(fd, -1);
	kept = conf_snapshot_read(fd, CONF_FOR_KEEPER);
	assert_non_null(kept);
	assert_string_equal(kept->hostname, "mail.example.com");
	assert_string_equal(kept->vault.path, "/some/where");
	assert_int_equal(kept->tracking.certifier, CONF_CERTIFIER_RANDOM);
	assert_int_equal(kept->tracking.remember.count, 3);
	assert_true(kept->tls.key == NULL || kept->tls.key[0] == '\0');
	assert_true(kept->msa.address == NULL || kept->msa.address[0] == '\0');
	close(fd);
	conf_free(kept);
	conf_free(c);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_keeper_reads_vault_and_tracking_and_no_more),
	};

	if (argc > 1)
		return write_snapshot(argc, argv);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
