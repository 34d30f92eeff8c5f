/*
 * The ordered queue of replies; see replies.h.
 */
#include "proxy/replies.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/stream.h"

struct reply_slot {
	enum reply_to to;
	bool ready;
	size_t len;
	char *text;
	STAILQ_ENTRY(reply_slot) next;
};

void
replies_init(struct replies *r)
{
	STAILQ_INIT(&r->slots);
	r->waiting = 0;
	r->count = 0;
}

static struct reply_slot *
replies_add(struct replies *r, enum reply_to to)
{
	struct reply_slot *slot = malloc(sizeof(*slot));

	if (slot == NULL)
		fatal("out of memory");
	*slot = (struct reply_slot){ .to = to };
	STAILQ_INSERT_TAIL(&r->slots, slot, next);
	r->count++;
	return slot;
}

static void
replies_fill(struct reply_slot *slot, const char *text, size_t len)
{
	slot->ready = true;
	if (text == NULL || len == 0)
		return;
	if ((slot->text = malloc(len)) == NULL)
		fatal("out of memory");
	memcpy(slot->text, text, len);
	slot->len = len;
}

static void
replies_drop_first(struct replies *r)
{
	struct reply_slot *slot = STAILQ_FIRST(&r->slots);

	STAILQ_REMOVE_HEAD(&r->slots, next);
	r->count--;
	free(slot->text);
	free(slot);
}

/* Send all that nothing older holds back. */
static void
replies_flush(struct replies *r, struct stream *client)
{
	struct reply_slot *slot;

	while ((slot = STAILQ_FIRST(&r->slots)) != NULL && slot->ready) {
		if (client != NULL)
			stream_write(client, slot->text, slot->len);
		replies_drop_first(r);
	}
}

void
replies_own(
    struct replies *r, struct stream *client, const char *text, size_t len)
{
	if (!STAILQ_EMPTY(&r->slots))
		replies_fill(replies_add(r, REPLY_TO_NOBODY), text, len);
	else if (client != NULL)
		stream_write(client, text, len);
}

void
replies_expect(struct replies *r, enum reply_to to)
{
	replies_add(r, to);
	r->waiting++;
}

static struct reply_slot *
replies_first_waiting(const struct replies *r)
{
	struct reply_slot *slot;

	if (r->waiting == 0)
		return NULL;
	STAILQ_FOREACH(slot, &r->slots, next) {
		if (!slot->ready)
			break;
	}
	return slot;
}

enum reply_to
replies_due(const struct replies *r)
{
	const struct reply_slot *slot = replies_first_waiting(r);

	return slot == NULL ? REPLY_TO_NOBODY : slot->to;
}

void
replies_answer(
    struct replies *r, struct stream *client, const char *text, size_t len)
{
	struct reply_slot *slot = replies_first_waiting(r);

	if (slot == NULL)
		return;
	r->waiting--;
	if (slot == STAILQ_FIRST(&r->slots)) {
		if (client != NULL && text != NULL)
			stream_write(client, text, len);
		replies_drop_first(r);
	} else {
		replies_fill(slot, text, len);
	}
	replies_flush(r, client);
}

void
replies_fail(struct replies *r, struct stream *client, const char *text)
{
	static const char reset[] = "250 2.0.0 OK\r\n";

	while (r->waiting > 0) {
		enum reply_to to = replies_due(r);

		if (to == REPLY_TO_OURS || to == REPLY_TO_OUR_RSET)
			replies_answer(r, client, NULL, 0);
		else if (to == REPLY_TO_RSET)
			replies_answer(r, client, reset, sizeof(reset) - 1);
		else
			replies_answer(r, client, text, strlen(text));
	}
}

void
replies_clear(struct replies *r)
{
	while (!STAILQ_EMPTY(&r->slots))
		replies_drop_first(r);
	r->waiting = 0;
}
