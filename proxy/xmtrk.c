/*
 * The replies of XMTRK (docs/xmtrk.md): lines of key=xtext, each within 512
 * octets.
 */
#include "proxy/xmtrk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/mtqp_uri.h"
#include "common/timestamp.h"

#define PREFIX	 "250-2.0.0 "
#define BODY_MAX (XMTRK_LINE_MAX - 2) /* a line without its CRLF */
#define LEN(a)	 (sizeof(a) / sizeof((a)[0]))

/* What may happen to a value whose line gets too long. */
enum fit { FIT_WHOLE, FIT_CUT, FIT_DROP };

struct field {
	const char *key;
	struct octets value;
	enum fit fit;
};

/* How a field goes into a line; octets of the value. */
struct plan {
	bool shortened;
	size_t keep;
};

static struct octets
as_octets(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static void
append(struct xmtrk_reply *r, const char *text, size_t len)
{
	size_t size = r->size == 0 ? 1024 : r->size;
	char *grown;

	if (r->failed)
		return;
	while (size - r->len < len)
		size *= 2;
	if (size != r->size) {
		/* realloc() would leave a copy of a secret behind. */
		grown = malloc(size);
		if (grown == NULL) {
			r->failed = true;
			return;
		}
		if (r->data != NULL) {
			memcpy(grown, r->data, r->len);
			explicit_bzero(r->data, r->len);
			free(r->data);
		}
		r->data = grown;
		r->size = size;
	}
	memcpy(r->data + r->len, text, len);
	r->len += len;
}

static void
append_text(struct xmtrk_reply *r, const char *text)
{
	append(r, text, strlen(text));
}

static size_t
xtext_len(const uint8_t *in, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += in[i] < '!' || in[i] > '~' || in[i] == '+' || in[i] == '='
		    ? 3
		    : 1;
	return n;
}

static size_t
field_len(const struct field *f)
{
	return strlen(" =") + strlen(f->key) +
	    xtext_len(f->value.data, f->value.len);
}

/* Octets of value whose xtext fits into room; never half a UTF-8 character. */
static size_t
cut_to(struct octets value, size_t room)
{
	size_t n = 0, used = 0;

	while (n < value.len && (used += xtext_len(value.data + n, 1)) <= room)
		n++;
	if (n == value.len || !codec_is_utf8(value.data, value.len))
		return n;
	while (n > 0 && (value.data[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/*
 * Take from the last fields first, all that they have; then give the first of
 * those back what room is left. False where even that is too long.
 */
static bool
plan_line(const struct field *f, size_t n, size_t room, struct plan *plan)
{
	size_t used = 0;
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		plan[i] = (struct plan){ false, f[i].value.len };
		used += field_len(&f[i]);
	}
	for (size_t i = n; i-- > 0 && used > room;) {
		if (f[i].fit == FIT_WHOLE)
			continue;
		plan[i] = (struct plan){ true, 0 };
		used -= f[i].fit == FIT_DROP
		    ? field_len(&f[i])
		    : xtext_len(f[i].value.data, f[i].value.len);
		used += strlen(any ? "," : " cut=") + strlen(f[i].key);
		any = true;
	}
	if (used > room)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!plan[i].shortened || f[i].fit != FIT_CUT)
			continue;
		plan[i].keep = cut_to(f[i].value, room - used);
		plan[i].shortened = plan[i].keep < f[i].value.len;
		used += xtext_len(f[i].value.data, plan[i].keep);
	}
	return true;
}

static void
append_field(struct xmtrk_reply *r, const struct field *f, size_t keep)
{
	char xtext[BODY_MAX + 1];

	append_text(r, " ");
	append_text(r, f->key);
	append_text(r, "=");
	if (codec_xtext_encode(f->value.data, keep, xtext, sizeof(xtext)) < 0)
		r->failed = true;
	append_text(r, xtext);
	explicit_bzero(xtext, sizeof(xtext));
}

/* One line of at most 16 fields; where they do not fit, by their fit. */
static void
append_line(
    struct xmtrk_reply *r, const char *word, const struct field *f, size_t n)
{
	struct plan plan[16];
	const char *between = " cut=";

	if (n > LEN(plan) ||
	    !plan_line(f, n, BODY_MAX - strlen(PREFIX) - strlen(word), plan)) {
		r->failed = true;
		return;
	}
	append_text(r, PREFIX);
	append_text(r, word);
	for (size_t i = 0; i < n; i++)
		if (!plan[i].shortened || f[i].fit != FIT_DROP)
			append_field(r, &f[i], plan[i].keep);
	for (size_t i = n; i-- > 0;) {
		if (!plan[i].shortened)
			continue;
		append_text(r, between);
		append_text(r, f[i].key);
		between = ",";
	}
	append_text(r, "\r\n");
	r->lines++;
}

/* As many lines as it takes, each field whole where a line can hold it. */
static void
append_lines(
    struct xmtrk_reply *r, const char *word, const struct field *f, size_t n)
{
	size_t room = BODY_MAX - strlen(PREFIX) - strlen(word);
	size_t first = 0, used = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > first && used + field_len(&f[i]) > room) {
			append_line(r, word, f + first, i - first);
			first = i;
			used = 0;
		}
		used += field_len(&f[i]);
	}
	append_line(r, word, f + first, n - first);
}

static void
append_end(struct xmtrk_reply *r, bool more)
{
	char line[64];

	snprintf(line, sizeof(line), "250 2.0.0 end count=%u%s\r\n", r->lines,
	    more ? " more=yes" : "");
	append_text(r, line);
}

static const char *
state_name(uint8_t outcome)
{
	return outcome == OUTCOME_ACCEPTED ? "accepted" : "unknown";
}

void
xmtrk_list_row(struct xmtrk_reply *r, const struct list_row *row)
{
	char time[TIMESTAMP_SIZE], size[24], count[16];
	struct field f[8];
	size_t n = 0;

	timestamp_write(row->time, time);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)row->size);
	snprintf(count, sizeof(count), "%u", row->recipient_count);
	f[n++] = (struct field){ "envid", row->envid, FIT_WHOLE };
	f[n++] = (struct field){ "time", as_octets(time), FIT_WHOLE };
	f[n++] = (struct field){ "state", as_octets(state_name(row->outcome)),
		FIT_WHOLE };
	f[n++] = (struct field){ "size", as_octets(size), FIT_WHOLE };
	f[n++] = (struct field){ "recipients", as_octets(count), FIT_WHOLE };
	if (row->message_id.len > 0)
		f[n++] = (struct field){ "id", row->message_id, FIT_DROP };
	if (row->recipient.len > 0)
		f[n++] = (struct field){ "to", row->recipient, FIT_DROP };
	if (row->subject.len > 0)
		f[n++] = (struct field){ "subject", row->subject, FIT_CUT };
	append_line(r, "message", f, n);
}

void
xmtrk_list_end(struct xmtrk_reply *r, bool more)
{
	append_end(r, more);
}

static const char *
tracked_name(uint8_t flags)
{
	if ((flags & MAIL_UNTRACKED) != 0)
		return "no";
	return (flags & MAIL_CLIENT_MTRK) != 0 ? "client" : "yes";
}

static void
show_message(struct xmtrk_reply *r, const struct mail_record *m)
{
	char time[TIMESTAMP_SIZE], size[24];
	const char *mtrk = (m->flags & MAIL_MTRK_SENT) != 0 ? "yes" : "no";
	struct field f[16];
	size_t n = 0;

	timestamp_write(m->time, time);
	snprintf(size, sizeof(size), "%llu", (unsigned long long)m->size);
	f[n++] = (struct field){ "envid", m->envid, FIT_WHOLE };
	f[n++] = (struct field){ "time", as_octets(time), FIT_WHOLE };
	f[n++] = (struct field){ "state", as_octets(state_name(m->outcome)),
		FIT_WHOLE };
	f[n++] = (struct field){ "size", as_octets(size), FIT_WHOLE };
	f[n++] = (struct field){ "tracked", as_octets(tracked_name(m->flags)),
		FIT_WHOLE };
	f[n++] = (struct field){ "mtrk", as_octets(mtrk), FIT_WHOLE };
	f[n++] = (struct field){ "from", m->sender, FIT_CUT };
	if (m->message_id.len > 0)
		f[n++] = (struct field){ "id", m->message_id, FIT_CUT };
	if (m->subject.len > 0)
		f[n++] = (struct field){ "subject", m->subject, FIT_CUT };
	if (m->msa.len > 0)
		f[n++] = (struct field){ "msa", m->msa, FIT_CUT };
	if (m->queue_id.len > 0)
		f[n++] = (struct field){ "queue", m->queue_id, FIT_CUT };
	append_lines(r, "message", f, n);
}

static void
show_reply(struct xmtrk_reply *r, const char *word, uint16_t code,
    const struct octets *to_text)
{
	char number[8];
	struct field f[3];
	size_t n = 0;

	snprintf(number, sizeof(number), "%u", code);
	if (to_text[0].len > 0)
		f[n++] = (struct field){ "to", to_text[0], FIT_CUT };
	if (code != 0) {
		f[n++] = (struct field){ "code", as_octets(number), FIT_WHOLE };
		f[n++] = (struct field){ "text", to_text[1], FIT_CUT };
	}
	append_line(r, word, f, n);
}

void
xmtrk_show(struct xmtrk_reply *r, const struct mail_record *m)
{
	struct octets pair[2];

	show_message(r, m);
	for (uint32_t i = 0; i < m->recipient_count; i++) {
		pair[0] = m->recipients[i].address;
		pair[1] = m->recipients[i].reply;
		show_reply(r, "recipient", m->recipients[i].code, pair);
	}
	if (m->code != 0) {
		pair[0] = (struct octets){ NULL, 0 };
		pair[1] = m->reply;
		show_reply(r, "reply", m->code, pair);
	}
	append_end(r, false);
}

void
xmtrk_token(struct xmtrk_reply *r, const struct token_answer *t,
    const char *server, unsigned port)
{
	struct mtqp_uri parts = { server, port, t->envid, t->secret };
	char secret[BASE64_LEN(SECRET_MAX) + 1] = "", uri[1024] = "";
	char expires[TIMESTAMP_SIZE];
	struct field f[5];
	size_t n = 0;

	if (t->secret.len > SECRET_MAX ||
	    mtqp_uri_write(&parts, uri, sizeof(uri)) < 0) {
		r->failed = true;
		return;
	}
	codec_base64_encode(t->secret.data, t->secret.len, true, secret);
	timestamp_write(t->expires * 1000, expires);
	f[n++] = (struct field){ "envid", t->envid, FIT_WHOLE };
	f[n++] = (struct field){ "secret", as_octets(secret), FIT_WHOLE };
	f[n++] =
	    (struct field){ "certifier", as_octets(t->certifier), FIT_WHOLE };
	f[n++] = (struct field){ "expires", as_octets(expires), FIT_WHOLE };
	f[n++] = (struct field){ "uri", as_octets(uri), FIT_DROP };
	for (size_t i = 0; i < n; i++)
		append_line(r, "token", &f[i], 1);
	append_end(r, false);
	explicit_bzero(secret, sizeof(secret));
	explicit_bzero(uri, sizeof(uri));
}

void
xmtrk_reply_free(struct xmtrk_reply *r)
{
	if (r->data != NULL)
		explicit_bzero(r->data, r->len);
	free(r->data);
	*r = (struct xmtrk_reply){ 0 };
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
