/*
 * For the tests of this folder: a configuration, a sasldb made by
 * saslpasswd2, and a saslauthd whose answers the user name decides.
 */
#ifndef AUTH_TEST_FIXTURE_H
#define AUTH_TEST_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "auth/sasl_setup.h"
#include "common/auth_messages.h"
#include "conf/conf.h"

static char fixture_dir[] = "/tmp/waybill-auth-XXXXXX";
static char fixture_db[64];
static char fixture_mux[64];
static char *fixture_mechanisms[] = { (char *)"PLAIN", (char *)"LOGIN",
	(char *)"SCRAM-SHA-1", (char *)"SCRAM-SHA-256", (char *)"NO-SUCH",
	(char *)"PLAIN" };
static char fixture_path_option[96];
__attribute__((
    unused)) static char *fixture_sasldb[] = { (char *)"pwcheck_method=auxprop",
	(char *)"auxprop_plugin=sasldb", fixture_path_option };
static char *fixture_saslauthd[] = { (char *)"pwcheck_method=saslauthd",
	(char *)"auxprop_plugin=sasldb", fixture_path_option };
static const uint8_t fixture_key[TICKET_KEY_LEN] = "an unlucky key of a test";

static struct conf fixture_conf = {
	.hostname = (char *)"h.test",
	.auth = { .service = (char *)"smtp",
	    .realm = (char *)"",
	    .mechanisms = { fixture_mechanisms, 6 } },
};

static inline void
fixture_add_user(const char *user, const char *password)
{
	char command[256];
	FILE *pipe;

	snprintf(command, sizeof(command),
	    "PATH=$PATH:/usr/sbin saslpasswd2 -p -c -f %s -u h.test %s",
	    fixture_db, user);
	pipe = popen(command, "w");
	assert_non_null(pipe);
	fputs(password, pipe);
	assert_int_equal(pclose(pipe), 0);
}

static inline void
fixture_make_dir(void)
{
	assert_non_null(mkdtemp(fixture_dir));
	snprintf(fixture_db, sizeof(fixture_db), "%s/db", fixture_dir);
	snprintf(fixture_mux, sizeof(fixture_mux), "%s/mux", fixture_dir);
}

static inline void
fixture_use_sasldb(void)
{
	snprintf(fixture_path_option, sizeof(fixture_path_option),
	    "sasldb_path=%s", fixture_db);
	fixture_conf.auth.sasl = (struct conf_list){ fixture_sasldb, 3 };
	fixture_add_user("alice", "wonder land");
	fixture_add_user("Bob", "b\xc3\xbcilder");
}

static inline void
fixture_remove(void)
{
	unlink(fixture_db);
	unlink(fixture_mux);
	rmdir(fixture_dir);
}

/* One request of saslauthd's protocol: four runs led by a u16 length. */
static inline void
fixture_serve_login(int fd)
{
	char user[256] = "";
	uint8_t raw[2048];
	size_t got = 0, at = 0, len;
	ssize_t n;

	for (int field = 0; field < 4; field++) {
		for (len = 2; got < at + len;) {
			n = read(fd, raw + got, sizeof(raw) - got);
			if (n <= 0)
				_exit(1);
			got += (size_t)n;
			if (got >= at + 2)
				len = 2U + raw[at] * 256U + raw[at + 1];
		}
		if (field == 0)
			memcpy(user, raw + at + 2, len - 2);
		at += len;
	}
	if (strcmp(user, "lost") == 0)
		_exit(0);
	if (strcmp(user, "slow") == 0)
		usleep(1200000);
	if (strcmp(user, "stuck") == 0)
		sleep(30);
	if (strcmp(user, "mallory") == 0)
		n = write(fd, "\0\2NO", 4);
	else
		n = write(fd, "\0\2OK", 4);
	_exit(n != 4);
}

static inline pid_t
fixture_use_saslauthd(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;
	int peer;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fixture_mux);
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 100), 0);
	snprintf(fixture_path_option, sizeof(fixture_path_option),
	    "saslauthd_path=%s", fixture_mux);
	fixture_conf.auth.sasl = (struct conf_list){ fixture_saslauthd, 3 };
	if ((pid = fork()) == 0) {
		signal(SIGCHLD, SIG_IGN);
		while ((peer = accept(fd, NULL, NULL)) >= 0) {
			if (fork() == 0)
				fixture_serve_login(peer);
			close(peer);
		}
		_exit(0);
	}
	close(fd);
	return pid;
}

static inline void
fixture_stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#endif
