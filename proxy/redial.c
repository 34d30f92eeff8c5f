/*
 * A second connection to the MSA; see redial.h. No content of a message has
 * been sent yet, so nothing is sent twice (RFC 5321 4.5.4.1).
 */
#include "proxy/redial.h"

#include "common/log.h"
#include "proxy/msa.h"
#include "proxy/session.h"

/* More was never pipelined by a client that waits for replies. */
enum { REDIAL_OCTETS_MAX = 256 * 1024, REDIAL_OCTETS_KEPT = 2048 };

void
redial_begin(struct session *s)
{
	if (s->msa == NULL || !msa_is_ready(s->msa))
		return;
	s->mail->redial.on = true;
	s->mail->redial.caps = *msa_caps(s->msa);
}

void
redial_note(struct session *s, const char *line, size_t len)
{
	struct redial *r = s->mail == NULL ? NULL : &s->mail->redial;

	if (r == NULL || !r->on || r->under_way)
		return;
	if (buffer_len(&r->said) + len > REDIAL_OCTETS_MAX)
		redial_over(s);
	else
		buffer_append(&r->said, line, len);
}

void
redial_end(struct redial *r)
{
	r->on = r->under_way = false;
	buffer_consume(&r->said, buffer_len(&r->said));
	if (r->said.size > REDIAL_OCTETS_KEPT)
		buffer_free(&r->said);
}

void
redial_over(struct session *s)
{
	if (s->mail != NULL && s->mail->redial.on)
		redial_end(&s->mail->redial);
}

static void
redial_log(const struct session *s)
{
	struct log_line l;

	log_begin(&l, LOG_IS_INFO, "msa_redial");
	log_session(&l, s->id);
	log_text(&l, "reason", "the MSA closed an idle connection");
	log_end(&l);
}

bool
redial_try(struct session *s)
{
	struct redial *r = s->mail == NULL ? NULL : &s->mail->redial;

	if (r == NULL || !r->on || r->under_way ||
	    (s->state &
		(SESSION_MINTING | SESSION_MAIL | SESSION_DATA_ASKED)) == 0)
		return false;
	upstream_drop(s);
	if (!upstream_want(s))
		return false;
	redial_log(s);
	r->under_way = true;
	if (s->state != SESSION_MINTING)
		return true;
	/* MAIL was not sent; XFORWARD may have been, and will be again. */
	replies_fail(&s->replies, s->client, "");
	s->mail->ident_sent = false;
	return true;
}

bool
redial_say(struct session *s)
{
	struct redial *r = &s->mail->redial;
	bool same = ehlo_same_caps(&r->caps, msa_caps(s->msa));

	if (same)
		stream_write(msa_stream(s->msa), buffer_at(&r->said),
		    buffer_len(&r->said));
	redial_over(s);
	return same;
}

void
redial_free(struct redial *r)
{
	buffer_free(&r->said);
}
