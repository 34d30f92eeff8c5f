/*
 * The journal's export, and the record of where the reading stands.
 */
#include "track/journal.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { POSTFIX = 101, SEEN_MAX = 4096 };

struct seen {
	size_t len;
	char text[SEEN_MAX];
};

static void
on_entry(void *arg, const struct syslog_line *line, const char *cursor)
{
	struct seen *seen = arg;

	seen->len += (size_t)snprintf(seen->text + seen->len,
	    SEEN_MAX - seen->len, "%llu %.*s %.*s[%u]: %.*s (%s)\n",
	    (unsigned long long)line->time, (int)line->host.len,
	    (const char *)line->host.data, (int)line->program.len,
	    (const char *)line->program.data, line->pid, (int)line->text.len,
	    (const char *)line->text.data, cursor);
}

/* Feed octets in pieces, as they come from a pipe; returns what was refused. */
static uint64_t
feed(const void *data, size_t len, size_t piece, struct seen *seen)
{
	struct journal *j = journal_new(POSTFIX, on_entry, seen);
	const uint8_t *at = data;
	size_t have = 0, used;
	uint64_t refused;

	seen->len = 0;
	seen->text[0] = '\0';
	while (len > 0) {
		have = have + piece < len ? have + piece : len;
		while (
		    (used = journal_take(j, (struct octets){ at, have })) > 0) {
			assert_true(used <= have);
			at += used;
			len -= used;
			have -= used;
		}
		if (have == len)
			break;
	}
	refused = journal_refused(j);
	journal_free(j);
	return refused;
}

#define ENTRY(uid, message)                                                    \
	"__CURSOR=s=1;i=2\n__REALTIME_TIMESTAMP=1795313349123456\n"            \
	"_HOSTNAME=mail\n_UID=" uid "\n_PID=77\n_COMM=qmgr\n"                  \
	"SYSLOG_IDENTIFIER=postfix/qmgr\nSYSLOG_PID=1\n" message "\n\n"

static void
only_root_and_the_msa_are_heard(void **state)
{
	static const char text[] = ENTRY("0", "MESSAGE=one: removed")
	    ENTRY("101", "MESSAGE=two: removed")
		ENTRY("1000", "MESSAGE=forged: removed")
		    ENTRY("x", "MESSAGE=forged: removed")
			ENTRY("101", "OTHER=none");
	struct seen seen;

	(void)state;
	for (size_t piece = 1; piece < 100; piece += 7) {
		assert_int_equal(feed(text, sizeof(text) - 1, piece, &seen), 3);
		assert_string_equal(seen.text,
		    "1795313349123 mail postfix/qmgr[77]: one: removed "
		    "(s=1;i=2)\n"
		    "1795313349123 mail postfix/qmgr[77]: two: removed "
		    "(s=1;i=2)\n");
	}
}

static void
binary_fields_are_read(void **state)
{
	static const char text[] = ENTRY("0", "MESSAGE\n\x03\0\0\0\0\0\0\0abc")
	    ENTRY("0", "MESSAGE\n\x07\0\0\0\0\0\0\0abc\ndef")
		ENTRY("0", "X\n\x01\0\0\0\0\0\0\0\n\nMESSAGE=d");
	struct seen seen;

	(void)state;
	assert_int_equal(feed(text, sizeof(text) - 1, 5, &seen), 1);
	assert_string_equal(seen.text,
	    "1795313349123 mail postfix/qmgr[77]: abc (s=1;i=2)\n"
	    "1795313349123 mail postfix/qmgr[77]: d (s=1;i=2)\n");
}

static void
fields_of_any_length_are_passed_over(void **state)
{
	static const char first[] = "LONG=", binary[] = "B\n\0\0\x10\0\0\0\0\0",
			  last[] = ENTRY("0", "MESSAGE=after");
	const size_t megabyte = 1 << 20;
	size_t len = 0;
	char *text = malloc(3 * megabyte);
	struct seen seen;

	(void)state;
	memcpy(text, first, sizeof(first) - 1);
	len = sizeof(first) - 1;
	memset(text + len, 'x', megabyte);
	len += megabyte;
	text[len++] = '\n';
	memcpy(text + len, binary, sizeof(binary) - 1);
	len += sizeof(binary) - 1;
	memset(text + len, '\n', megabyte);
	len += megabyte;
	text[len++] = '\n';
	memcpy(text + len, last, sizeof(last) - 1);
	len += sizeof(last) - 1;
	assert_int_equal(feed(text, len, 200000, &seen), 0);
	assert_string_equal(seen.text,
	    "1795313349123 mail postfix/qmgr[77]: after (s=1;i=2)\n");
	free(text);
}

static void
a_record_is_read_as_it_was_written(void **state)
{
	char path[] = "/tmp/follow_record.XXXXXX";
	struct follow_record record = { .device = 1,
		.inode = UINT64_MAX,
		.offset = 3,
		.has_first = true,
		.first = { 0xde, 0xad },
		.cursor = "s=1;i=2" };
	struct follow_record got;
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	assert_int_equal(follow_record_write(path, &record), 0);
	assert_int_equal(follow_record_read(path, &got), 0);
	assert_memory_equal(&got, &record, sizeof(got));
	record.has_first = false;
	memset(record.first, 0, sizeof(record.first));
	record.cursor[0] = '\0';
	memset(record.cursor, 0, sizeof(record.cursor));
	assert_int_equal(follow_record_write(path, &record), 0);
	assert_int_equal(follow_record_read(path, &got), 0);
	assert_memory_equal(&got, &record, sizeof(got));
	unlink(path);
	assert_int_equal(follow_record_read(path, &got), 0);
	assert_int_equal(got.inode, 0);
	assert_int_equal(follow_record_write("/nowhere/x", &record), -1);
	assert_int_equal(errno, ENOENT);
}

static void
a_file_that_is_no_record_is_refused(void **state)
{
	static const char *const bad[] = { "", "waybill-feed 1\n",
		"waybill-feed 2\ndevice 1\ninode 2\noffset 3\nfirst -\n"
		"cursor \n",
		"waybill-feed 1\ndevice 1\ninode 2\noffset -3\nfirst -\n"
		"cursor \n",
		"waybill-feed 1\ndevice 1\ninode 2\n"
		"offset 99999999999999999999\nfirst -\ncursor \n",
		"waybill-feed 1\ndevice 1\ninode 2\noffset 3\nfirst ab\n"
		"cursor \n",
		"waybill-feed 1\ndevice 1\ninode 2\noffset 3\nfirst -\n"
		"cursor ",
		"waybill-feed 1\ndevice 1\ninode 2\noffset 3\nfirst -\n"
		"cursor \nmore\n" };
	char path[] = "/tmp/follow_record.XXXXXX";
	struct follow_record got;

	(void)state;
	close(mkstemp(path));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		FILE *file = fopen(path, "w");

		fputs(bad[i], file);
		fclose(file);
		assert_int_equal(follow_record_read(path, &got), -1);
		assert_int_equal(errno, EBADMSG);
	}
	unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_root_and_the_msa_are_heard),
		cmocka_unit_test(binary_fields_are_read),
		cmocka_unit_test(fields_of_any_length_are_passed_over),
		cmocka_unit_test(a_record_is_read_as_it_was_written),
		cmocka_unit_test(a_file_that_is_no_record_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
