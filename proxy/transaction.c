/*
 * A mail transaction's memory; see transaction.h.
 */
#include "proxy/transaction.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proxy/redial.h"

static char *
transaction_copy(const char *text, size_t len)
{
	char *copy = strndup(text, len);

	if (copy == NULL)
		fatal("out of memory");
	return copy;
}

struct transaction *
transaction_new(const char *args, size_t len)
{
	struct transaction *t = calloc(1, sizeof(*t));

	if (t == NULL)
		fatal("out of memory");
	t->line = transaction_copy(args, len);
	return t;
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
	redial_free(t->redial);
	free(t->body);
	free(t->early);
	free(t->reply);
	free(t->line);
	free(t);
}
