/*
 * A mail transaction's memory; see transaction.h.
 */
#include "proxy/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static char *
transaction_copy(const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (copy == NULL)
		fatal("out of memory");
	return copy;
}

/* Kept for the next: each is some KiB, of which a third is cleared anew. */
enum { TRANSACTION_SPARES = 64 };
static LIST_HEAD(, transaction) spares = LIST_HEAD_INITIALIZER(spares);
static unsigned spare_count;

static struct transaction *
transaction_get(void)
{
	struct transaction *t = LIST_FIRST(&spares);

	if (t == NULL) {
		if ((t = calloc(1, sizeof(*t))) == NULL)
			fatal("out of memory");
		return t;
	}
	LIST_REMOVE(t, spare);
	spare_count--;
	memset(t, 0, offsetof(struct transaction, redial));
	return t;
}

static void
transaction_put(struct transaction *t)
{
	if (spare_count < TRANSACTION_SPARES) {
		LIST_INSERT_HEAD(&spares, t, spare);
		spare_count++;
		return;
	}
	redial_free(&t->redial);
	free(t);
}

void
transaction_end_spares(void)
{
	struct transaction *t;

	while ((t = LIST_FIRST(&spares)) != NULL) {
		LIST_REMOVE(t, spare);
		redial_free(&t->redial);
		free(t);
	}
	spare_count = 0;
}

struct transaction *
transaction_new(const char *args, size_t len)
{
	struct transaction *t = transaction_get();

	t->line = transaction_copy(args, len);
	return t;
}

struct transaction_body *
transaction_begin_body(struct transaction *t)
{
	t->body = &t->body_space;
	return t->body;
}

void
transaction_add_rcpt(struct transaction *t, const char *address, size_t len)
{
	size_t room;

	if (t->rcpt_count == t->rcpt_room) {
		room = t->rcpt_room == 0 ? 4 : t->rcpt_room * 2;
		t->rcpts = reallocarray(t->rcpts, room, sizeof(*t->rcpts));
		if (t->rcpts == NULL)
			fatal("out of memory");
		t->rcpt_room = room;
	}
	t->rcpts[t->rcpt_count++] =
	    (struct transaction_rcpt){ .address =
					   transaction_copy(address, len) };
}

void
transaction_rcpt_replied(
    struct transaction *t, int code, const char *text, size_t len)
{
	struct transaction_rcpt *rcpt;

	if (t->answered == t->rcpt_count)
		return;
	rcpt = &t->rcpts[t->answered++];
	rcpt->code = (uint16_t)code;
	rcpt->reply = transaction_copy(text, len > 255 ? 255 : len);
	if (code / 100 == 2)
		t->accepted++;
}

void
transaction_free(struct transaction *t)
{
	size_t i;

	if (t == NULL)
		return;
	for (i = 0; i < t->rcpt_count; i++) {
		free(t->rcpts[i].address);
		free(t->rcpts[i].reply);
	}
	free(t->rcpts);
	free(t->early);
	free(t->reply);
	free(t->line);
	mail_record_free(&t->record);
	explicit_bzero(&t->record.ticket, sizeof(t->record.ticket));
	redial_end(&t->redial);
	transaction_put(t);
}
