/*
 * The export format of systemd's journal: "NAME=value" lines, or NAME, a
 * length of eight octets and as much, up to an empty line.
 */
#include "track/journal.h"

#include <stdlib.h>
#include <string.h>

#include "track/scan.h"

enum { NAME_MAX_LEN = 128, SMALL = 256, LENGTH = 8 };

struct text {
	size_t len;
	uint8_t data[SMALL];
};

struct journal {
	uid_t trusted;
	journal_entry *entry;
	void *arg;
	uint64_t refused;
	uint64_t skip;	   /* octets of a field that is too long */
	bool skip_to_line; /* the same without a length */
	/* The entry so far. */
	uint64_t time;
	uint32_t pid;
	uint32_t uid;
	bool has_uid;
	bool has_message;
	struct text host;
	struct text program;
	char cursor[FOLLOW_CURSOR_MAX + 1];
	size_t message_len;
	uint8_t message[JOURNAL_FIELD_MAX];
};

struct journal *
journal_new(uid_t uid, journal_entry *entry, void *arg)
{
	struct journal *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->trusted = uid;
	j->entry = entry;
	j->arg = arg;
	return j;
}

void
journal_free(struct journal *j)
{
	free(j);
}

uint64_t
journal_refused(const struct journal *j)
{
	return j->refused;
}

static bool
get_number(struct octets value, uint32_t *number)
{
	return scan_number(&value, UINT32_MAX, number) && value.len == 0;
}

static void
set_text(struct text *text, struct octets value)
{
	text->len = value.len <= SMALL ? value.len : 0;
	memcpy(text->data, value.data, text->len);
}

static void
set_host(struct journal *j, struct octets value)
{
	set_text(&j->host, value);
}

static void
set_program(struct journal *j, struct octets value)
{
	set_text(&j->program, value);
}

static void
set_pid(struct journal *j, struct octets value)
{
	if (!get_number(value, &j->pid))
		j->pid = 0;
}

static void
set_uid(struct journal *j, struct octets value)
{
	j->has_uid = get_number(value, &j->uid);
}

/* Microseconds since 1970. */
static void
set_time(struct journal *j, struct octets value)
{
	uint64_t n = 0;

	for (size_t i = 0; i < value.len && i < 19; i++) {
		if (value.data[i] < '0' || value.data[i] > '9')
			return;
		n = n * 10 + (uint64_t)(value.data[i] - '0');
	}
	j->time = n / 1000;
}

static void
set_cursor(struct journal *j, struct octets value)
{
	if (value.len > FOLLOW_CURSOR_MAX ||
	    memchr(value.data, '\0', value.len) != NULL ||
	    memchr(value.data, '\n', value.len) != NULL)
		return;
	memcpy(j->cursor, value.data, value.len);
	j->cursor[value.len] = '\0';
}

/* A line of a log is one line. */
static void
set_message(struct journal *j, struct octets value)
{
	if (value.len > JOURNAL_FIELD_MAX ||
	    memchr(value.data, '\0', value.len) != NULL ||
	    memchr(value.data, '\n', value.len) != NULL)
		return;
	memcpy(j->message, value.data, value.len);
	j->message_len = value.len;
	j->has_message = true;
}

static const struct {
	const char *name;
	void (*set)(struct journal *, struct octets);
} fields[] = {
	{ "__CURSOR", set_cursor },
	{ "__REALTIME_TIMESTAMP", set_time },
	{ "_HOSTNAME", set_host },
	{ "_PID", set_pid },
	{ "_UID", set_uid },
	{ "SYSLOG_IDENTIFIER", set_program },
	{ "MESSAGE", set_message },
	{ NULL, NULL },
};

static void
set_field(struct journal *j, struct octets name, struct octets value)
{
	for (size_t i = 0; fields[i].name != NULL; i++)
		if (scan_is(name, fields[i].name))
			fields[i].set(j, value);
}

static void
end_entry(struct journal *j)
{
	const struct syslog_line line = {
		.time = j->time,
		.host = { j->host.data, j->host.len },
		.program = { j->program.data, j->program.len },
		.pid = j->pid,
		.text = { j->message, j->message_len },
	};
	bool good = j->has_message && j->program.len > 0 && j->time > 0 &&
	    j->has_uid && (j->uid == 0 || j->uid == j->trusted);

	if (good)
		j->entry(j->arg, &line, j->cursor);
	else
		j->refused++;
	j->time = 0;
	j->pid = 0;
	j->has_uid = j->has_message = false;
	j->host.len = j->program.len = j->message_len = 0;
	j->cursor[0] = '\0';
}

static uint64_t
little_endian(const uint8_t *at)
{
	uint64_t n = 0;

	for (int i = LENGTH; i-- > 0;)
		n = n << 8 | at[i];
	return n;
}

/* After "NAME\n": a length, as many octets, and the end of a line. */
static size_t
take_binary(struct journal *j, struct octets name, struct octets at)
{
	size_t head = name.len + 1 + LENGTH;
	uint64_t len;

	if (at.len < head)
		return 0;
	len = little_endian(at.data + name.len + 1);
	if (len > JOURNAL_FIELD_MAX) {
		j->skip = len < UINT64_MAX ? len + 1 : len;
		return head;
	}
	if (at.len < head + len + 1)
		return 0;
	set_field(j, name, (struct octets){ at.data + head, (size_t)len });
	return head + (size_t)len + 1;
}

static size_t
take_skipped(struct journal *j, struct octets at)
{
	const uint8_t *newline;
	size_t len = at.len;

	if (j->skip_to_line) {
		newline = memchr(at.data, '\n', at.len);
		j->skip_to_line = newline == NULL;
		return newline != NULL ? (size_t)(newline - at.data) + 1 : len;
	}
	if (j->skip < len)
		len = (size_t)j->skip;
	j->skip -= len;
	return len;
}

size_t
journal_take(struct journal *j, struct octets at)
{
	struct octets line, name;

	if (at.len == 0)
		return 0;
	if (j->skip > 0 || j->skip_to_line)
		return take_skipped(j, at);
	line = at;
	if (!scan_before(&line, "\n", &name)) {
		if (at.len <= JOURNAL_FIELD_MAX + NAME_MAX_LEN)
			return 0;
		j->skip_to_line = true;
		return at.len;
	}
	line = name;
	if (line.len == 0)
		end_entry(j);
	else if (!scan_before(&line, "=", &name))
		return take_binary(j, name, at);
	else
		set_field(j, name, line);
	return (size_t)(line.data + line.len - at.data) + 1;
}
