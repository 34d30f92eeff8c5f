/*
 * Tests of the DATA scanner and writer (RFC 5321 4.5.2): nothing within a
 * message may end it, here or at the MSA.
 */
#include "proxy/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROOM	     512

/* Octets, and how many: what a reader got, or a writer wrote. */
struct octets {
	uint8_t at[ROOM];
	size_t len;
};

static void
add(struct octets *to, const void *from, size_t len)
{
	assert_true(to->len + len <= ROOM);
	memcpy(to->at + to->len, from, len);
	to->len += len;
}

/* What became of a stream of the client's. */
struct result {
	struct octets text; /* canonical */
	struct octets sent; /* stuffed, and ended if the message did */
	size_t used;
	bool ended;
	bool bare;
};

static void
pass(struct data_scan *scan, struct data_stuff *stuff,
    const struct octets *from, struct result *to)
{
	struct data_span in = { from->at, from->len }, text;
	while (data_scan_next(scan, &in, &text)) {
		if (data_wants_dot(stuff, text.at, text.len))
			add(&to->sent, ".", 1);
		add(&to->text, text.at, text.len);
		add(&to->sent, text.at, text.len);
	}
	to->used += from->len - in.len;
}

/* Feed in in pieces of at most first, then then, octets. */
static void
run(const struct octets *in, size_t first, size_t then, struct result *to)
{
	struct data_scan scan;
	struct data_stuff stuff;
	uint8_t end[DATA_END_MAX];

	memset(to, 0, sizeof(*to));
	data_scan_init(&scan);
	data_stuff_init(&stuff);
	for (size_t at = 0, n = first; at < in->len; at += n, n = then) {
		struct octets piece = { .len = 0 };

		if (n > in->len - at)
			n = in->len - at;
		add(&piece, in->at + at, n);
		pass(&scan, &stuff, &piece, to);
	}
	to->ended = scan.state == DATA_ENDED;
	to->bare = scan.saw_bare;
	if (to->ended)
		add(&to->sent, end, data_stuff_end(&stuff, end));
	assert_int_equal(scan.in, to->used);
	assert_int_equal(scan.out, to->text.len);
}

/*
 * The rules said another way: cut at CRLF, look at each line as a whole.
 * Returns the octets up to the end of the message, or 0 if it has none.
 */
static size_t
naive_read(const struct octets *in, struct octets *text, bool *bare)
{
	size_t begin = 0;

	text->len = 0;
	*bare = false;
	for (size_t i = 0; i + 1 < in->len; i++) {
		size_t at = begin;

		if (in->at[i] != '\r' || in->at[i + 1] != '\n')
			continue;
		if (i - begin == 1 && in->at[begin] == '.')
			return i + 2;
		if (in->at[begin] == '.')
			at++;
		for (; at < i; at++) {
			uint8_t c = in->at[at];

			if (c == '\r' || c == '\n') {
				*bare = true;
				add(text, "\r\n", 2);
			} else
				add(text, &c, 1);
		}
		add(text, "\r\n", 2);
		begin = i + 2;
		i++;
	}
	return 0;
}

static void
has_no_bare_line_end(const struct octets *o)
{
	for (size_t i = 0; i < o->len; i++) {
		if (o->at[i] == '\r')
			assert_true(i + 1 < o->len && o->at[i + 1] == '\n');
		if (o->at[i] == '\n')
			assert_true(i > 0 && o->at[i - 1] == '\r');
	}
}

static void
check_stream(const struct octets *in)
{
	struct octets want, again;
	struct result whole, pieces;
	size_t end;
	bool bare, none;

	end = naive_read(in, &want, &bare);
	assert_true(end > 0);
	run(in, in->len, in->len, &whole);
	assert_true(whole.ended);
	assert_int_equal(whole.used, end);
	assert_int_equal(whole.bare, bare);
	assert_int_equal(whole.text.len, want.len);
	assert_memory_equal(whole.text.at, want.at, want.len);

	has_no_bare_line_end(&whole.sent);
	assert_int_equal(
	    naive_read(&whole.sent, &again, &none), whole.sent.len);
	assert_int_equal(again.len, want.len);
	assert_memory_equal(again.at, want.at, want.len);

	for (size_t split = 0; split <= in->len; split++) {
		if (split == 0)
			run(in, 1, 1, &pieces);
		else
			run(in, split, in->len, &pieces);
		assert_int_equal(pieces.used, end);
		assert_int_equal(pieces.bare, bare);
		assert_int_equal(pieces.sent.len, whole.sent.len);
		assert_memory_equal(
		    pieces.sent.at, whole.sent.at, whole.sent.len);
	}
}

static void
no_mix_of_cr_lf_and_dot_smuggles(void **state)
{
	static const char alphabet[] = { '\r', '\n', '.', 'a' };

	(void)state;
	for (size_t len = 0; len <= 7; len++) {
		for (unsigned long word = 0; word < 1UL << 2 * len; word++) {
			struct octets in = { .len = 0 };

			for (size_t i = 0; i < len; i++)
				add(&in, &alphabet[word >> 2 * i & 3], 1);
			add(&in, "\r\n.\r\n", 5);
			check_stream(&in);
		}
	}
}

static const char *const smuggling[] = {
	"a\n.\nMAIL FROM:<>\r\n",
	"a\n.\r\nMAIL FROM:<>\r\n",
	"a\r\n.\nMAIL FROM:<>\r\n",
	"a\r.\rMAIL FROM:<>\r\n",
	"a\r\n.\rMAIL FROM:<>\r\n",
	"a\r.\r\nMAIL FROM:<>\r\n",
	"a\r\r\n.\r\r\nMAIL FROM:<>\r\n",
	"a\n\n.\r\nMAIL FROM:<>\r\n",
	"a\r\n\n.\r\nMAIL FROM:<>\r\n",
	"a\n\r.\r\nMAIL FROM:<>\r\n",
	"\n.\r\nMAIL FROM:<>\r\n",
};

static void
known_smuggling_sequences_stay_within(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(smuggling); i++) {
		struct octets in = { .len = 0 };
		struct result got;

		add(&in, smuggling[i], strlen(smuggling[i]));
		add(&in, ".\r\nQUIT\r\n", 9);
		run(&in, in.len, in.len, &got);
		assert_true(got.bare);
		assert_int_equal(got.used, strlen(smuggling[i]) + 3);
		check_stream(&in);
	}
}

/* Octets are looked at in blocks: there is no edge to hide behind. */
static void
nor_do_they_hide_at_the_edge_of_a_block(void **state)
{
	enum { BEFORE = 270, BEHIND = 140 };
	char filler[BEFORE];

	(void)state;
	memset(filler, 'a', sizeof(filler));
	for (size_t i = 0; i < COUNT(smuggling); i++) {
		for (size_t before = 0; before <= BEFORE; before++) {
			struct octets in = { .len = 0 };
			struct result got;

			add(&in, filler, before);
			add(&in, smuggling[i], strlen(smuggling[i]));
			add(&in, filler, BEHIND);
			add(&in, "\r\n.\r\nQUIT\r\n", 11);
			run(&in, in.len, in.len, &got);
			assert_true(got.bare);
			assert_int_equal(got.used, in.len - 6);
			check_stream(&in);
		}
	}
}

static void
text_passes_as_it_is(void **state)
{
	static const struct {
		const char *in;
		size_t len;
		const char *sent;
		size_t sent_len;
	} cases[] = {
#define CASE(in, sent) { in, sizeof(in) - 1, sent, sizeof(sent) - 1 }
		CASE(".\r\n", ".\r\n"),
		CASE("a\r\n.\r\n", "a\r\n.\r\n"),
		CASE("..\r\n.\r\n", "..\r\n.\r\n"),
		CASE(".a\r\n.\r\n", "a\r\n.\r\n"),
		CASE("...a\r\n.\r\n", "...a\r\n.\r\n"),
		CASE("a.b\r\n.\r\n", "a.b\r\n.\r\n"),
		CASE("\0\xff\x80\r\n.\r\n", "\0\xff\x80\r\n.\r\n"),
		CASE("a\n.b\r\n.\r\n", "a\r\n..b\r\n.\r\n"),
		CASE("a\r.\r\r\n.\r\n", "a\r\n..\r\n\r\n.\r\n"),
#undef CASE
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct octets in = { .len = 0 };
		struct result got;

		add(&in, cases[i].in, cases[i].len);
		run(&in, in.len, in.len, &got);
		assert_true(got.ended);
		assert_int_equal(got.sent.len, cases[i].sent_len);
		assert_memory_equal(
		    got.sent.at, cases[i].sent, cases[i].sent_len);
		check_stream(&in);
	}
}

static void
a_message_without_its_end_has_not_ended(void **state)
{
	static const char *const cases[] = { "", "a", "a\r\n", "a\r\n.",
		"a\r\n.\r", "a\n.\n", "a\r.\r", "\r\n.", "." };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct octets in = { .len = 0 };
		struct result got;

		add(&in, cases[i], strlen(cases[i]));
		run(&in, in.len, in.len, &got);
		assert_false(got.ended);
		assert_int_equal(got.used, in.len);
	}
}

static void
lines_longer_than_any_window_are_one_line(void **state)
{
	enum { LONG = 3 * 1024 + 1 };
	static uint8_t line[LONG + 8];

	(void)state;
	for (size_t len = LONG - 1030; len <= LONG; len++) {
		struct data_span in = { line, len + 5 }, out;
		struct data_scan scan;
		uint64_t got = 0;

		memset(line, 'a', len);
		memcpy(line + len, "\r\n.\r\n", 5);
		data_scan_init(&scan);
		while (data_scan_next(&scan, &in, &out))
			got += out.len;
		assert_int_equal(scan.state, DATA_ENDED);
		assert_false(scan.saw_bare);
		assert_int_equal(got, len + 2);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_passes_as_it_is),
		cmocka_unit_test(known_smuggling_sequences_stay_within),
		cmocka_unit_test(nor_do_they_hide_at_the_edge_of_a_block),
		cmocka_unit_test(no_mix_of_cr_lf_and_dot_smuggles),
		cmocka_unit_test(a_message_without_its_end_has_not_ended),
		cmocka_unit_test(lines_longer_than_any_window_are_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
