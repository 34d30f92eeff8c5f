/*
 * Fuzzes the reply reader (RFC 5321 4.2): the first octet says where to
 * split, and splitting must make no difference.
 */
#include "proxy/reply.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static void
check_lines(const struct reply *r)
{
	MUST(r->len <= REPLY_MAX && strlen(r->text) == r->len);
	MUST(r->code >= 200 && r->code <= 599);
	for (size_t i = 0; i < r->len; i++) {
		MUST((r->text[i] == '\r') == (r->text[i + 1] == '\n'));
		if (i == 0 || r->text[i - 1] == '\n')
			MUST(atoi(r->text + i) == r->code);
	}
}

static void
check_complete(const struct reply *r)
{
	char id[REPLY_QUEUE_ID], out[REPLY_MAX + 64];
	struct reply again;
	size_t len;

	check_lines(r);
	MUST(reply_last_text(r, &len) + len + 2 == r->text + r->len);
	MUST(reply_queue_id(r, id, sizeof(id)) == strlen(id));

	len = reply_append_envid(r, "local@host.example", out, sizeof(out));
	MUST(len >= r->len && len <= r->len + 21);
	reply_init(&again);
	MUST(reply_feed(&again, out, len) == len);
	MUST(again.complete && again.code == r->code);
	MUST(again.lines == r->lines);
	reply_clear(&again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reply whole, parts;
	const char *in = (const char *)data + 1;
	size_t split, used;

	if (size < 1)
		return 0;
	size--;
	split = data[0] < size ? data[0] : size;
	reply_init(&whole);
	used = reply_feed(&whole, in, size);
	MUST(used <= size);
	if (whole.complete)
		check_complete(&whole);
	else
		MUST(used == size || whole.error != REPLY_OK);

	reply_init(&parts);
	if (reply_feed(&parts, in, split) == split)
		reply_feed(&parts, in + split, size - split);
	MUST(parts.complete == whole.complete);
	MUST(parts.error == whole.error);
	if (whole.complete)
		MUST(parts.len == whole.len &&
		    memcmp(parts.text, whole.text, whole.len) == 0);
	reply_clear(&whole);
	reply_clear(&parts);
	return 0;
}
