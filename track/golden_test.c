/*
 * Golden files: logs of real and of forged lines under tests/golden/logs,
 * NAME.in, and the steps they become, NAME.out. GOLDEN_WRITE=1 writes these.
 */
#include "track/log_join.h"
#include "track/log_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/status.h"
#include "common/timestamp.h"

#define FOLDER "tests/golden/logs/"

/* 2026-11-23, a day after the newest line. */
#define NOW 1795392000000ULL

static void
show(FILE *out, const char *name, struct octets value)
{
	if (value.len > 0)
		fprintf(out, "\t%s=%.*s\n", name, (int)value.len,
		    (const char *)value.data);
}

static void
show_status(FILE *out, const struct history_event *s)
{
	fprintf(out, " %s %s\n", status_action_name(s->action), s->status);
	show(out, "recipient", s->recipient);
	show(out, "original", s->original);
	show(out, "remote_mta", s->remote_mta);
	show(out, "remote_address", s->remote_address);
	show(out, "tls", s->tls);
	show(out, "reply", s->reply);
}

static void
show_step(void *arg, const struct log_event *step)
{
	FILE *out = arg;
	char time[TIMESTAMP_SIZE];

	timestamp_write(step->status.time, time);
	fprintf(out, "%s %.*s", time, (int)step->queue_id.len,
	    (const char *)step->queue_id.data);
	if (step->kind == LOGGED_STATUS)
		show_status(out, &step->status);
	else if (step->kind == LOGGED_JOIN)
		fprintf(out, " is %.*s\n", (int)step->next_id.len,
		    (const char *)step->next_id.data);
	else
		fprintf(out, " ends\n");
}

static void
read_log(const char *name, struct log_reader *reader, FILE *out)
{
	const struct log_join_options options = { 0 };
	struct log_join *join = log_join_new(&options, show_step, out);
	char path[128], *line = NULL;
	struct log_event event;
	size_t size = 0;
	ssize_t len;
	FILE *in;

	assert_non_null(join);
	snprintf(path, sizeof(path), FOLDER "%s.in", name);
	assert_non_null(in = fopen(path, "r"));
	while ((len = getline(&line, &size, in)) > 0) {
		struct octets text = { (uint8_t *)line, (size_t)len - 1 };

		log_reader_line(reader, text, &event);
		log_join_add(join, &event);
	}
	fclose(in);
	free(line);
	log_join_free(join);
}

static char *
read_file(const char *path, const char *mode, const char *write)
{
	FILE *file = fopen(path, mode);
	char *text = NULL;
	size_t len = 0;

	assert_non_null(file);
	if (write != NULL)
		fputs(write, file);
	else
		assert_true(getdelim(&text, &len, '\0', file) >= 0);
	fclose(file);
	return text;
}

static void
assert_golden(const char *name, enum log_format format)
{
	struct log_reader reader = { .format = format,
		.clock = { .now = NOW } };
	char path[128], *want, *got = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&got, &len);

	read_log(name, &reader, out);
	fprintf(out, "%llu lines, %llu of them say nothing\n",
	    (unsigned long long)reader.lines,
	    (unsigned long long)reader.ignored);
	fclose(out);
	log_reader_free(&reader);
	snprintf(path, sizeof(path), FOLDER "%s.out", name);
	if (getenv("GOLDEN_WRITE") != NULL)
		read_file(path, "w", got);
	want = read_file(path, "r", NULL);
	if (strcmp(want, got) != 0)
		print_error("%s is not what %s.in becomes\n", path, name);
	assert_string_equal(got, want);
	free(want);
	free(got);
}

static void
postfix_logs_become_steps(void **state)
{
	static const char *const names[] = { "postfix-3.7-long-ids",
		"postfix-3.7-short-ids", "postfix-3.7-filter",
		"postfix-3.7-expired", "postfix-3.7-aliases",
		"postfix-versions", "postfix-rfc5424", "postfix-forged" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_golden(names[i], LOG_FORMAT_POSTFIX);
}

static void
exim_logs_become_steps(void **state)
{
	static const char *const names[] = { "exim-4.96", "exim-4.96-all",
		"exim-4.96-zone", "exim-versions", "exim-forged" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_golden(names[i], LOG_FORMAT_EXIM);
}

static void
json_logs_become_steps(void **state)
{
	(void)state;
	assert_golden("json", LOG_FORMAT_JSON);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(postfix_logs_become_steps),
		cmocka_unit_test(exim_logs_become_steps),
		cmocka_unit_test(json_logs_become_steps),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
