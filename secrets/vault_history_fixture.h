/*
 * For tests: what the feed and who tracks ask of a vault.
 */
#ifndef SECRETS_VAULT_HISTORY_FIXTURE_H
#define SECRETS_VAULT_HISTORY_FIXTURE_H

#include "secrets/vault_fixture.h"

static struct feed_item
a_status(const char *queue_id, uint64_t time, uint8_t action)
{
	return (struct feed_item){ .kind = FEED_STATUS,
		.queue_id = fx_text(queue_id),
		.time = time,
		.event = { .time = time,
		    .source = SOURCE_LOG,
		    .action = action,
		    .status = "2.0.0",
		    .original = fx_text("bob@example.org"),
		    .recipient = fx_text("bob@example.org"),
		    .reply = fx_text("250 ok") } };
}

/* Feed n items; their results in order, as digits. */
static const char *
feed_now(const struct feed_item *items, uint16_t n)
{
	static char results[FEED_ITEMS_MAX + 1];
	struct wire_out body = { 0 };
	struct wire_in in;
	uint16_t count;

	wire_begin(&body);
	wire_put_text(&body, "main");
	wire_put_u16(&body, n);
	for (uint16_t i = 0; i < n; i++)
		feed_item_put(&body, &items[i]);
	assert_int_equal(fx_ask(vault_feed, &body), 0);
	wire_free(&body);
	assert_int_equal(fx.type, MSG_EVENTS_ARE);
	wire_read(&in, fx.answer.data, fx.answer.len);
	count = wire_get_u16(&in);
	assert_int_equal(count, n);
	for (uint16_t i = 0; i < n; i++)
		results[i] = (char)('0' + wire_get_u8(&in));
	results[n] = '\0';
	assert_int_equal(wire_end(&in), 0);
	return results;
}

/* A vault's first feed is told to come again: so ask once before. */
static const char *
feed(const struct feed_item *items, uint16_t n)
{
	feed_now(items, 0);
	return feed_now(items, n);
}

static const char *
feed_one(struct feed_item item)
{
	return feed(&item, 1);
}

static const char *
feed_end(const char *queue_id, uint64_t time)
{
	return feed_one((struct feed_item){
	    .kind = FEED_END, .queue_id = fx_text(queue_id), .time = time });
}

static const char *
feed_join(const char *queue_id, const char *other, uint64_t time)
{
	return feed_one((struct feed_item){ .kind = FEED_JOIN,
	    .queue_id = fx_text(queue_id),
	    .other_id = fx_text(other),
	    .time = time });
}

/* STATUS; what is answered with it stays in fx.history and *m. */
static uint8_t
track(const char *envid, const char *certifier, struct mail_record *m)
{
	struct status_query q = { .envid = fx_text(envid) };
	char padded[32];
	struct wire_out body = { 0 };
	struct wire_in in;
	uint8_t status;

	snprintf(padded, sizeof(padded), "%s=", certifier);
	assert_int_equal(
	    codec_base64_decode(padded, strlen(padded), true, q.certifier),
	    CERTIFIER_LEN);
	wire_begin(&body);
	status_query_put(&body, &q);
	assert_int_equal(fx_ask(vault_track, &body), 0);
	wire_free(&body);
	assert_int_equal(fx.type, MSG_STATUS_IS);
	memset(m, 0, sizeof(*m));
	wire_read(&in, fx.answer.data, fx.answer.len);
	status = wire_get_u8(&in);
	mail_body_get(&in, m);
	history_free(&fx.history);
	history_get(&in, &fx.history);
	assert_int_equal(wire_end(&in), 0);
	return status;
}

static uint8_t
tracks(const char *envid, const char *certifier)
{
	struct mail_record m;
	uint8_t status = track(envid, certifier, &m);

	mail_record_free(&m);
	return status;
}

static uint8_t
take_back(const char *account, const char *id)
{
	struct revoke_answer answer;
	struct wire_in in;

	fx_one(vault_revoke, account, id);
	assert_int_equal(fx.type, MSG_REVOKED);
	wire_read(&in, fx.answer.data, fx.answer.len);
	revoke_answer_get(&in, &answer);
	assert_int_equal(wire_end(&in), 0);
	return answer.status;
}

/* How many events SHOW tells; -1 where it tells no message. */
static int
events_of(const char *account, const char *id)
{
	struct mail_record m;
	uint8_t status = fx_show(account, id, &m);

	mail_record_free(&m);
	return status == KEEPER_OK ? (int)fx.history.count : -1;
}

static struct minted
settled(const char *account, const char *id, const char *queue_id)
{
	struct minted m = fx_mint(account);
	struct mail_record r = fx_record(account, &m, id);

	r.queue_id = fx_text(queue_id);
	assert_int_equal(fx_settle_as(&r), KEEPER_OK);
	return m;
}

#endif
