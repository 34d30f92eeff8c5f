/*
 * What a session asks of the keeper for its message: ENVID and certifier
 * before MAIL, a record before the reply to the end is passed on.
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proxy/ahead.h"
#include "proxy/keeper.h"
#include "proxy/session.h"
#include "proxy/worker.h"

/*
 * Octets that all recipients of a record may take, so that the record with
 * the rest at its longest is no longer than a message to the keeper may be,
 * and what one takes beside its address and reply.
 */
enum { RCPTS_OCTETS_MAX = WIRE_BODY_MAX - 8192, RCPT_OCTETS = 4 + 2 + 4 };

/*
 * A client's own ENVID that is not local@fqhn (RFC 3885 3.2) makes a message
 * that is remembered but cannot be tracked.
 */
static bool
tracking_is_possible(const struct mail_params *p)
{
	return (p->given & PARAM_ENVID) == 0 || p->envid_unique;
}

/* A message whose mint depends on nothing that the client gave? */
static bool
tracking_is_plain(const struct session *s)
{
	return s->mail != NULL &&
	    (s->mail->params.given & (PARAM_ENVID | PARAM_MTRK)) == 0;
}

static void
tracking_log_untracked(const struct session *s, const char *reason)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "untracked");
	log_session(&l, s->id);
	log_text(&l, "user", s->ticket.account);
	log_text(&l, "reason", reason);
	log_end(&l);
}

bool
tracking_mint(struct session *s)
{
	const struct mail_params *p = &s->mail->params;
	struct mint mint = { .ticket = s->ticket };

	s->mail->mint = MINT_NONE;
	if ((p->given & PARAM_ENVID) != 0) {
		mint.envid = (struct octets){ (const uint8_t *)p->envid.at,
			p->envid.len };
		memcpy(s->mail->envid, p->envid.at, p->envid.len);
	}
	if (s->w->conf->tracking.default_ == CONF_TRACKING_OFF &&
	    (p->given & PARAM_MTRK) == 0)
		return false;
	if (tracking_is_plain(s)) {
		ahead_take(s);
		if (s->mail->mint == MINT_DONE) {
			memcpy(s->mail->envid, s->mail->minted.envid,
			    sizeof(s->mail->envid));
			return false;
		}
	}
	mint.untracked = !tracking_is_possible(p);
	if ((p->given & PARAM_MTRK) != 0) {
		mint.own_certifier = 1;
		memcpy(mint.certifier, p->mtrk.hash, sizeof(mint.certifier));
		mint.timeout = p->mtrk.timeout;
	}
	if (keeper_mint(&s->w->keeper, &mint, s->id))
		return true;
	tracking_log_untracked(s, "the keeper is silent");
	s->mail->mint = MINT_GIVEN_UP;
	return false;
}

static const char *
tracking_why(uint8_t status)
{
	switch (status) {
	case KEEPER_REFUSED:
		return "the keeper refuses the ticket";
	case KEEPER_LIMITED:
		return "too many transactions of this user without a message "
		       "(tracking mints_unfinished)";
	default:
		return "no ENVID could be had in time";
	}
}

static void
tracking_on_minted(void *arg, uint64_t who, const struct minted *minted)
{
	struct session *s = session_find(arg, who);
	struct transaction *t;

	if (s == NULL || s->state != SESSION_MINTING ||
	    s->mail->mint != MINT_ASKED) {
		return;
	}
	t = s->mail;
	t->mint = MINT_DONE;
	t->minted = *minted;
	if (minted->status == KEEPER_OK && t->envid[0] == '\0')
		memcpy(t->envid, minted->envid, sizeof(t->envid));
	if (minted->status != KEEPER_OK) {
		tracking_log_untracked(s, tracking_why(minted->status));
		t->mint = MINT_GIVEN_UP;
	}
	envelope_go(s);
}

static struct octets
tracking_octets(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static struct octets
tracking_span(struct span span)
{
	return (struct octets){ (const uint8_t *)span.at, span.len };
}

/* Is there a record to be kept of this message? */
static bool
tracking_is_on(const struct session *s)
{
	return s->mail != NULL && s->mail->mint == MINT_DONE &&
	    s->mail->minted.status == KEEPER_OK;
}

static uint8_t
tracking_flags(const struct transaction *t)
{
	unsigned flags = 0;

	if (t->mtrk_sent)
		flags |= MAIL_MTRK_SENT;
	if (t->envid_sent)
		flags |= MAIL_ENVID_SENT;
	if ((t->params.given & PARAM_ENVID) != 0)
		flags |= MAIL_CLIENT_ENVID;
	if ((t->params.given & PARAM_MTRK) != 0)
		flags |= MAIL_CLIENT_MTRK;
	if (!tracking_is_possible(&t->params))
		flags |= MAIL_UNTRACKED;
	return (uint8_t)flags;
}

/* How many recipients a record has room for; *room is what they leave. */
static uint32_t
tracking_rcpts_fit(const struct transaction *t, size_t *room)
{
	uint32_t n;
	size_t len;

	for (n = 0; n < t->rcpt_count && n < RECORD_RECIPIENTS_MAX; n++) {
		len = RCPT_OCTETS + strlen(t->rcpts[n].address);
		if (len > *room)
			break;
		*room -= len;
	}
	return n;
}

/* A record that gets too long loses replies first, then recipients. */
static void
tracking_fill_rcpts(const struct transaction *t, struct mail_record *r)
{
	size_t i, len, room = RCPTS_OCTETS_MAX;

	r->recipient_count = tracking_rcpts_fit(t, &room);
	r->recipients = calloc(r->recipient_count + 1, sizeof(*r->recipients));
	if (r->recipients == NULL)
		fatal("out of memory");
	for (i = 0; i < r->recipient_count; i++) {
		const struct transaction_rcpt *rcpt = &t->rcpts[i];

		r->recipients[i].address = tracking_octets(rcpt->address);
		r->recipients[i].code = rcpt->code;
		len = rcpt->reply == NULL ? 0 : strlen(rcpt->reply);
		if (len == 0 || len > room)
			continue;
		r->recipients[i].reply = tracking_octets(rcpt->reply);
		room -= len;
	}
}

/* All that is known when the end has been sent. */
static void
tracking_fill(struct session *s)
{
	struct transaction *t = s->mail;
	struct mail_record *r = &t->record;
	const struct header_scan *h = &t->body->header;

	*r = (struct mail_record){ .outcome = OUTCOME_UNKNOWN };
	r->ticket = s->ticket;
	memcpy(r->handle, t->minted.handle, HANDLE_LEN);
	r->envid = tracking_octets(t->envid);
	r->flags = tracking_flags(t);
	if ((t->params.given & PARAM_MTRK) != 0) {
		memcpy(r->certifier, t->params.mtrk.hash, CERTIFIER_LEN);
		r->timeout = t->params.mtrk.timeout;
	}
	r->time = clock_wall_ms();
	r->sender = tracking_span(t->params.from.whole);
	r->message_id = tracking_octets(t->message_id);
	r->subject =
	    (struct octets){ (const uint8_t *)h->subject.text, h->subject.len };
	r->size = t->body->scan.out;
	r->msa = tracking_octets(s->w->conf->msa_name);
	r->msa_host = tracking_octets(t->msa_host);
	tracking_fill_rcpts(t, r);
}

static void
tracking_fill_reply(struct transaction *t, bool outcome_known)
{
	struct mail_record *r = &t->record;

	r->outcome = outcome_known ? OUTCOME_ACCEPTED : OUTCOME_UNKNOWN;
	r->code = t->code;
	r->reply = tracking_octets(t->reply_text);
	r->queue_id = tracking_octets(t->queue_id);
}

void
tracking_describe(struct session *s)
{
	if (!tracking_is_on(s))
		return;
	tracking_fill(s);
	keeper_describe(&s->w->keeper, &s->mail->record);
}

bool
tracking_settle(struct session *s, bool outcome_known)
{
	bool go_on;

	if (!tracking_is_on(s))
		return false;
	tracking_fill_reply(s->mail, outcome_known);
	/* Who brings ENVID or certifier is not expected to want ours next. */
	go_on = outcome_known && tracking_is_plain(s) && ahead_is_wanted(s);
	s->sent_before = true;
	return keeper_settle(&s->w->keeper, &s->mail->record, s->id, go_on);
}

void
tracking_forget(struct session *s)
{
	if (tracking_is_on(s))
		keeper_forget(
		    &s->w->keeper, &s->ticket, s->mail->minted.handle);
}

static bool
tracking_on_settled(
    void *arg, uint64_t who, bool stored, const struct minted *next)
{
	struct session *s = session_find(arg, who);
	bool taken;

	if (s == NULL || s->state != SESSION_SETTLING)
		return false;
	taken = next->status == KEEPER_OK && ahead_keep(s, next);
	message_finish(s, stored);
	return taken;
}

const struct keeper_answers tracking_answers = {
	.minted = tracking_on_minted,
	.settled = tracking_on_settled,
	.listed = queries_listed,
	.shown = queries_shown,
	.token = queries_token,
	.revoked = queries_revoked,
};
