/*
 * MAIL, RCPT and RSET (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.1.5): the client's
 * envelope, strict on the way in, enabled for tracking on the way out.
 */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "proxy/caps.h"
#include "proxy/message.h"
#include "proxy/msa.h"
#include "proxy/redial.h"
#include "proxy/rewrite.h"
#include "proxy/session.h"
#include "proxy/worker.h"

static void
envelope_reply(struct session *s, const char *reply)
{
	char line[300];
	int n = snprintf(line, sizeof(line), "%s\r\n", reply);

	replies_own(&s->replies, s->client, line, (size_t)n);
	if (reply[0] == '5')
		s->bad_commands++;
}

static void
envelope_reply_error(struct session *s, int code)
{
	const struct params_error *e = params_error(code);
	char line[300];

	snprintf(line, sizeof(line), "%d %s %s", e->code, e->enhanced, e->text);
	envelope_reply(s, line);
}

void
envelope_abandon(struct session *s)
{
	if (s->mail == NULL)
		return;
	tracking_forget(s);
	transaction_free(s->mail);
	s->mail = NULL;
}

/* Nothing went to the MSA yet. */
static void
envelope_refuse_mail(struct session *s, const char *reply)
{
	envelope_abandon(s);
	session_enter(s, SESSION_IDLE);
	upstream_arm(s);
	envelope_reply(s, reply);
}

static bool
envelope_ticket_expired(const struct session *s)
{
	return clock_ms() - s->since > (uint64_t)s->w->conf->limits.session_max;
}

void
envelope_mail(struct session *s, const char *args, size_t len)
{
	uint64_t max = ehlo_offer_size(&s->w->caps, MESSAGE_HEADROOM);
	int code;

	if (envelope_ticket_expired(s)) {
		session_bye(s,
		    "421 4.7.0 The session is too old, log in "
		    "again");
		return;
	}
	s->mail = transaction_new(args, len);
	code =
	    params_parse_mail(s->mail->line, len, s->offered, &s->mail->params);
	if (code != 0) {
		transaction_free(s->mail);
		s->mail = NULL;
		envelope_reply_error(s, code);
		return;
	}
	session_enter(s, SESSION_MINTING);
	if ((s->mail->params.given & PARAM_SIZE) != 0 && max > 0 &&
	    s->mail->params.size > max) {
		envelope_refuse_mail(s, "552 5.3.4 Message is too large");
		return;
	}
	s->mail->mint = tracking_mint(s) ? MINT_ASKED : s->mail->mint;
	upstream_want(s);
	redial_begin(s);
	upstream_arm(s); /* no longer idle: it is not given back */
	envelope_go(s);
}

/* Returns false where the MSA lacks what MAIL was accepted with. */
static bool
envelope_msa_can(struct session *s, unsigned needs)
{
	static const char *const names[] = {
#define X(name, keyword) keyword,
		CAPS_LIST(X)
#undef X
	};
	unsigned i = 0, lacks = needs & ~msa_caps(s->msa)->mask;
	struct log_line l;

	if (lacks == 0)
		return true;
	while ((lacks & 1U << i) == 0)
		i++;
	log_begin(&l, LOG_IS_WARNING, "msa_lacks");
	log_session(&l, s->id);
	log_text(&l, "extension", names[i]);
	log_end(&l);
	return false;
}

/* Returns false where MAIL has to wait for the reply (no PIPELINING). */
static bool
envelope_send_ident(struct session *s)
{
	const struct msa_caps *caps = msa_caps(s->msa);
	char line[XCLIENT_LINE_MAX + 1];
	long n;

	if (s->mail->ident_sent || (caps->mask & CAP_XFORWARD) == 0 ||
	    (caps->xforward & ATTR_IDENT) == 0 || s->mail->envid[0] == '\0')
		return true;
	s->mail->ident_sent = true;
	n = xforward_ident(s->mail->envid, line, sizeof(line));
	if (n <= 0)
		return true;
	upstream_send(s, REPLY_TO_OURS, line, (size_t)n);
	return (caps->mask & CAP_PIPELINING) != 0;
}

/* What the mint lets us add; NULL: nothing. */
static const struct rewrite_mint *
envelope_additions(const struct session *s, struct rewrite_mint *out)
{
	/* The client's own ENVID may be one that cannot be tracked. */
	if (s->mail->mint != MINT_DONE || s->mail->minted.certifier[0] == '\0')
		return NULL;
	*out = (struct rewrite_mint){ .envid = s->mail->minted.envid,
		.certifier = s->mail->minted.certifier,
		.seconds = s->mail->minted.timeout };
	return out;
}

static void
envelope_note_sent(struct session *s)
{
	const struct mail_params *p = &s->mail->params;
	unsigned mask = msa_caps(s->msa)->mask;
	bool tracked =
	    s->mail->mint == MINT_DONE && s->mail->minted.certifier[0] != '\0';

	s->mail->mtrk_sent =
	    (mask & CAP_MTRK) != 0 && (tracked || (p->given & PARAM_MTRK) != 0);
	if (s->mail->mtrk_sent)
		memcpy(s->mail->msa_host, msa_caps(s->msa)->name,
		    sizeof(s->mail->msa_host));
	s->mail->envid_sent =
	    (mask & (CAP_MTRK | CAP_DSN)) != 0 && s->mail->envid[0] != '\0';
}

static void
envelope_send_mail(struct session *s)
{
	struct rewrite_mint additions;
	struct rewrite_line line;
	long n = rewrite_mail(&s->mail->params, msa_caps(s->msa)->mask,
	    MESSAGE_HEADROOM, envelope_additions(s, &additions), &line);

	if (n == -1) {
		/* What the client said was good: it is the keeper's fault. */
		envelope_refuse_mail(s,
		    "451 4.3.0 Tracking is not available, "
		    "try again later");
		return;
	}
	if (!envelope_send_ident(s))
		return;
	session_enter(s, SESSION_MAIL);
	upstream_send(s, REPLY_TO_MAIL, line.text, line.len);
	envelope_note_sent(s);
}

static void
envelope_log_no_msa(const struct session *s)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "msa_unavailable");
	log_session(&l, s->id);
	log_text(&l, "user", s->ticket.account);
	log_text(&l, "reason", s->msa_trouble);
	log_end(&l);
}

static const char *
envelope_no_msa_reply(const struct session *s)
{
	if (strncmp(s->msa_trouble, MSA_NO_IDENTITY, strlen(MSA_NO_IDENTITY)) ==
	    0)
		return "451 4.3.5 The mail server does not let this proxy say "
		       "who you are; its administrator has to";
	return "451 4.4.1 The mail server cannot be reached, try again later";
}

void
envelope_go(struct session *s)
{
	struct transaction *t = s->mail;

	if (s->state != SESSION_MINTING || t->mint == MINT_ASKED)
		return;
	if (s->msa != NULL && !msa_is_ready(s->msa))
		return;
	if (s->msa == NULL) {
		envelope_log_no_msa(s);
		envelope_refuse_mail(s, envelope_no_msa_reply(s));
	} else if (t->mint == MINT_GIVEN_UP &&
	    s->w->conf->tracking.without_vault == CONF_WITHOUT_VAULT_DEFER) {
		envelope_refuse_mail(s,
		    "451 4.3.0 Tracking is not available, "
		    "try again later");
	} else if (!envelope_msa_can(s, params_mail_needs(&t->params))) {
		envelope_refuse_mail(s,
		    "451 4.3.0 The mail server lacks an "
		    "extension just now, try again later");
	} else {
		envelope_send_mail(s);
	}
	session_process(s);
}

void
envelope_rcpt(struct session *s, const char *args, size_t len)
{
	struct rcpt_params rcpt;
	struct rewrite_line line;
	bool orcpt;
	int code;

	if (s->state == SESSION_BROKEN) {
		envelope_reply(s,
		    "451 4.4.2 The mail server was lost, start "
		    "over with RSET");
		return;
	}
	code = params_parse_rcpt(args, len, s->offered,
	    (s->mail->params.given & PARAM_SMTPUTF8) != 0, &rcpt);
	if (code != 0) {
		envelope_reply_error(s, code);
		return;
	}
	if (s->mail->rcpt_count >= (size_t)s->w->conf->limits.recipients) {
		envelope_reply(s, "452 4.5.3 Too many recipients");
		return;
	}
	if (!envelope_msa_can(s, params_rcpt_needs(&rcpt))) {
		envelope_reply(s,
		    "451 4.3.0 The mail server lacks an "
		    "extension just now, try again later");
		return;
	}
	orcpt = s->mail->envid_sent || s->mail->mtrk_sent;
	if (rewrite_rcpt(&rcpt, msa_caps(s->msa)->mask, orcpt, &line) == -1) {
		envelope_reply_error(s, PARAMS_E_RECIPIENT);
		return;
	}
	transaction_add_rcpt(s->mail, rcpt.to.whole.at, rcpt.to.whole.len);
	upstream_send(s, REPLY_TO_RCPT, line.text, line.len);
}

void
envelope_rset(struct session *s, const char *args, size_t len)
{
	(void)args;
	(void)len;
	if (s->state == SESSION_MAIL) {
		upstream_send(s, REPLY_TO_RSET, "RSET\r\n", 6);
	} else {
		envelope_reply(s, "250 2.0.0 OK");
	}
	envelope_abandon(s);
	if (s->state != SESSION_OPEN)
		session_enter(s, SESSION_IDLE);
}
