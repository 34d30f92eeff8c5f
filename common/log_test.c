/*
 * Log lines: their form, what is escaped and cut, and that a reader that is
 * stuck or gone costs lines and nothing else.
 */
#include "common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "conf/conf.h"

static int reader;

static void
start(int format, int level)
{
	struct conf_log conf = {
		.target = CONF_LOG_FILE, .format = format, .level = level
	};
	int fds[2];

	assert_int_equal(pipe(fds), 0);
	assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
	log_start("waybill-test", &conf, fds[1]);
	reader = fds[0];
}

static char *
written_whole(void)
{
	static char text[8192];
	ssize_t n = read(reader, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

/* What was written, without time, program and pid. */
static const char *
written(void)
{
	char *text = written_whole(), *body;

	if (text[0] == '\0')
		return "";
	if (text[0] == '{') {
		body = strstr(text, "\"level\"");
		assert_non_null(body);
		return body;
	}
	body = strstr(text, "]: ");
	assert_non_null(body);
	return body + 3;
}

static void
time_now(char out[32])
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + len, 32 - len, ".%03ldZ", now.tv_nsec / 1000000);
}

/* In milliseconds, and in the form that was asked for last. */
static void
time_program_and_pid_stand_before_all(void **state)
{
	char before[32], after[32], time[32], expected[256], *whole;
	struct log_line line;

	(void)state;
	for (int i = 0; i < 40; i++) {
		bool json = i % 2 == 1;

		start(json ? CONF_LOG_JSON : CONF_LOG_TEXT, LOG_IS_INFO);
		usleep(i == 20 ? 1000000 : 3000);
		time_now(before);
		log_begin(&line, LOG_IS_INFO, "e");
		log_end(&line);
		time_now(after);
		whole = written_whole();
		snprintf(time, sizeof(time), "%.24s",
		    whole + (json ? strlen("{\"time\":\"") : 0));
		assert_true(strcmp(before, time) <= 0);
		assert_true(strcmp(time, after) <= 0);
		snprintf(expected, sizeof(expected),
		    json ? "{\"time\":\"%s\",\"program\":\"waybill-test\","
			   "\"pid\":%ld,\"level\":\"info\",\"event\":\"e\"}\n"
			 : "%s waybill-test[%ld]: event=e\n",
		    time, (long)getpid());
		assert_string_equal(whole, expected);
	}
}

static void
session_stands_before_event_and_fields(void **state)
{
	struct log_line line;

	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	log_begin(&line, LOG_IS_INFO, "login");
	log_session(&line, 0xc0ffee);
	log_text(&line, "user", "a");
	log_number(&line, "count", -3);
	log_end(&line);
	assert_string_equal(written(),
	    "session=0000000000c0ffee event=login user=a count=-3\n");
	log_begin(&line, LOG_IS_INFO, "start");
	log_end(&line);
	assert_string_equal(written(), "event=start\n");
	start(CONF_LOG_JSON, LOG_IS_INFO);
	log_begin(&line, LOG_IS_INFO, "login");
	log_session(&line, 0xc0ffee);
	log_number(&line, "count", -3);
	log_end(&line);
	assert_string_equal(written(),
	    "\"level\":\"info\",\"session\":\"0000000000c0ffee\","
	    "\"event\":\"login\",\"count\":-3}\n");
}

static void
text_of_peers_is_escaped(void **state)
{
	static const struct {
		const char *value, *text, *json;
	} cases[] = {
		{ "plain", "v=plain", "\"v\":\"plain\"" },
		{ "", "v=\"\"", "\"v\":\"\"" },
		{ "a b", "v=\"a b\"", "\"v\":\"a b\"" },
		{ "a=b", "v=\"a=b\"", "\"v\":\"a=b\"" },
		{ "say \"x\\\"", "v=\"say \\\"x\\\\\\\"\"",
		    "\"v\":\"say \\\"x\\\\\\\"\"" },
		{ "a\r\nevent=forged", "v=\"a\\x0d\\x0aevent=forged\"",
		    "\"v\":\"a\\u000d\\u000aevent=forged\"" },
		{ "\x1b[2J\x7f", "v=\"\\x1b[2J\\x7f\"",
		    "\"v\":\"\\u001b[2J\\u007f\"" },
		{ "\xc3\xa4", "v=\"\\xc3\\xa4\"", "\"v\":\"\\u00c3\\u00a4\"" },
	};
	struct log_line line;
	char expected[512];

	(void)state;
	for (int json = 0; json < 2; json++) {
		start(json ? CONF_LOG_JSON : CONF_LOG_TEXT, LOG_IS_INFO);
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			log_begin(&line, LOG_IS_INFO, "e");
			log_text(&line, "v", cases[i].value);
			log_end(&line);
			snprintf(expected, sizeof(expected),
			    json ? "\"level\":\"info\",\"event\":\"e\",%s}\n"
				 : "event=e %s\n",
			    json ? cases[i].json : cases[i].text);
			assert_string_equal(written(), expected);
		}
	}
}

/* Values are looked at eight octets at a time. */
static void
one_octet_anywhere_makes_a_value_quoted(void **state)
{
	struct log_line line;
	char value[20];

	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	for (size_t at = 0; at < sizeof(value) - 1; at++)
		for (unsigned octet = 1; octet < 256; octet++) {
			bool plain = octet > ' ' && octet < 127 &&
			    strchr("\"=\\", (int)octet) == NULL;

			memset(value, at % 2 == 0 ? '!' : '~', sizeof(value));
			value[sizeof(value) - 1] = '\0';
			value[at] = (char)octet;
			log_begin(&line, LOG_IS_INFO, "e");
			log_text(&line, "v", value);
			assert_int_equal(
			    line.text[strlen("event=e v=")] == '"', !plain);
		}
}

/* Wherever the line is full, what comes after it is left out. */
static void
a_line_is_full_at_any_octet(void **state)
{
	char value[257] = "";
	struct log_line line;
	const char *text;

	(void)state;
	memset(value, ' ', sizeof(value) - 1);
	for (int json = 0; json < 2; json++) {
		start(json ? CONF_LOG_JSON : CONF_LOG_TEXT, LOG_IS_INFO);
		for (int first = 0; first < 300; first++) {
			log_begin(&line, LOG_IS_INFO, "e");
			log_octets(&line, "first",
			    (struct octets){ (const uint8_t *)value,
				first < 256 ? (size_t)first : 256 });
			log_text(&line, "k", &"more"[first % 4]);
			for (int i = 0; i < 40; i++)
				log_text(&line, "v", value);
			log_number(&line, "n", first);
			log_end(&line);
			text = written_whole();
			assert_in_range(strlen(text), 3800, 4096);
			assert_string_equal(text + strlen(text) - 2 - json,
			    json ? "\"}\n" : "\"\n");
			assert_null(strstr(text, "n="));
		}
	}
}

/* Whatever room is left for it. */
static void
a_number_is_whole_or_left_out(void **state)
{
	uint8_t value[256];
	struct log_line line;
	unsigned whole = 0, absent = 0;
	const char *text;

	(void)state;
	memset(value, 'a', sizeof(value));
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	for (size_t last = 0; last <= sizeof(value); last++) {
		log_begin(&line, LOG_IS_INFO, "e");
		for (int i = 0; i < 14; i++)
			log_octets(&line, "v",
			    (struct octets){ value, sizeof(value) });
		log_octets(&line, "v", (struct octets){ value, last });
		log_number(&line, "n", 1234567890123456789);
		log_end(&line);
		text = written_whole();
		if (strstr(text, " n=") == NULL)
			absent++;
		else if (strstr(text, " n=1234567890123456789\n") != NULL)
			whole++;
		else
			fail_msg("%s", text);
	}
	assert_int_not_equal(whole, 0);
	assert_int_not_equal(absent, 0);
}

static void
long_values_are_cut_and_long_lines_end_well(void **state)
{
	struct log_line line;
	uint8_t noise[1000];
	const char *text;

	(void)state;
	memset(noise, 'a', sizeof(noise));
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	log_begin(&line, LOG_IS_INFO, "e");
	log_octets(&line, "v", (struct octets){ noise, sizeof(noise) });
	log_end(&line);
	assert_int_equal(strlen(written()), strlen("event=e v=\n") + 256);

	memset(noise, '\n', sizeof(noise));
	for (int json = 0; json < 2; json++) {
		start(json ? CONF_LOG_JSON : CONF_LOG_TEXT, LOG_IS_INFO);
		log_begin(&line, LOG_IS_ERROR, "e");
		for (int i = 0; i < 50; i++)
			log_octets(&line, "v",
			    (struct octets){ noise, sizeof(noise) });
		log_end(&line);
		text = written();
		assert_true(strlen(text) < 4096);
		assert_string_equal(text + strlen(text) - (json ? 3 : 14),
		    json ? "\"}\n" : "\" level=error\n");
	}
}

static void
less_important_lines_are_left_out(void **state)
{
	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_WARNING);
	log_info("quiet", "%d", 1);
	log_debug("quiet", "%d", 1);
	assert_string_equal(written(), "");
	log_warning("loud", "%s is %d", "it", 1);
	assert_string_equal(
	    written(), "event=loud msg=\"it is 1\" level=warning\n");
}

static void
a_stuck_reader_costs_lines_and_no_time(void **state)
{
	struct timespec before, after;
	char drain[65536];
	const char *text;
	int lines = 0;

	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	clock_gettime(CLOCK_MONOTONIC, &before);
	for (int i = 0; i < 20000; i++)
		log_info("flood", "%d", i);
	clock_gettime(CLOCK_MONOTONIC, &after);
	assert_true(after.tv_sec - before.tv_sec < 2);
	while (read(reader, drain, sizeof(drain)) > 0)
		lines++;
	assert_true(lines > 0);
	log_info("after", "x");
	text = written();
	assert_non_null(strstr(text, "event=after msg=x lost="));
	log_info("after", "y");
	assert_string_equal(written(), "event=after msg=y\n");
}

/* One that has given up root cannot open the pipe of root again. */
static void
nor_from_who_cannot_open_the_pipe_again(void **state)
{
	struct conf_log conf = { .target = CONF_LOG_FILE,
		.level = LOG_IS_INFO };
	int fds[2], ended;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	if ((pid = fork()) == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		prctl(PR_SET_DUMPABLE, 0);
		alarm(5);
		log_start("waybill-test", &conf, fds[1]);
		for (int i = 0; i < 2000; i++)
			log_info("flood", "%d", i);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &ended, 0), pid);
	assert_true(WIFEXITED(ended));
	assert_int_equal(WEXITSTATUS(ended), 0);
	close(fds[0]);
	close(fds[1]);
}

static void
a_reader_that_left_does_not_kill(void **state)
{
	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	close(reader);
	errno = 42;
	log_info("nobody", "reads");
	assert_int_equal(errno, 42);
}

/* The text that came at once, and how many lines it is. */
static size_t
lines_at_once(char *text, size_t size)
{
	ssize_t n = read(reader, text, size - 1);
	size_t lines = 0;

	text[n > 0 ? n : 0] = '\0';
	for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
		lines++;
	return lines;
}

/* The last of all: what is begun here is for the whole process. */
static void
gathered_lines_leave_together(void **state)
{
	static char text[1 << 20];
	char longest[200];
	size_t seen;

	(void)state;
	start(CONF_LOG_TEXT, LOG_IS_INFO);
	log_gather();
	log_info("one", "1");
	log_info("two", "2");
	assert_int_equal(lines_at_once(text, sizeof(text)), 0);
	log_flush();
	assert_int_equal(lines_at_once(text, sizeof(text)), 2);
	assert_true(strstr(text, "event=one") < strstr(text, "event=two"));
	log_flush();
	assert_int_equal(lines_at_once(text, sizeof(text)), 0);
	/* An error does not wait, and what came before it neither. */
	log_info("one", "1");
	log_error("two", "2");
	assert_int_equal(lines_at_once(text, sizeof(text)), 2);
	/* More than a write can take whole leaves in several. */
	memset(longest, 'x', sizeof(longest));
	for (int i = 0; i < 100; i++)
		log_info("many", "%.*s", (int)sizeof(longest), longest);
	log_flush();
	assert_int_equal(lines_at_once(text, sizeof(text)), 100);
	/* What nobody read in time is told of, however many writes it was. */
	for (int i = 0; i < 1000; i++)
		log_info("burst", "%.*s", (int)sizeof(longest), longest);
	log_flush();
	seen = lines_at_once(text, sizeof(text));
	assert_true(seen < 1000);
	log_info("after", "1");
	log_flush();
	assert_int_equal(lines_at_once(text, sizeof(text)), 1);
	assert_non_null(strstr(text, " lost="));
	assert_int_equal(
	    strtoul(strstr(text, " lost=") + 6, NULL, 10) + seen, 1000);
	log_info("after", "2");
	log_flush();
	lines_at_once(text, sizeof(text));
	assert_null(strstr(text, " lost="));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(time_program_and_pid_stand_before_all),
		cmocka_unit_test(session_stands_before_event_and_fields),
		cmocka_unit_test(text_of_peers_is_escaped),
		cmocka_unit_test(one_octet_anywhere_makes_a_value_quoted),
		cmocka_unit_test(a_line_is_full_at_any_octet),
		cmocka_unit_test(a_number_is_whole_or_left_out),
		cmocka_unit_test(long_values_are_cut_and_long_lines_end_well),
		cmocka_unit_test(less_important_lines_are_left_out),
		cmocka_unit_test(a_stuck_reader_costs_lines_and_no_time),
		cmocka_unit_test(nor_from_who_cannot_open_the_pipe_again),
		cmocka_unit_test(a_reader_that_left_does_not_kill),
		cmocka_unit_test(gathered_lines_leave_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
