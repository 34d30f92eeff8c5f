/*
 * XMTRK: a logged-in user asks the keeper for the own messages and secrets.
 */
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "proxy/session.h"
#include "proxy/worker.h"
#include "proxy/xmtrk.h"

static void
queries_reply(struct session *s, const char *reply)
{
	char line[XMTRK_LINE_MAX + 3];
	int n = snprintf(line, sizeof(line), "%s\r\n", reply);

	replies_own(&s->replies, s->client, line, (size_t)n);
}

static bool
queries_ask(struct session *s, const struct xmtrk_command *c)
{
	struct octets id = { c->id, c->id_len };
	struct list_query list = { .ticket = s->ticket,
		.since = c->since,
		.limit = c->limit,
		.after = id };
	struct one_query one = { .ticket = s->ticket,
		.id = id,
		.client = { (const uint8_t *)s->address, strlen(s->address) } };

	switch (c->verb) {
	case XMTRK_LIST:
		return keeper_list(&s->w->keeper, &list, s->id);
	case XMTRK_SHOW:
		return keeper_show(&s->w->keeper, &one, s->id);
	case XMTRK_TOKEN:
		return keeper_token(&s->w->keeper, &one, s->id);
	case XMTRK_REVOKE:
		return keeper_revoke(&s->w->keeper, &one, s->id);
	}
	return false;
}

void
queries_xmtrk(struct session *s, const char *args, size_t len)
{
	struct xmtrk_command command;
	const char *error = NULL;

	if (xmtrk_parse(args, len, &command, &error) == -1) {
		queries_reply(s, error);
		s->bad_commands++;
		return;
	}
	session_enter(s, SESSION_ASKING);
	if (queries_ask(s, &command))
		return;
	session_enter(s, SESSION_IDLE);
	queries_reply(s, xmtrk_error(KEEPER_UNAVAILABLE));
}

/* Who asked, if it still waits. */
static struct session *
queries_asker(void *arg, uint64_t who)
{
	struct session *s = session_find(arg, who);

	return s == NULL || s->state != SESSION_ASKING ? NULL : s;
}

static void
queries_answer(
    struct session *s, struct xmtrk_reply *reply, enum keeper_status status)
{
	session_enter(s, SESSION_IDLE);
	if (status == KEEPER_OK && reply->failed)
		status = KEEPER_UNAVAILABLE;
	if (status == KEEPER_OK)
		replies_own(&s->replies, s->client, reply->data, reply->len);
	else
		queries_reply(s, xmtrk_error(status));
	xmtrk_reply_free(reply);
	session_process(s);
}

void
queries_listed(
    void *arg, uint64_t who, enum keeper_status status, struct wire_in *body)
{
	struct session *s = queries_asker(arg, who);
	struct xmtrk_reply reply = { 0 };
	struct list_row row;
	uint8_t more = 0;
	uint16_t n = 0;

	if (s == NULL)
		return;
	if (status == KEEPER_OK) {
		more = wire_get_u8(body);
		n = wire_get_u16(body);
	}
	for (; n > 0; n--) {
		list_row_get(body, &row);
		if (body->failed)
			break;
		xmtrk_list_row(&reply, &row);
	}
	if (status == KEEPER_OK && wire_end(body) == -1)
		reply.failed = true;
	if (status == KEEPER_OK)
		xmtrk_list_end(&reply, more != 0);
	queries_answer(s, &reply, status);
}

void
queries_shown(
    void *arg, uint64_t who, enum keeper_status status, struct wire_in *body)
{
	struct session *s = queries_asker(arg, who);
	struct xmtrk_reply reply = { 0 };
	struct mail_record record = { 0 };
	struct xmtrk_since since = { 0 };

	if (s == NULL)
		return;
	since.view = &s->w->view;
	if (status == KEEPER_OK) {
		mail_body_get(body, &record);
		since.revoked = wire_get_u8(body) != 0;
		history_get(body, &since.history);
		if (wire_end(body) == -1)
			reply.failed = true;
		else
			xmtrk_show(&reply, &record, &since);
		history_free(&since.history);
		mail_record_free(&record);
	}
	queries_answer(s, &reply, status);
}

void
queries_token(void *arg, uint64_t who, const struct token_answer *answer)
{
	struct session *s = queries_asker(arg, who);
	const struct conf *conf;
	struct xmtrk_reply reply = { 0 };

	if (s == NULL)
		return;
	conf = s->w->conf;
	if (answer->status == KEEPER_OK)
		xmtrk_token(&reply, answer,
		    conf->tracking.server[0] != '\0' ? conf->tracking.server
						     : conf->hostname,
		    0);
	queries_answer(s, &reply, answer->status);
}

void
queries_revoked(void *arg, uint64_t who, const struct revoke_answer *answer)
{
	struct session *s = queries_asker(arg, who);
	struct xmtrk_reply reply = { 0 };

	if (s == NULL)
		return;
	if (answer->status == KEEPER_OK)
		xmtrk_revoked(&reply, answer);
	queries_answer(s, &reply, answer->status);
}
