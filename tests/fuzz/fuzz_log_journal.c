/*
 * Fuzzes the reader of the journal's export: the first octet says in what
 * pieces it comes, which must make no difference.
 */
#include "track/journal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/log_checks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { UID = 101 };

struct sum {
	uint64_t entries;
	uint64_t octets;
};

static void
add_entry(void *arg, const struct syslog_line *line, const char *cursor)
{
	struct sum *sum = arg;

	check_text(line->host, 256);
	check_text(line->program, 256);
	check_text(line->text, JOURNAL_FIELD_MAX);
	MUST(strlen(cursor) <= FOLLOW_CURSOR_MAX);
	sum->entries++;
	sum->octets += line->host.len + line->program.len + line->text.len +
	    strlen(cursor) + line->time + line->pid;
}

static struct sum
feed(const uint8_t *data, size_t size, size_t piece)
{
	struct sum sum = { 0, 0 };
	struct journal *j = journal_new(UID, add_entry, &sum);
	size_t have = 0, used;

	MUST(j != NULL);
	while (have < size) {
		have = size - have > piece ? have + piece : size;
		while ((used = journal_take(j, (struct octets){ data, have })) >
		    0) {
			MUST(used <= have);
			data += used;
			size -= used;
			have -= used;
		}
	}
	journal_free(j);
	return sum;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum whole, parts;

	if (size < 1)
		return 0;
	whole = feed(data + 1, size - 1, size);
	parts = feed(data + 1, size - 1, (size_t)data[0] + 1);
	MUST(whole.entries == parts.entries && whole.octets == parts.octets);
	return 0;
}
