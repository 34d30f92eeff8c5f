/*
 * Tables for the command line, the configuration file and times as people
 * give them.
 */
#include "token/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "token/since.h"

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define NOW    1795313349 /* 2026-11-22T02:09:09Z */

static char dir[] = "/tmp/waybill-options-XXXXXX";
static char file[64];

static int
setup(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/waybill.conf", dir);
	setenv("HOME", dir, 1);
	setenv("TZ", "UTC", 1);
	unsetenv("XDG_CONFIG_HOME");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

static void
write_file(const char *text)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Read a command line of words separated by spaces, and the file. */
static int
read_all(const char *line, struct options *o, struct problem *p)
{
	static char words[1024];
	static char *argv[64];
	int argc = 0, action;

	snprintf(words, sizeof(words), "waybill %s", line);
	for (char *w = strtok(words, " "); w != NULL; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	*p = (struct problem){ 0 };
	action = options_read_line(argc, argv, NOW, o, p);
	return action == OPTIONS_RUN ? options_complete(o, true, p) : action;
}

static void
the_line_goes_before_the_file(void **state)
{
	char line[256];
	struct options o;
	struct problem p;

	(void)state;
	write_file("server = mail.example\nport = 2465\ntls = implicit\n"
		   "user = \"alice\"\npassword_file = \"~/secret\"\n");
	snprintf(line, sizeof(line), "-c %s --user bob list --json", file);
	assert_int_equal(read_all(line, &o, &p), 0);
	assert_string_equal(o.server, "mail.example");
	assert_string_equal(o.user, "bob");
	assert_int_equal(o.port_number, 2465);
	assert_true(o.tls_implicit);
	assert_true(o.json);
	assert_false(o.no_verify);
	assert_memory_equal(o.password_file, dir, strlen(dir));
	assert_string_equal(o.password_file + strlen(dir), "/secret");
	assert_null(o.ca_file);
	assert_int_equal(o.word_count, 1);
	assert_string_equal(o.words[0], "list");
	options_free(&o);

	snprintf(
	    line, sizeof(line), "list --config=%s --password-command x", file);
	assert_int_equal(read_all(line, &o, &p), 0);
	assert_string_equal(o.password_command, "x");
	assert_null(o.password_file);
	options_free(&o);
}

static void
defaults_need_no_file(void **state)
{
	struct options o;
	struct problem p;

	(void)state;
	assert_int_equal(read_all("list --user x", &o, &p), 0);
	assert_string_equal(o.server, "localhost");
	assert_int_equal(o.port_number, 587);
	assert_int_equal(o.limit, 25);
	assert_int_equal(o.since, 0);
	assert_false(o.tls_implicit);
	options_free(&o);
	assert_int_equal(read_all("list --user x --tls implicit", &o, &p), 0);
	assert_int_equal(o.port_number, 465);
	options_free(&o);
	assert_int_equal(
	    read_all("list --user x --limit 7 --since 1d", &o, &p), 0);
	assert_int_equal(o.limit, 7);
	assert_int_equal(o.since, (NOW - 86400) * 1000LL);
	assert_true(o.has_list);
	options_free(&o);
	assert_int_equal(read_all("--help", &o, &p), OPTIONS_HELP);
	options_free(&o);
	assert_int_equal(read_all("--version", &o, &p), OPTIONS_VERSION);
	options_free(&o);
}

static void
a_home_of_somebody_else_is_no_mistake(void **state)
{
	struct options o;
	struct problem p;

	(void)state;
	assert_int_equal(chmod(dir, 0), 0);
	if (getuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	assert_int_equal(read_all("list --user x", &o, &p), 0);
	assert_string_equal(o.server, "localhost");
	options_free(&o);
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(chmod(dir, 0700), 0);
}

static void
wrong_lines_are_refused(void **state)
{
	static const struct {
		const char *line;
		const char *text;
	} rows[] = {
		{ "list", "who are you?" },
		{ "list --user x --port 0", "port" },
		{ "list --user x --port 65536", "port" },
		{ "list --user x --port 5x7", "port" },
		{ "list --user x --tls none", "never goes out without TLS" },
		{ "list --user x --limit 0", "--limit 0" },
		{ "list --user x --limit -1", "--limit -1" },
		{ "list --user x --since tomorrow", "--since tomorrow" },
		{ "list --user", "--user" },
		{ "--frobnicate list", "--frobnicate" },
		{ "list --user x -c /nonexistent/waybill.conf",
		    "/nonexistent/waybill.conf" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct options o;
		struct problem p;

		assert_int_equal(read_all(rows[i].line, &o, &p), -1);
		assert_int_equal(p.exit, PROBLEM_USAGE);
		assert_non_null(strstr(p.text, rows[i].text));
		options_free(&o);
	}
}

static void
wrong_files_are_named_with_the_line(void **state)
{
	static const struct {
		const char *text;
		const char *line;
	} rows[] = {
		{ "user = x\nserevr = y\n", "waybill.conf:2: " },
		{ "user = x\n\nverify = perhaps\n", "waybill.conf:3: " },
		{ "user = \"x\n", "waybill.conf:" },
		{ "user = x\ntls = plain\n", "tls = \"plain\"" },
		{ "user = x\nport = smtp\n", "port = smtp" },
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct options o;
		struct problem p;
		char line[128];

		write_file(rows[i].text);
		snprintf(line, sizeof(line), "list -c %s", file);
		assert_int_equal(read_all(line, &o, &p), -1);
		assert_int_equal(p.exit, PROBLEM_USAGE);
		assert_non_null(strstr(p.text, rows[i].line));
		options_free(&o);
	}
}

static void
times_are_read_as_people_give_them(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "90m", NOW - 5400 },
		{ "12h", NOW - 43200 },
		{ "3d", NOW - 3 * 86400 },
		{ "2w", NOW - 14 * 86400 },
		{ "1000000w", 0 },
		{ "2026-11-22", 1795305600 },
		{ "2026-11-22T02:09:09Z", NOW },
	};
	static const char *const bad[] = { "", "d", "3", "3y", "3dd", "-3d",
		"+3d", " 3d", "2026-13-01", "2026-11-31", "2026-11-2",
		"99999999999999999999d" };
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(since_read(rows[i].text, NOW, &ms), 0);
		assert_int_equal(ms, rows[i].seconds * 1000);
	}
	for (size_t i = 0; i < LEN(bad); i++)
		assert_int_equal(since_read(bad[i], NOW, &ms), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_line_goes_before_the_file),
		cmocka_unit_test(defaults_need_no_file),
		cmocka_unit_test(a_home_of_somebody_else_is_no_mistake),
		cmocka_unit_test(wrong_lines_are_refused),
		cmocka_unit_test(wrong_files_are_named_with_the_line),
		cmocka_unit_test(times_are_read_as_people_give_them),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
