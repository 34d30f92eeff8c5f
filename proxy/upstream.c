/*
 * A session's side of its MSA connection: dialling, sending, and what each
 * reply means for the session.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proxy/caps.h"
#include "proxy/msa.h"
#include "proxy/probe.h"
#include "proxy/redial.h"
#include "proxy/session.h"
#include "proxy/worker.h"

static const char upstream_lost_reply[] =
    "451 4.4.2 The mail server closed the connection, try again\r\n";

static void upstream_on_msa(void *, enum msa_event);

/* Who the MSA shall take us for: identity "xclient". */
static const struct xclient_client *
upstream_identity(struct session *s)
{
	if (s->w->conf->msa.identity != CONF_IDENTITY_XCLIENT)
		return NULL;
	s->identity = (struct xclient_client){
		.addr = s->address,
		.port = s->port,
		.proto = s->esmtp ? "ESMTP" : "SMTP",
		.helo = s->helo,
		.login = s->ticket.account,
		.dest_addr = s->local_address,
		.dest_port = s->local_port,
	};
	return &s->identity;
}

bool
upstream_want(struct session *s)
{
	if (s->msa != NULL)
		return true;
	snprintf(s->msa_trouble, sizeof(s->msa_trouble),
	    "no address of it is known, or no socket is left");
	s->msa = msa_dial(s->w, upstream_identity(s), upstream_on_msa, s);
	return s->msa != NULL;
}

void
upstream_drop(struct session *s)
{
	if (s->msa != NULL)
		msa_drop(s->msa);
	s->msa = NULL;
}

void
upstream_release(struct session *s)
{
	if (s->msa != NULL)
		msa_quit(s->msa);
	s->msa = NULL;
}

bool
upstream_takes_more(const struct session *s)
{
	if (s->msa == NULL || s->replies.waiting == 0)
		return true;
	if (!msa_is_ready(s->msa))
		return false; /* a second one, on its way */
	return (msa_caps(s->msa)->mask & CAP_PIPELINING) != 0 &&
	    stream_output_len(msa_stream(s->msa)) < STREAM_HIGH;
}

/* The clock for the reply that is due next (RFC 5321 4.5.3.2). */
void
upstream_arm(struct session *s)
{
	const struct conf_msa *conf = &s->w->conf->msa;
	int64_t ms = 0;

	if (s->msa == NULL || !msa_is_ready(s->msa))
		return; /* until then its own clock runs */
	switch (replies_due(&s->replies)) {
	case REPLY_TO_MAIL:
	case REPLY_TO_RSET:
	case REPLY_TO_OURS:
	case REPLY_TO_OUR_RSET:
		ms = conf->mail_timeout;
		break;
	case REPLY_TO_RCPT:
		ms = conf->rcpt_timeout;
		break;
	case REPLY_TO_DATA:
		ms = conf->data_timeout;
		break;
	case REPLY_TO_END:
		ms = conf->end_timeout;
		break;
	case REPLY_TO_NOBODY:
		if (s->state == SESSION_IDLE)
			ms = conf->idle_timeout > 0 ? conf->idle_timeout : 1;
		break;
	}
	msa_wait(s->msa, (uint64_t)ms);
}

void
upstream_send(struct session *s, enum reply_to to, const char *line, size_t len)
{
	stream_write(msa_stream(s->msa), line, len);
	redial_note(s, line, len);
	replies_expect(&s->replies, to);
	if (s->replies.waiting == 1)
		upstream_arm(s);
}

static void
upstream_log_lost(const struct session *s, const char *why)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "msa_lost");
	log_session(&l, s->id);
	log_text(&l, "reason", why);
	log_end(&l);
}

/* It refuses what the client knows nothing of, and goes on. */
static void
upstream_log_refused(const struct session *s, const struct reply *reply)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "msa_refused");
	log_session(&l, s->id);
	log_octets(&l, "reply",
	    (struct octets){ (const uint8_t *)reply->text + reply->last,
		reply->len - reply->last - 2 });
	log_end(&l);
}

/* The message is out, but not what became of it: never forgotten. */
static void
upstream_lost_answer(struct session *s)
{
	static const char reply[] = "451 4.4.2 The mail server did not say "
				    "what became of the message\r\n";

	replies_answer(&s->replies, NULL, NULL, 0);
	s->mail->code = 0;
	s->mail->reply = strdup(reply);
	s->mail->reply_len = s->mail->reply == NULL ? 0 : strlen(reply);
	session_enter(s, SESSION_SETTLING);
	if (!tracking_settle(s, false))
		message_finish(s, false);
}

/* The MSA failed us; the client goes on. */
static void
upstream_lost(struct session *s, const char *why)
{
	snprintf(s->msa_trouble, sizeof(s->msa_trouble), "%s", why);
	upstream_drop(s);
	/* Nobody needed it; or envelope_go() will say what was refused. */
	if (s->state != SESSION_IDLE && s->state != SESSION_MINTING)
		upstream_log_lost(s, s->msa_trouble);
	switch (s->state) {
	case SESSION_MINTING:
		/* XFORWARD may be out: what waits behind it would stay. */
		replies_fail(&s->replies, s->client, upstream_lost_reply);
		envelope_go(s);
		break;
	case SESSION_DATA_ASKED:
		if (message_is_pipelined(s))
			break;
		/* FALLTHROUGH */
	case SESSION_MAIL:
		replies_fail(&s->replies, s->client, upstream_lost_reply);
		envelope_abandon(s);
		session_enter(s, SESSION_BROKEN);
		session_process(s);
		break;
	case SESSION_DATA:
		message_refuse(
		    s, upstream_lost_reply, sizeof(upstream_lost_reply) - 1);
		break;
	case SESSION_ENDED:
		upstream_lost_answer(s);
		break;
	case SESSION_QUITTING:
		replies_fail(&s->replies, s->client, upstream_lost_reply);
		session_end(s, "quit");
		break;
	default:
		replies_fail(&s->replies, s->client, upstream_lost_reply);
		session_process(s);
		break;
	}
}

/* The MSA's own words, but for 421. */
static void
upstream_forward(struct session *s, const struct reply *reply)
{
	char *text;

	if (reply->code != 421) {
		replies_answer(&s->replies, s->client, reply->text, reply->len);
		return;
	}
	if ((text = strndup(reply->text, reply->len)) == NULL)
		fatal("out of memory");
	reply_stay(text);
	replies_answer(&s->replies, s->client, text, reply->len);
	free(text);
}

static void
upstream_data_replied(struct session *s, const struct reply *reply)
{
	if (s->state == SESSION_DATA_ASKED && reply->code == 354 &&
	    s->mail->refused) {
		/* No transaction, and yet it waits for a message. */
		upstream_lost(s, "354 without a transaction");
		return;
	}
	upstream_forward(s, reply);
	if (s->state != SESSION_DATA_ASKED || message_is_pipelined(s))
		return;
	if (reply->code == 354) {
		message_begin(s);
	} else if (s->mail->refused) {
		envelope_abandon(s);
		session_enter(s, SESSION_IDLE);
	} else {
		session_enter(s, SESSION_MAIL);
	}
}

static void
upstream_mail_replied(struct session *s, const struct reply *reply)
{
	upstream_forward(s, reply);
	if (reply->code / 100 == 2 || s->mail == NULL)
		return;
	/* What was pipelined behind it will be refused, too. */
	if (s->state == SESSION_DATA_ASKED) {
		s->mail->refused = true;
	} else if (s->state == SESSION_MAIL) {
		envelope_abandon(s);
		session_enter(s, SESSION_IDLE);
	}
}

static void
upstream_rcpt_replied(struct session *s, const struct reply *reply)
{
	size_t len;
	const char *text = reply_last_text(reply, &len);

	if (s->mail != NULL)
		transaction_rcpt_replied(s->mail, reply->code, text, len);
	upstream_forward(s, reply);
}

/* Is it a reply that such a command can get (RFC 5321 4.3.2)? */
static bool
upstream_reply_fits(enum reply_to to, int code)
{
	if (code >= 400 || to == REPLY_TO_NOBODY)
		return true;
	return to == REPLY_TO_DATA ? code == 354 : code / 100 == 2;
}

/*
 * Does the MSA still hold a transaction that is over for us? Then it gets no
 * other one.
 */
static void
upstream_rset_replied(
    struct session *s, enum reply_to due, const struct reply *reply)
{
	bool reset = reply->code / 100 == 2;

	if (due == REPLY_TO_RSET)
		upstream_forward(s, reply);
	else
		replies_answer(&s->replies, s->client, NULL, 0);
	if (reset)
		return;
	upstream_log_refused(s, reply);
	upstream_drop(s);
}

static void
upstream_replied(struct session *s, const struct reply *reply)
{
	enum reply_to due = replies_due(&s->replies);

	/* It was about to hang up, and did not hear us. */
	if (reply->code == 421 && redial_try(s))
		return;
	redial_over(s);
	if (!upstream_reply_fits(due, reply->code)) {
		upstream_lost(s, "its reply is none to what it was told");
		return;
	}
	switch (due) {
	case REPLY_TO_MAIL:
		upstream_mail_replied(s, reply);
		break;
	case REPLY_TO_RCPT:
		upstream_rcpt_replied(s, reply);
		break;
	case REPLY_TO_DATA:
		upstream_data_replied(s, reply);
		break;
	case REPLY_TO_END:
		message_replied(s, reply);
		break;
	case REPLY_TO_RSET:
	case REPLY_TO_OUR_RSET:
		upstream_rset_replied(s, due, reply);
		break;
	case REPLY_TO_OURS:
		if (reply->code / 100 != 2)
			upstream_log_refused(s, reply);
		replies_answer(&s->replies, s->client, NULL, 0);
		envelope_go(s);
		break;
	case REPLY_TO_NOBODY:
		/* Nothing but a refusal can come before the end. */
		if (s->state == SESSION_DATA && reply->code >= 400)
			message_refuse(s, reply->text, reply->len);
		else
			upstream_lost(s, "it spoke without being asked");
		return;
	}
	upstream_arm(s);
	/* The client's time begins when nothing of ours is due. */
	if (s->replies.waiting == 0)
		session_arm(s);
	if (s->state == SESSION_QUITTING && s->replies.waiting == 0)
		session_end(s, "quit");
	else
		session_process(s);
}

static void
upstream_ready(struct session *s)
{
	probe_note(s->w, msa_announced(s->msa));
	if (s->state == SESSION_MINTING) {
		envelope_go(s);
	} else if (s->mail != NULL && s->mail->redial.on && !redial_say(s)) {
		upstream_lost(s, "it offers something else than before");
	} else {
		upstream_arm(s);
		session_process(s);
	}
}

/* It had its time: a connection nobody uses, or an MSA that keeps silent. */
static void
upstream_late(struct session *s)
{
	if (s->replies.waiting == 0 && s->state != SESSION_DATA)
		upstream_release(s);
	else
		upstream_lost(s, "no answer in time");
}

static void
upstream_on_msa(void *arg, enum msa_event event)
{
	struct session *s = arg;

	switch (event) {
	case MSA_READY:
		upstream_ready(s);
		break;
	case MSA_REPLY:
		upstream_replied(s, msa_reply(s->msa));
		break;
	case MSA_DRAINED:
		if (s->state == SESSION_DATA) {
			msa_wait(s->msa, 0);
			stream_resume(s->client);
			session_arm(s);
		}
		session_process(s);
		break;
	case MSA_LATE:
		upstream_late(s);
		break;
	case MSA_LOST:
		if (!redial_try(s))
			upstream_lost(s, msa_trouble(s->msa));
		break;
	}
}
