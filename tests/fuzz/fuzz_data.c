/*
 * Fuzzes the DATA scanner and writer (RFC 5321 4.5.2): the first octet
 * says in what pieces to feed; the output must be one message, the same
 * however it was fed.
 */
#include "proxy/data.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/*
 * Room that is enough for what len octets from the client become, stuffed:
 * each of them at most two (a bare CR or LF becomes CRLF, a dot behind it is
 * stuffed), and a CR that came before.
 */
#define DATA_OUT_MAX(len) (2 * (len) + 2)

struct output {
	uint8_t *at;
	size_t len, used;
	enum data_state state;
	bool bare;
};

/* Each piece in memory of its own, so that reading past it is seen. */
static size_t
feed(struct data_scan *scan, struct data_stuff *stuff, const uint8_t *data,
    size_t size, uint8_t *out)
{
	uint8_t *piece = malloc(size);
	struct data_span in = { piece, size }, text;
	size_t len = 0;

	MUST(piece != NULL);
	memcpy(piece, data, size);
	while (data_scan_next(scan, &in, &text)) {
		if (data_wants_dot(stuff, text.at, text.len))
			out[len++] = '.';
		if (text.len > 0)
			memcpy(out + len, text.at, text.len);
		len += text.len;
	}
	MUST(len <= DATA_OUT_MAX(size));
	MUST(in.len == 0 || scan->state == DATA_ENDED);
	free(piece);
	return len;
}

static void
run(const uint8_t *data, size_t size, size_t piece, struct output *o)
{
	struct data_scan scan;
	struct data_stuff stuff;

	memset(o, 0, sizeof(*o));
	o->at = malloc(DATA_OUT_MAX(size) + DATA_END_MAX);
	MUST(o->at != NULL);
	data_scan_init(&scan);
	data_stuff_init(&stuff);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = piece < size - at ? piece : size - at;

		o->len += feed(&scan, &stuff, data + at, n, o->at + o->len);
	}
	if (scan.state == DATA_ENDED)
		o->len += data_stuff_end(&stuff, o->at + o->len);
	o->used = (size_t)scan.in;
	o->state = scan.state;
	o->bare = scan.saw_bare;
	MUST(scan.in <= size);
}

/* Any MSA, however lax, must see one message that ends at the end. */
static void
check_output(const struct output *o)
{
	const uint8_t *at = o->at;

	for (size_t i = 0; i < o->len; i++) {
		if (at[i] == '\n')
			MUST(i > 0 && at[i - 1] == '\r');
		if (at[i] == '\r')
			MUST(i + 1 < o->len && at[i + 1] == '\n');
		if (at[i] == '.' && (i == 0 || at[i - 1] == '\n') &&
		    i + 1 < o->len && at[i + 1] == '\r')
			MUST(o->state == DATA_ENDED && i + 3 == o->len);
	}
	if (o->state == DATA_ENDED)
		MUST(o->len >= 3 && memcmp(at + o->len - 3, ".\r\n", 3) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct output whole, pieces;
	size_t piece;

	if (size < 2)
		return 0;
	piece = data[0] > 0 ? data[0] : 1;
	run(data + 1, size - 1, size, &whole);
	check_output(&whole);
	run(data + 1, size - 1, piece, &pieces);
	MUST(whole.state == pieces.state && whole.used == pieces.used);
	MUST(whole.bare == pieces.bare && whole.len == pieces.len);
	MUST(memcmp(whole.at, pieces.at, whole.len) == 0);
	free(whole.at);
	free(pieces.at);
	return 0;
}
