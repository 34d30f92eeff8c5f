/*
 * Fuzzes the header scanner (RFC 5322 2.2): the first octet says in what
 * pieces to feed. The message must come out as it went in, but for what is
 * added, and the notes must not depend on the pieces.
 */
#include "proxy/header.h"

#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define ADD "Message-ID: <new@id>\r\n"

/* What the scanner may be given: CRLF line ends only. */
static size_t
make_canonical(const uint8_t *data, size_t size, uint8_t *out)
{
	struct data_span in = { data, size }, text;
	struct data_scan scan;
	size_t len = 0;

	data_scan_init(&scan);
	while (data_scan_next(&scan, &in, &text)) {
		memcpy(out + len, text.at, text.len);
		len += text.len;
	}
	return len;
}

static const char *
the_id(void *arg)
{
	(void)arg;
	return ADD;
}

static size_t
drain(struct header_scan *scan, struct data_span *in, uint8_t *out)
{
	struct data_span part;
	size_t len = 0;

	while (header_next(scan, in, &part)) {
		memcpy(out + len, part.at, part.len);
		len += part.len;
	}
	MUST(in->len == 0);
	return len;
}

static size_t
run(struct header_scan *scan, const uint8_t *text, size_t size, size_t piece,
    uint8_t *out)
{
	struct data_span in = { NULL, 0 };
	size_t len = 0;

	header_init(scan, the_id, NULL);
	for (size_t at = 0; at < size; at += piece) {
		size_t n = piece < size - at ? piece : size - at;
		uint8_t *copy = malloc(n);

		MUST(copy != NULL);
		memcpy(copy, text + at, n);
		in = (struct data_span){ copy, n };
		len += drain(scan, &in, out + len);
		free(copy);
	}
	header_finish(scan);
	MUST(scan->state == HEADER_ENDED);
	return len + drain(scan, &in, out + len);
}

static void
check_note(const struct header_note *a, const struct header_note *b)
{
	MUST(a->len <= a->max && strlen(a->text) == a->len);
	MUST(a->count == b->count && a->cut == b->cut);
	MUST(strcmp(a->text, b->text) == 0);
	MUST(strpbrk(a->text, "\r\n") == NULL);
}

static void
check_message(const struct header_scan *scan, const uint8_t *text, size_t size,
    const uint8_t *out, size_t len)
{
	size_t end = (size_t)scan->octets, add = len - size;

	MUST(end <= size && memcmp(out, text, end) == 0);
	MUST(memcmp(out + end + add, text + end, size - end) == 0);
	if (scan->message_id.count > 0) {
		MUST(add == 0);
	} else {
		MUST(memcmp(out + end, ADD, strlen(ADD)) == 0);
		MUST(add == strlen(ADD) || add == strlen(ADD "\r\n"));
	}
	if (scan->message_id.len > 0)
		MUST(scan->message_id.text[0] == '<' &&
		    scan->message_id.text[scan->message_id.len - 1] == '>');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct header_scan whole, pieces;
	uint8_t *text, *one, *two;
	size_t len, first, second;

	if (size < 1)
		return 0;
	text = malloc(2 * size);
	one = malloc(2 * size + sizeof(ADD) + 2);
	two = malloc(2 * size + sizeof(ADD) + 2);
	MUST(text != NULL && one != NULL && two != NULL);
	len = make_canonical(data + 1, size - 1, text);
	first = run(&whole, text, len, len + 1, one);
	second = run(&pieces, text, len, data[0] > 0 ? data[0] : 1, two);
	check_message(&whole, text, len, one, first);
	MUST(first == second && memcmp(one, two, first) == 0);
	MUST(whole.octets == pieces.octets);
	check_note(&whole.message_id, &pieces.message_id);
	check_note(&whole.subject, &pieces.subject);
	free(text);
	free(one);
	free(two);
	return 0;
}
