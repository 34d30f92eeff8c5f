/*
 * Tables for common/history: what is put is what is got, and nothing out of
 * bounds is taken.
 */
#include "common/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define LEN(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT(s)                                                                \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

static const struct history_event full = {
	.time = 1795313349123,
	.source = SOURCE_LOG,
	.action = ACTION_RELAYED,
	.status = "5.123.123",
	.original = TEXT("team@example.net"),
	.recipient = TEXT("bob@example.org"),
	.remote_mta = TEXT("mx.example.org"),
	.remote_address = TEXT("192.0.2.7"),
	.reply = TEXT("250 2.0.0 Ok: queued as 4D1"),
	.tls = TEXT("TLSv1.3 TLS_AES_256_GCM_SHA384"),
	.retry_until = 1795745349123,
};

static void
assert_octets(struct octets got, struct octets want)
{
	assert_int_equal(got.len, want.len);
	if (want.len > 0)
		assert_memory_equal(got.data, want.data, want.len);
}

static void
assert_survives(const struct history_event *want)
{
	struct wire_out out = { 0 };
	struct wire_in in;
	struct history_event got;

	history_event_put(&out, want);
	wire_read(&in, out.data, out.len);
	history_event_get(&in, &got);
	assert_int_equal(wire_end(&in), 0);
	assert_int_equal(got.time, want->time);
	assert_int_equal(got.source, want->source);
	assert_int_equal(got.action, want->action);
	assert_string_equal(got.status, want->status);
	assert_octets(got.original, want->original);
	assert_octets(got.recipient, want->recipient);
	assert_octets(got.remote_mta, want->remote_mta);
	assert_octets(got.remote_address, want->remote_address);
	assert_octets(got.reply, want->reply);
	assert_octets(got.tls, want->tls);
	assert_int_equal(got.retry_until, want->retry_until);
	wire_free(&out);
}

static bool
is_taken(const struct history_event *event)
{
	struct wire_out out = { 0 };
	struct wire_in in;
	struct history_event got;
	bool taken;

	history_event_put(&out, event);
	wire_read(&in, out.data, out.len);
	history_event_get(&in, &got);
	taken = wire_end(&in) == 0;
	wire_free(&out);
	return taken;
}

static void
an_event_survives_the_wire(void **state)
{
	struct history_event empty = { 0 };

	(void)state;
	assert_survives(&full);
	assert_survives(&empty);
}

static void
text_is_taken_up_to_its_bound(void **state)
{
	static const struct {
		size_t at;
		size_t max;
	} fields[] = {
		{ offsetof(struct history_event, original), EVENT_ADDRESS_MAX },
		{ offsetof(struct history_event, recipient),
		    EVENT_ADDRESS_MAX },
		{ offsetof(struct history_event, remote_mta), EVENT_HOST_MAX },
		{ offsetof(struct history_event, remote_address),
		    EVENT_HOST_MAX },
		{ offsetof(struct history_event, reply), EVENT_TEXT_MAX },
		{ offsetof(struct history_event, tls), EVENT_TLS_MAX },
	};
	uint8_t text[EVENT_ADDRESS_MAX + 1];

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 0; i < LEN(fields); i++) {
		struct history_event event = full;
		struct octets *field =
		    (struct octets *)((char *)&event + fields[i].at);

		*field = (struct octets){ text, fields[i].max };
		assert_true(is_taken(&event));
		field->len++;
		assert_false(is_taken(&event));
	}
}

static void
numbers_without_a_meaning_are_refused(void **state)
{
	struct history_event event = full;

	(void)state;
	event.action = ACTION_FAILED + 1;
	assert_false(is_taken(&event));
	event = full;
	event.source = SOURCE_CHAIN + 1;
	assert_false(is_taken(&event));
}

static void
a_short_or_long_body_is_refused(void **state)
{
	struct wire_out out = { 0 };
	struct wire_in in;
	struct history_event got;

	(void)state;
	history_event_put(&out, &full);
	wire_put_u8(&out, 0);
	for (size_t len = 0; len <= out.len; len++) {
		wire_read(&in, out.data, len);
		history_event_get(&in, &got);
		assert_int_equal(wire_end(&in), len == out.len - 1 ? 0 : -1);
	}
	wire_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_survives_the_wire),
		cmocka_unit_test(text_is_taken_up_to_its_bound),
		cmocka_unit_test(numbers_without_a_meaning_are_refused),
		cmocka_unit_test(a_short_or_long_body_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
