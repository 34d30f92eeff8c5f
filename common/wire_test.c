/*
 * Every body of every message: what was written is read again, and each
 * shorter or longer body, or one out of bounds, is refused.
 */
#include "common/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/auth_messages.h"
#include "common/keeper_messages.h"
#include "common/messages.h"
#include "common/tracking_messages.h"

#define RUN(text)                                                              \
	{                                                                      \
		(const uint8_t *)(text), sizeof(text) - 1                      \
	}

static const struct ticket ticket = { 0x1122334455667788, 99, "alice@a.test",
	{ 1, 2, 3 } };

static struct mail_recipient recipients[] = {
	{ RUN("bob@b.test"), 250, RUN("2.1.5 ok") },
	{ RUN("\"a b\"@c.test"), 550, RUN("5.1.1 no\r\n") },
};

static const struct mail_record record = {
	.ticket = { 1, 2, "u", { 9 } },
	.handle = { 1, 2, 3 },
	.envid = RUN("abc@d.test"),
	.flags = MAIL_MTRK_SENT | MAIL_ENVID_SENT,
	.certifier = { 7 },
	.timeout = 86400,
	.outcome = OUTCOME_ACCEPTED,
	.time = 1700000000123,
	.sender = RUN("alice@a.test"),
	.message_id = RUN("<1@a.test>"),
	.subject = RUN("\xff\x00 subject"),
	.size = 1ULL << 40,
	.msa = RUN("main"),
	.code = 250,
	.reply = RUN("2.0.0 Ok: queued as Q"),
	.queue_id = RUN("Q"),
	.recipient_count = 2,
	.recipients = recipients,
};

/* Each writes its example and reads one; reading tells what it took. */
struct body_case {
	const char *name;
	unsigned message;
	void (*put)(struct wire_out *);
	void (*again)(struct wire_in *, struct wire_out *);
};

#define CASE(kind, message, ...)                                               \
	static void kind##_example(struct wire_out *out)                       \
	{                                                                      \
		struct kind value = __VA_ARGS__;                               \
                                                                               \
		kind##_put(out, &value);                                       \
	}                                                                      \
	static void kind##_again(struct wire_in *in, struct wire_out *out)     \
	{                                                                      \
		struct kind value;                                             \
                                                                               \
		kind##_get(in, &value);                                        \
		if (out != NULL)                                               \
			kind##_put(out, &value);                               \
	}

CASE(ticket, 0, ticket)
CASE(mint, MSG_MINT,
    { .ticket = ticket,
	.envid = RUN("x@y"),
	.own_certifier = 1,
	.certifier = { 5 },
	.timeout = 3 })
CASE(minted, MSG_MINTED,
    { .status = KEEPER_LIMITED,
	.handle = { 4 },
	.envid = "e@h",
	.certifier = "123456789012345678901234567",
	.timeout = 4 })
CASE(list_query, MSG_LIST,
    { .ticket = ticket, .since = 5, .limit = 1000, .after = RUN("a@b") })
CASE(
    list_row, 0, { RUN("e@h"), 6, RUN("<m@i>"), RUN("b@c"), 7, RUN("s"), 8, 1 })
CASE(one_query, MSG_SHOW,
    { .ticket = ticket, .id = RUN("<m@i>"), .client = RUN("::1") })
CASE(token_answer, MSG_TOKEN_IS,
    { 0, 1, RUN("e@h"), RUN("secret"), "123456789012345678901234567", 9 })
CASE(revoke_answer, MSG_REVOKED, { 0, RUN("e@h"), 1 })
CASE(status_query, MSG_STATUS, { RUN("e@h"), { 6 } })
CASE(auth_begin, MSG_AUTH_BEGIN,
    { 3, "SCRAM-SHA-256", 1, "192.0.2.1;5", "::1;587", 1, RUN("n,,") })

/* A verdict has two forms. */
static void
put_verdict(struct wire_out *out)
{
	const struct auth_verdict value = { AUTH_OK, "alice", "because",
		RUN("v=x"), ticket };

	auth_verdict_put(out, &value);
}

static void
put_refusal(struct wire_out *out)
{
	const struct auth_verdict value = { .result = AUTH_BAD_CREDENTIALS,
		.login = "alice" };

	auth_verdict_put(out, &value);
}

static void
verdict_again(struct wire_in *in, struct wire_out *out)
{
	struct auth_verdict value;

	auth_verdict_get(in, &value);
	if (out != NULL)
		auth_verdict_put(out, &value);
}

static void
put_record(struct wire_out *out)
{
	mail_record_put(out, &record);
}

static void
put_passed_on(struct wire_out *out)
{
	struct mail_record value = record;

	value.msa_host = (struct octets)RUN("msa.example");
	mail_record_put(out, &value);
}

static void
record_again(struct wire_in *in, struct wire_out *out)
{
	struct mail_record value;

	mail_record_get(in, &value);
	if (out != NULL)
		mail_record_put(out, &value);
	mail_record_free(&value);
}

static const struct body_case bodies[] = {
	{ "ticket", 0, ticket_example, ticket_again },
	{ "mint", MSG_MINT, mint_example, mint_again },
	{ "minted", MSG_MINTED, minted_example, minted_again },
	{ "list_query", MSG_LIST, list_query_example, list_query_again },
	{ "list_row", 0, list_row_example, list_row_again },
	{ "one_query", MSG_SHOW, one_query_example, one_query_again },
	{ "token_answer", MSG_TOKEN_IS, token_answer_example,
	    token_answer_again },
	{ "revoke_answer", MSG_REVOKED, revoke_answer_example,
	    revoke_answer_again },
	{ "status_query", MSG_STATUS, status_query_example,
	    status_query_again },
	{ "auth_begin", MSG_AUTH_BEGIN, auth_begin_example, auth_begin_again },
	{ "auth_verdict", MSG_AUTH_VERDICT, put_verdict, verdict_again },
	{ "refusal", MSG_AUTH_VERDICT, put_refusal, verdict_again },
	{ "mail_record", MSG_SETTLE, put_record, record_again },
	{ "passed_on", MSG_SETTLE, put_passed_on, record_again },
};

#define BODIES (sizeof(bodies) / sizeof(bodies[0]))

static void
what_is_written_is_read(void **state)
{
	struct wire_out first = { 0 }, second = { 0 };
	struct wire_in in;

	(void)state;
	for (size_t i = 0; i < BODIES; i++) {
		wire_begin(&first);
		wire_begin(&second);
		bodies[i].put(&first);
		assert_false(first.failed);
		wire_read(&in, first.data, first.len);
		bodies[i].again(&in, &second);
		if (wire_end(&in) == -1)
			fail_msg("%s is not read to its end", bodies[i].name);
		assert_int_equal(first.len, second.len);
		assert_memory_equal(first.data, second.data, first.len);
		if (bodies[i].message != 0)
			assert_true((long)first.len <=
			    message_longest(bodies[i].message));
	}
	wire_free(&first);
	wire_free(&second);
}

static void
short_and_long_bodies_are_refused(void **state)
{
	struct wire_out out = { 0 };
	struct wire_in in;
	uint8_t *exact;

	(void)state;
	for (size_t i = 0; i < BODIES; i++) {
		wire_begin(&out);
		bodies[i].put(&out);
		wire_put_u8(&out, 0);
		for (size_t len = 0; len <= out.len; len++) {
			if (len == out.len - 1)
				continue;
			/* Exactly len octets, for the address sanitizer. */
			exact = malloc(len > 0 ? len : 1);
			assert_non_null(exact);
			memcpy(exact, out.data, len);
			wire_read(&in, exact, len);
			bodies[i].again(&in, NULL);
			if (wire_end(&in) == 0)
				fail_msg("%s of %zu octets passes",
				    bodies[i].name, len);
			free(exact);
		}
	}
	wire_free(&out);
}

static void
integers_are_big_endian(void **state)
{
	static const uint8_t expected[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
		12, 13, 14, 15, 0, 0, 0, 1, 'x', 0, 0, 0, 0 };
	struct wire_out out = { 0 };
	struct wire_in in;
	char text[4];

	(void)state;
	wire_put_u8(&out, 0x01);
	wire_put_u16(&out, 0x0203);
	wire_put_u32(&out, 0x04050607);
	wire_put_u64(&out, 0x08090a0b0c0d0e0f);
	wire_put_text(&out, "x");
	wire_put_text(&out, NULL);
	assert_int_equal(out.len, sizeof(expected));
	assert_memory_equal(out.data, expected, sizeof(expected));
	wire_read(&in, out.data, out.len);
	assert_int_equal(wire_get_u8(&in), 0x01);
	assert_int_equal(wire_get_u16(&in), 0x0203);
	assert_int_equal(wire_get_u32(&in), 0x04050607);
	assert_int_equal(wire_get_u64(&in), 0x08090a0b0c0d0e0f);
	wire_get_text(&in, text, sizeof(text));
	assert_string_equal(text, "x");
	assert_int_equal(wire_get_octets(&in, 0).len, 0);
	assert_int_equal(wire_end(&in), 0);
	wire_free(&out);
}

static void
texts_are_bounded_and_without_nul(void **state)
{
	static const struct {
		uint8_t body[8];
		size_t len;
		int passes;
	} cases[] = {
		{ { 0, 0, 0, 3, 'a', 'b', 'c' }, 7, 1 },
		{ { 0, 0, 0, 4, 'a', 'b', 'c', 'd' }, 8, 0 },
		{ { 0, 0, 0, 2, 'a', 0 }, 6, 0 },
		{ { 0, 0, 0, 0 }, 4, 1 },
		{ { 0xff, 0xff, 0xff, 0xff, 'a' }, 5, 0 },
	};
	struct wire_in in;
	char text[4];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(text, 'z', sizeof(text));
		wire_read(&in, cases[i].body, cases[i].len);
		wire_get_text(&in, text, sizeof(text));
		assert_int_equal(wire_end(&in), cases[i].passes ? 0 : -1);
		assert_non_null(memchr(text, '\0', sizeof(text)));
	}
}

static void
bodies_end_at_a_megabyte(void **state)
{
	struct wire_out out = { 0 };

	(void)state;
	for (unsigned i = 0; i < WIRE_BODY_MAX / 8; i++)
		wire_put_u64(&out, i);
	assert_false(out.failed);
	assert_int_equal(out.len, WIRE_BODY_MAX);
	wire_put_u8(&out, 0);
	assert_true(out.failed);
	wire_begin(&out);
	assert_false(out.failed);
	wire_put_octets(&out, out.data, WIRE_BODY_MAX + 1UL);
	assert_true(out.failed);
	wire_begin(&out);
	wire_put_octets(&out, out.data, WIRE_BODY_MAX - 3UL);
	assert_true(out.failed);
	wire_free(&out);
}

/* Places of octets in the example record that have few legal values. */
static void
values_out_of_bounds_are_refused(void **state)
{
	struct wire_out out = { 0 };
	struct mail_record bad = record;
	struct mint mint = { .ticket = ticket, .untracked = 2 };
	struct auth_begin begin = { .mechanism = "PLAIN", .initial = RUN("x") };
	struct auth_verdict verdict = { .result = AUTH_TRANSITION + 1 };
	struct list_query query = { .ticket = ticket, .limit = 1001 };
	struct wire_in in;
	unsigned refused = 0;

	(void)state;
#define REFUSE(kind, value)                                                    \
	wire_begin(&out);                                                      \
	kind##_put(&out, &(value));                                            \
	wire_read(&in, out.data, out.len);                                     \
	kind##_get(&in, &(value));                                             \
	refused += wire_end(&in) == -1
	REFUSE(mint, mint);
	REFUSE(auth_begin, begin);
	REFUSE(auth_verdict, verdict);
	REFUSE(list_query, query);
	query.limit = 0;
	REFUSE(list_query, query);
	bad.flags = 64;
	REFUSE(mail_record, bad);
	mail_record_free(&bad);
	bad = record;
	bad.outcome = 2;
	REFUSE(mail_record, bad);
	mail_record_free(&bad);
	bad = record;
	bad.recipient_count = 0;
	wire_begin(&out);
	mail_body_put(&out, &bad);
	/* More recipients than there are octets for. */
	out.data[out.len - 1] = 200;
	wire_read(&in, out.data, out.len);
	mail_body_get(&in, &bad);
	assert_int_equal(wire_end(&in), -1);
	assert_null(bad.recipients);
	assert_int_equal(refused, 7);
	wire_free(&out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(short_and_long_bodies_are_refused),
		cmocka_unit_test(integers_are_big_endian),
		cmocka_unit_test(texts_are_bounded_and_without_nul),
		cmocka_unit_test(bodies_end_at_a_megabyte),
		cmocka_unit_test(values_out_of_bounds_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
