/*
 * What each door of the keeper lets its askers ask.
 */
#include "secrets/answers.h"

#include "common/messages.h"

static struct question
question(const struct asker *asker, uint64_t id)
{
	return (struct question){ asker->number, id };
}

static int
answer_mint(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_mint(door_arg(asker), question(asker, id), body);
}

static int
answer_describe(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_describe(door_arg(asker), question(asker, id), body);
}

static int
answer_settle(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_settle(door_arg(asker), question(asker, id), body);
}

static int
answer_settle_next(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_settle_next(door_arg(asker), question(asker, id), body);
}

static int
answer_settle_again(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_settle_again(door_arg(asker), question(asker, id), body);
}

static int
answer_forget(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_forget(door_arg(asker), question(asker, id), body);
}

static int
answer_list(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_list(door_arg(asker), question(asker, id), body);
}

static int
answer_show(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_show(door_arg(asker), question(asker, id), body);
}

static int
answer_token(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_token(door_arg(asker), question(asker, id), body);
}

static int
answer_revoke(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_revoke(door_arg(asker), question(asker, id), body);
}

static int
answer_events(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_feed(door_arg(asker), question(asker, id), body);
}

static int
answer_status(struct asker *asker, uint64_t id, struct wire_in *body)
{
	return vault_track(door_arg(asker), question(asker, id), body);
}

const struct door_rule answers_to_proxy[] = {
	{ MSG_MINT, answer_mint },
	{ MSG_DESCRIBE, answer_describe },
	{ MSG_SETTLE, answer_settle },
	{ MSG_SETTLE_NEXT, answer_settle_next },
	{ MSG_SETTLE_AGAIN, answer_settle_again },
	{ MSG_FORGET, answer_forget },
	{ MSG_LIST, answer_list },
	{ MSG_SHOW, answer_show },
	{ MSG_TOKEN, answer_token },
	{ MSG_REVOKE, answer_revoke },
	{ 0, NULL },
};

const struct door_rule answers_to_feed[] = {
	{ MSG_EVENTS, answer_events },
	{ 0, NULL },
};

const struct door_rule answers_to_tracker[] = {
	{ MSG_STATUS, answer_status },
	{ 0, NULL },
};

void
answers_asker_gone(struct asker *asker)
{
	vault_asker_gone(door_arg(asker), asker->number);
}
