/*
 * The proxy's questions to the keeper; see keeper.h.
 */
#include "proxy/keeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/stream.h"
#include "conf/conf.h"

enum {
	KEEPER_SILENT_MAX = 3,	    /* then mints are given up at once */
	KEEPER_TRY_AGAIN_MS = 1000, /* but for one now and then */
	KEEPER_ASK_MS = 10000,	    /* XMTRK's questions */
	SETTLES_MAX = 20000,
	SETTLES_OCTETS_MAX = 64 * 1024 * 1024,
	/* Asked at once; more than the link holds would cost us the link. */
	SETTLES_ASKED_MAX = 4 * 1024 * 1024,
	SETTLES_AGAIN_MAX = 1024 * 1024, /* leaves room for the newest */
	SETTLE_RETRY_MS = 500
};

/* A record that must be written, and perhaps a session that waits for it. */
struct keeper_settle {
	uint64_t number;
	uint64_t who; /* 0: nobody (any more) */
	TAILQ_ENTRY(keeper_settle) next;
	bool again; /* it was asked before, and may be stored */
	bool go_on; /* the next mint is wanted with the first answer */
	size_t len;
	uint8_t body[];
};

static bool keeper_ask_settle(struct keeper *, struct keeper_settle *);

static void
keeper_retry_later(struct keeper *k)
{
	struct timeval tv = { 0, SETTLE_RETRY_MS * 1000 };

	if (!evtimer_pending(k->retry, NULL))
		evtimer_add(k->retry, &tv);
}

static void
keeper_ask_again(struct keeper *k)
{
	struct keeper_settle *s;

	while ((s = TAILQ_FIRST(&k->unasked)) != NULL &&
	    k->asked_octets < SETTLES_AGAIN_MAX) {
		TAILQ_REMOVE(&k->unasked, s, next);
		if (!keeper_ask_settle(k, s))
			break;
	}
}

static void
keeper_on_retry(evutil_socket_t fd, short what, void *arg)
{
	struct keeper *k = arg;

	(void)fd;
	(void)what;
	if (link_is_up(k->link))
		keeper_ask_again(k);
	if (!TAILQ_EMPTY(&k->unasked))
		keeper_retry_later(k);
}

static void
keeper_on_up(void *arg)
{
	struct keeper *k = arg;

	if (k->silent >= KEEPER_SILENT_MAX)
		log_info("keeper_up", "the keeper is reached again");
	k->silent = 0;
	keeper_ask_again(k);
}

void
keeper_open(struct keeper *k, struct event_base *base, const struct conf *conf,
    const struct keeper_answers *answers, void *arg)
{
	char path[256];

	memset(k, 0, sizeof(*k));
	TAILQ_INIT(&k->asked);
	TAILQ_INIT(&k->unasked);
	k->conf = conf;
	k->answers = answers;
	k->arg = arg;
	snprintf(
	    path, sizeof(path), "%s/%s", conf->run_dir, DOOR_KEEPER_PROXY_PATH);
	k->link = link_new(base, path, k);
	k->retry = evtimer_new(base, keeper_on_retry, k);
	if (k->link == NULL || k->retry == NULL)
		fatal("out of memory");
	link_on_up(k->link, keeper_on_up);
}

/* It is in neither list. */
static void
keeper_settle_done(struct keeper *k, struct keeper_settle *s)
{
	k->settle_count--;
	k->settle_octets -= s->len;
	explicit_bzero(s->body, s->len); /* the login's ticket is in it */
	free(s);
}

void
keeper_close(struct keeper *k)
{
	struct keeper_settle *s;

	if (k->settle_count > 0)
		log_error("records_lost",
		    "%zu records could not be handed "
		    "to the keeper",
		    k->settle_count);
	TAILQ_CONCAT(&k->unasked, &k->asked, next);
	while ((s = TAILQ_FIRST(&k->unasked)) != NULL) {
		TAILQ_REMOVE(&k->unasked, s, next);
		keeper_settle_done(k, s);
	}
	link_free(k->link);
	event_free(k->retry);
	wire_free(&k->body);
}

/* Did the keeper leave us without answers so often that waiting is vain? */
static bool
keeper_is_silent(struct keeper *k)
{
	uint64_t now = clock_ms();

	if (k->silent < KEEPER_SILENT_MAX)
		return false;
	if (now - k->silent_since < KEEPER_TRY_AGAIN_MS)
		return true;
	k->silent_since = now; /* this one tries */
	return false;
}

/*
 * Was the answer of the type wanted read to its end? Where it is malformed,
 * there was none, and none that waits on that link will be believed.
 */
static bool
keeper_understood(struct keeper *k, unsigned type, unsigned wanted,
    const struct wire_in *body)
{
	if (type == 0)
		return false;
	if (type == wanted && wire_end(body) == 0)
		return true;
	log_error("keeper_malformed",
	    "the keeper's answer (type %u where %u was due) is malformed", type,
	    wanted);
	link_reset(k->link);
	return false;
}

static void
keeper_take_minted(
    struct keeper *k, unsigned type, struct wire_in *body, struct minted *out)
{
	*out = (struct minted){ .status = KEEPER_UNAVAILABLE };
	if (type == MSG_MINTED)
		minted_get(body, out);
	if (keeper_understood(k, type, MSG_MINTED, body)) {
		k->silent = 0;
		return;
	}
	*out = (struct minted){ .status = KEEPER_UNAVAILABLE };
	if (++k->silent == KEEPER_SILENT_MAX) {
		k->silent_since = clock_ms();
		log_error("keeper_silent",
		    "the keeper does not answer: "
		    "messages go out untracked or are deferred "
		    "(tracking without_vault)");
	}
}

static void
keeper_on_minted(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	struct minted minted;

	keeper_take_minted(k, type, body, &minted);
	k->answers->minted(k->arg, who, &minted);
}

bool
keeper_mint(struct keeper *k, const struct mint *mint, uint64_t who)
{
	if (keeper_is_silent(k))
		return false;
	wire_begin(&k->body);
	mint_put(&k->body, mint);
	return link_ask(k->link, MSG_MINT, &k->body,
		   (unsigned)k->conf->tracking.mint_timeout, keeper_on_minted,
		   who) != 0;
}

void
keeper_describe(struct keeper *k, const struct mail_record *record)
{
	wire_begin(&k->body);
	mail_record_put(&k->body, record);
	link_tell(k->link, MSG_DESCRIBE, &k->body);
}

/* Take it out of those that were asked. */
static struct keeper_settle *
keeper_take_asked(struct keeper *k, uint64_t number)
{
	struct keeper_settle *s;

	/* Nearly always the first: answers come in the order of asking. */
	TAILQ_FOREACH(s, &k->asked, next) {
		if (s->number != number)
			continue;
		TAILQ_REMOVE(&k->asked, s, next);
		k->asked_octets -= s->len;
		return s;
	}
	return NULL;
}

/* A mint that nobody takes: its account is that of the record. */
static void
keeper_forget_next(
    struct keeper *k, const struct keeper_settle *s, const struct minted *next)
{
	struct ticket ticket;
	struct wire_in in;

	wire_read(&in, s->body, s->len);
	ticket_get(&in, &ticket);
	keeper_forget_ahead(k, &ticket, next->handle);
}

/* Tell who waits, once: its reply passes whether or not it is stored. */
static void
keeper_settle_tell(struct keeper *k, struct keeper_settle *s, bool stored,
    const struct minted *next)
{
	uint64_t who = s->who;
	bool taken = false;

	s->who = 0;
	if (who != 0)
		taken = k->answers->settled(k->arg, who, stored, next);
	if (!taken && next->status == KEEPER_OK)
		keeper_forget_next(k, s, next);
}

/* Who waits would wait without end: a record that is unasked has no clock. */
static void
keeper_settle_later(struct keeper *k, struct keeper_settle *s)
{
	struct minted none = { .status = KEEPER_UNAVAILABLE };

	s->go_on = false;
	TAILQ_INSERT_TAIL(&k->unasked, s, next);
	keeper_retry_later(k);
	keeper_settle_tell(k, s, false, &none);
}

static void
keeper_on_settled(
    void *arg, uint64_t number, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	struct keeper_settle *s = keeper_take_asked(k, number);
	struct minted next = { .status = KEEPER_UNAVAILABLE };
	uint8_t status = KEEPER_UNAVAILABLE;

	if (s == NULL)
		return;
	if (type == MSG_SETTLED)
		status = wire_get_u8(body);
	if (type == MSG_SETTLED && s->go_on && body->next != body->end)
		minted_get(body, &next);
	if (!keeper_understood(k, type, MSG_SETTLED, body))
		status = KEEPER_UNAVAILABLE;
	if (status == KEEPER_UNAVAILABLE) {
		keeper_settle_later(k, s);
		return;
	}
	if (status != KEEPER_OK)
		log_error("record_refused",
		    "the keeper refuses a record "
		    "(status %u)",
		    status);
	keeper_settle_tell(k, s, status == KEEPER_OK, &next);
	keeper_settle_done(k, s);
	keeper_ask_again(k);
}

/* s is in neither list. Returns false where it cannot be asked now. */
static bool
keeper_ask_settle(struct keeper *k, struct keeper_settle *s)
{
	unsigned type = s->again ? MSG_SETTLE_AGAIN
	    : s->go_on		 ? MSG_SETTLE_NEXT
				 : MSG_SETTLE;

	wire_begin(&k->body);
	wire_put_raw(&k->body, s->body, s->len);
	if (k->asked_octets + s->len <= SETTLES_ASKED_MAX &&
	    link_ask(k->link, type, &k->body,
		(unsigned)k->conf->tracking.settle_timeout, keeper_on_settled,
		s->number) != 0) {
		s->again = true;
		TAILQ_INSERT_TAIL(&k->asked, s, next);
		k->asked_octets += s->len;
		return true;
	}
	keeper_settle_later(k, s);
	return false;
}

bool
keeper_settle(struct keeper *k, const struct mail_record *record, uint64_t who,
    bool go_on)
{
	struct keeper_settle *s;

	wire_begin(&k->body);
	mail_record_put(&k->body, record);
	if (k->body.failed || k->settle_count >= SETTLES_MAX ||
	    k->settle_octets + k->body.len > SETTLES_OCTETS_MAX)
		return false;
	if ((s = malloc(sizeof(*s) + k->body.len)) == NULL)
		fatal("out of memory");
	s->number = ++k->settle_next;
	s->who = who;
	s->again = false;
	s->go_on = go_on;
	s->len = k->body.len;
	memcpy(s->body, k->body.data, s->len);
	k->settle_count++;
	k->settle_octets += s->len;
	keeper_ask_settle(k, s);
	return true;
}

static void
keeper_tell_forget(struct keeper *k, const struct ticket *ticket,
    const uint8_t handle[HANDLE_LEN], uint8_t ahead)
{
	wire_begin(&k->body);
	ticket_put(&k->body, ticket);
	wire_put_raw(&k->body, handle, HANDLE_LEN);
	wire_put_u8(&k->body, ahead);
	link_tell(k->link, MSG_FORGET, &k->body);
}

void
keeper_forget(struct keeper *k, const struct ticket *ticket,
    const uint8_t handle[HANDLE_LEN])
{
	keeper_tell_forget(k, ticket, handle, 0);
}

void
keeper_forget_ahead(struct keeper *k, const struct ticket *ticket,
    const uint8_t handle[HANDLE_LEN])
{
	keeper_tell_forget(k, ticket, handle, 1);
}

/* The status of an answer of type wanted, its body left to be read. */
static enum keeper_status
keeper_answer_status(unsigned type, unsigned wanted, struct wire_in *body)
{
	uint8_t status;

	if (type != wanted)
		return KEEPER_UNAVAILABLE;
	status = wire_get_u8(body);
	return body->failed ? KEEPER_UNAVAILABLE : status;
}

static void
keeper_on_listed(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	enum keeper_status status =
	    keeper_answer_status(type, MSG_LISTED, body);

	k->answers->listed(
	    k->arg, who, status, status == KEEPER_OK ? body : NULL);
}

static void
keeper_on_shown(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	enum keeper_status status = keeper_answer_status(type, MSG_SHOWN, body);

	k->answers->shown(
	    k->arg, who, status, status == KEEPER_OK ? body : NULL);
}

static void
keeper_on_token(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	struct token_answer answer = { .status = KEEPER_UNAVAILABLE };

	if (type == MSG_TOKEN_IS)
		token_answer_get(body, &answer);
	if (!keeper_understood(k, type, MSG_TOKEN_IS, body))
		answer.status = KEEPER_UNAVAILABLE;
	k->answers->token(k->arg, who, &answer);
}

static void
keeper_on_revoked(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct keeper *k = arg;
	struct revoke_answer answer = { .status = KEEPER_UNAVAILABLE };

	if (type == MSG_REVOKED)
		revoke_answer_get(body, &answer);
	if (!keeper_understood(k, type, MSG_REVOKED, body))
		answer.status = KEEPER_UNAVAILABLE;
	k->answers->revoked(k->arg, who, &answer);
}

bool
keeper_list(struct keeper *k, const struct list_query *query, uint64_t who)
{
	wire_begin(&k->body);
	list_query_put(&k->body, query);
	return link_ask(k->link, MSG_LIST, &k->body, KEEPER_ASK_MS,
		   keeper_on_listed, who) != 0;
}

bool
keeper_show(struct keeper *k, const struct one_query *query, uint64_t who)
{
	wire_begin(&k->body);
	one_query_put(&k->body, query);
	return link_ask(k->link, MSG_SHOW, &k->body, KEEPER_ASK_MS,
		   keeper_on_shown, who) != 0;
}

bool
keeper_token(struct keeper *k, const struct one_query *query, uint64_t who)
{
	wire_begin(&k->body);
	one_query_put(&k->body, query);
	return link_ask(k->link, MSG_TOKEN, &k->body, KEEPER_ASK_MS,
		   keeper_on_token, who) != 0;
}

bool
keeper_revoke(struct keeper *k, const struct one_query *query, uint64_t who)
{
	wire_begin(&k->body);
	one_query_put(&k->body, query);
	return link_ask(k->link, MSG_REVOKE, &k->body, KEEPER_ASK_MS,
		   keeper_on_revoked, who) != 0;
}
