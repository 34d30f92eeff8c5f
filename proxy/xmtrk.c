/*
 * The replies of XMTRK (docs/xmtrk.md) to LIST, TOKEN and REVOKE, and those
 * that say no.
 */
#include "proxy/xmtrk_lines.h"

#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/mtqp_uri.h"
#include "common/timestamp.h"

const char *
xmtrk_state_name(uint8_t outcome)
{
	return outcome == OUTCOME_ACCEPTED ? "accepted" : "unknown";
}

void
xmtrk_list_row(struct xmtrk_reply *r, const struct list_row *row)
{
	char time[TIMESTAMP_SIZE], size[24], count[16];
	struct xmtrk_field f[8];
	size_t n = 0;

	timestamp_write(row->time, time);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)row->size);
	snprintf(count, sizeof(count), "%u", row->recipient_count);
	f[n++] = (struct xmtrk_field){ "envid", row->envid, FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "time", xmtrk_text(time), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "state",
		xmtrk_text(xmtrk_state_name(row->outcome)), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "size", xmtrk_text(size), FIT_WHOLE };
	f[n++] =
	    (struct xmtrk_field){ "recipients", xmtrk_text(count), FIT_WHOLE };
	if (row->message_id.len > 0)
		f[n++] =
		    (struct xmtrk_field){ "id", row->message_id, FIT_DROP };
	if (row->recipient.len > 0)
		f[n++] = (struct xmtrk_field){ "to", row->recipient, FIT_DROP };
	if (row->subject.len > 0)
		f[n++] =
		    (struct xmtrk_field){ "subject", row->subject, FIT_CUT };
	xmtrk_line(r, "message", f, n);
}

void
xmtrk_list_end(struct xmtrk_reply *r, bool more)
{
	xmtrk_end(r, more);
}

void
xmtrk_token(struct xmtrk_reply *r, const struct token_answer *t,
    const char *server, unsigned port)
{
	struct mtqp_uri parts = { server, port, t->envid, t->secret };
	char secret[BASE64_LEN(SECRET_MAX) + 1] = "", uri[1024] = "";
	char expires[TIMESTAMP_SIZE];
	struct xmtrk_field f[6];
	size_t n = 0;

	if (t->secret.len > SECRET_MAX ||
	    mtqp_uri_write(&parts, uri, sizeof(uri)) < 0) {
		r->failed = true;
		return;
	}
	codec_base64_encode(t->secret.data, t->secret.len, true, secret);
	timestamp_write(t->expires * 1000, expires);
	f[n++] = (struct xmtrk_field){ "envid", t->envid, FIT_WHOLE };
	f[n++] =
	    (struct xmtrk_field){ "secret", xmtrk_text(secret), FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "certifier", xmtrk_text(t->certifier),
		FIT_WHOLE };
	f[n++] =
	    (struct xmtrk_field){ "expires", xmtrk_text(expires), FIT_WHOLE };
	if (t->revoked)
		f[n++] = (struct xmtrk_field){ "tracked", xmtrk_text("revoked"),
			FIT_WHOLE };
	f[n++] = (struct xmtrk_field){ "uri", xmtrk_text(uri), FIT_DROP };
	for (size_t i = 0; i < n; i++)
		xmtrk_line(r, "token", &f[i], 1);
	xmtrk_end(r, false);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(uri, sizeof(uri));
}

void
xmtrk_revoked(struct xmtrk_reply *r, const struct revoke_answer *answer)
{
	const char *mtrk = answer->mtrk_sent ? "yes" : "no";
	const struct xmtrk_field f[] = {
		{ "envid", answer->envid, FIT_WHOLE },
		{ "mtrk", xmtrk_text(mtrk), FIT_WHOLE },
	};

	xmtrk_line(r, "revoked", f, sizeof(f) / sizeof(f[0]));
	xmtrk_end(r, false);
}

const char *
xmtrk_error(enum keeper_status status)
{
	switch (status) {
	case KEEPER_NOT_FOUND:
		return "550 5.5.0 No such message of yours";
	case KEEPER_NO_SECRET:
		return "550 5.5.0 Its secret is not here: the client that sent "
		       "the message kept it, or it is not tracked";
	case KEEPER_LIMITED:
		return "450 4.3.2 Too many questions; try again later";
	case KEEPER_REFUSED:
		return "451 4.7.0 Your login has expired; log in again";
	case KEEPER_OK:
	case KEEPER_UNAVAILABLE:
		break;
	}
	return "451 4.3.0 The vault cannot be asked now; try again later";
}
