/*
 * Drives every reader of a message body. The first octet picks the reader;
 * what passes is written again and must read back the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/auth_messages.h"
#include "common/frame.h"
#include "common/keeper_messages.h"
#include "common/messages.h"
#include "common/tracking_messages.h"
#include "tests/fuzz/fuzz.h"

#define READER(kind)                                                           \
	static void kind##_fuzz(struct wire_in *in, struct wire_out *out)      \
	{                                                                      \
		struct kind value;                                             \
                                                                               \
		memset(&value, 0xaa, sizeof(value));                           \
		kind##_get(in, &value);                                        \
		if (wire_end(in) == 0)                                         \
			kind##_put(out, &value);                               \
	}

READER(ticket)
READER(mint)
READER(minted)
READER(list_query)
READER(list_row)
READER(one_query)
READER(token_answer)
READER(revoke_answer)
READER(status_query)
READER(feed_item)
READER(auth_begin)
READER(auth_verdict)

static void
record_fuzz(struct wire_in *in, struct wire_out *out)
{
	struct mail_record value;

	mail_record_get(in, &value);
	if (wire_end(in) == 0)
		mail_record_put(out, &value);
	mail_record_free(&value);
}

static void
body_fuzz(struct wire_in *in, struct wire_out *out)
{
	struct mail_record value;

	mail_body_get(in, &value);
	if (wire_end(in) == 0)
		mail_body_put(out, &value);
	mail_record_free(&value);
}

static void
history_fuzz(struct wire_in *in, struct wire_out *out)
{
	struct history value;

	history_get(in, &value);
	if (wire_end(in) == 0)
		history_put(out, &value);
	history_free(&value);
}

static void
head_fuzz(struct wire_in *in, struct wire_out *out)
{
	struct frame_head head;
	uint8_t raw[FRAME_HEAD_LEN];

	wire_get_raw(in, raw, sizeof(raw));
	if (wire_end(in) == -1 || frame_head_get(raw, &head) == -1)
		return;
	if ((long)head.len > message_longest(head.type))
		abort();
	frame_head_put(raw, &head);
	wire_put_raw(out, raw, sizeof(raw));
}

static void (*const readers[])(struct wire_in *, struct wire_out *) = {
	ticket_fuzz,
	mint_fuzz,
	minted_fuzz,
	list_query_fuzz,
	list_row_fuzz,
	one_query_fuzz,
	token_answer_fuzz,
	auth_begin_fuzz,
	auth_verdict_fuzz,
	record_fuzz,
	body_fuzz,
	head_fuzz,
	revoke_answer_fuzz,
	status_query_fuzz,
	feed_item_fuzz,
	history_fuzz,
};

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_out out = { 0 };
	struct wire_in in;

	if (size == 0)
		return 0;
	wire_read(&in, data + 1, size - 1);
	readers[data[0] % (sizeof(readers) / sizeof(readers[0]))](&in, &out);
	if (!out.failed && out.len > 0 &&
	    (out.len != size - 1 || memcmp(out.data, data + 1, out.len) != 0))
		abort();
	wire_free(&out);
	return 0;
}
