/*
 * The MAIL and RCPT lines for the MSA, built from what the client's said and
 * what this MSA connection offers (RFC 3461 5.2, RFC 3885 3, RFC 6409 8).
 */
#include "proxy/rewrite.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "proxy/caps.h"

#define CRLF_LEN 2

/* A hop with MTRK takes ENVID and ORCPT even without DSN (RFC 3885 2). */
#define CAPS_TRACE (CAP_DSN | CAP_MTRK)

#define TIMEOUT_MAX 999999999 /* mtrk-timeout = 1*9DIGIT */

_Static_assert(sizeof("MAIL FROM: SIZE= BODY=8BITMIME SMTPUTF8 RET=FULL "
		      "ENVID= MTRK=:999999999") +
	    MAILBOX_PATH_MAX + 20 + PARAMS_ENVID_MAX + PARAMS_CERTIFIER_LEN <=
	REWRITE_LINE_MAX - CRLF_LEN,
    "MAIL always has room for what tracking adds");

static void
line_begin(struct rewrite_line *line)
{
	line->len = 0;
	line->failed = false;
}

static void
line_add(struct rewrite_line *line, const char *text, size_t len)
{
	if (len > REWRITE_LINE_MAX - CRLF_LEN - line->len) {
		line->failed = true;
		return;
	}
	if (len > 0)
		memcpy(line->text + line->len, text, len);
	line->len += len;
}

static void
line_add_word(struct rewrite_line *line, const char *word)
{
	line_add(line, word, strlen(word));
}

static void
line_add_span(struct rewrite_line *line, struct span text)
{
	line_add(line, text.at, text.len);
}

static void
line_add_number(struct rewrite_line *line, uint64_t number)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, number);

	line_add(line, digits, (size_t)len);
}

/* The last guard: nothing may end the line early, wherever it came from. */
static long
line_end(struct rewrite_line *line)
{
	line->failed |= codec_has_control(line->text, line->len);
	if (line->failed)
		return -1;
	memcpy(line->text + line->len, "\r\n", CRLF_LEN + 1);
	line->len += CRLF_LEN;
	return (long)line->len;
}

static void
mail_begin(struct rewrite_line *line, const struct mail_params *mail)
{
	line_add_word(line, "MAIL FROM:<");
	line_add_span(line, mail->from.whole);
	line_add_word(line, ">");
}

/* RFC 1870 6.1: an estimate, so it must cover what we may add. */
static void
mail_add_size(struct rewrite_line *line, const struct mail_params *mail,
    unsigned caps, uint64_t extra)
{
	uint64_t size;

	if (!(mail->given & PARAM_SIZE) || !(caps & CAP_SIZE))
		return;
	if (__builtin_add_overflow(mail->size, extra, &size))
		size = UINT64_MAX;
	line_add_word(line, " SIZE=");
	line_add_number(line, size);
}

/* RFC 6152 2: only to a server that offers 8BITMIME. */
static void
mail_add_body(
    struct rewrite_line *line, const struct mail_params *mail, unsigned caps)
{
	if (!(mail->given & PARAM_BODY) || !(caps & CAP_8BITMIME))
		return;
	line_add_word(line,
	    mail->body == BODY_8BITMIME ? " BODY=8BITMIME" : " BODY=7BIT");
}

/* RFC 6531 3.4: only to a server that offers it. */
static void
mail_add_smtputf8(
    struct rewrite_line *line, const struct mail_params *mail, unsigned caps)
{
	if ((mail->given & PARAM_SMTPUTF8) && (caps & CAP_SMTPUTF8))
		line_add_word(line, " SMTPUTF8");
}

/* RFC 3461 5.2.1 (b): unchanged to DSN; MTRK alone does not carry RET. */
static void
mail_add_ret(
    struct rewrite_line *line, const struct mail_params *mail, unsigned caps)
{
	if (!(mail->given & PARAM_RET) || !(caps & CAP_DSN))
		return;
	line_add_word(line, mail->ret == RET_FULL ? " RET=FULL" : " RET=HDRS");
}

static bool
mint_is_fit(const struct rewrite_mint *mint)
{
	const size_t len = strlen(mint->envid);
	const size_t base64_len = strlen(mint->certifier);
	char text[PARAMS_ENVID_MAX];
	uint8_t hash[PARAMS_CERTIFIER_LEN + 3];

	if (len == 0 || len > sizeof(text) ||
	    base64_len != PARAMS_CERTIFIER_LEN)
		return false;
	return codec_xtext_decode(mint->envid, len, text) > 0 &&
	    codec_base64_decode(mint->certifier, base64_len, true, hash) ==
	    PARAMS_HASH_LEN &&
	    mint->seconds <= TIMEOUT_MAX;
}

/*
 * RFC 3461 5.2.1 (a), 5.2.2 (a): the client's goes on unchanged, or not at
 * all. Ours is added as the first hop of a submission (RFC 3464 2.2.1).
 */
static void
mail_add_envid(struct rewrite_line *line, const struct mail_params *mail,
    unsigned caps, const struct rewrite_mint *mint)
{
	if (!(caps & CAPS_TRACE))
		return;
	if (mail->given & PARAM_ENVID) {
		line_add_word(line, " ENVID=");
		line_add_span(line, mail->envid);
	} else if (mint != NULL) {
		line_add_word(line, " ENVID=");
		line_add_word(line, mint->envid);
	}
}

/*
 * RFC 3885 3.3: the client's certifier goes on to a hop with MTRK, and is
 * deleted for any other. Ours needs an ENVID of the form local@fqhn (3.2).
 */
static void
mail_add_mtrk(struct rewrite_line *line, const struct mail_params *mail,
    unsigned caps, const struct rewrite_mint *mint)
{
	if (!(caps & CAP_MTRK))
		return;
	if (mail->given & PARAM_MTRK) {
		line_add_word(line, " MTRK=");
		line_add_span(line, mail->mtrk.certifier);
		if (mail->mtrk.timeout_text.len > 0)
			line_add_word(line, ":");
		line_add_span(line, mail->mtrk.timeout_text);
		return;
	}
	if (mint == NULL ||
	    ((mail->given & PARAM_ENVID) && !mail->envid_unique))
		return;
	line_add_word(line, " MTRK=");
	line_add_word(line, mint->certifier);
	line_add_word(line, ":");
	line_add_number(line, mint->seconds);
}

long
rewrite_mail(const struct mail_params *mail, unsigned caps, uint64_t size_extra,
    const struct rewrite_mint *mint, struct rewrite_line *out)
{
	if (mint != NULL && !mint_is_fit(mint))
		return -1;
	line_begin(out);
	mail_begin(out, mail);
	mail_add_size(out, mail, caps, size_extra);
	mail_add_body(out, mail, caps);
	mail_add_smtputf8(out, mail, caps);
	mail_add_ret(out, mail, caps);
	mail_add_envid(out, mail, caps, mint);
	mail_add_mtrk(out, mail, caps, mint);
	return line_end(out);
}

static void
rcpt_begin(struct rewrite_line *line, const struct rcpt_params *rcpt)
{
	line_add_word(line, "RCPT TO:<");
	line_add_span(line, rcpt->to.whole);
	line_add_word(line, ">");
}

/* RFC 3461 5.2.1 (c): unchanged to DSN; MTRK alone does not carry NOTIFY. */
static void
rcpt_add_notify(
    struct rewrite_line *line, const struct rcpt_params *rcpt, unsigned caps)
{
	if (!(rcpt->given & PARAM_NOTIFY) || !(caps & CAP_DSN))
		return;
	line_add_word(line, " NOTIFY=");
	line_add_span(line, rcpt->notify_text);
}

/*
 * Write utf-8-addr-unitext (RFC 6533 3) and return its length, or -1 where
 * it does not fit. What xtext or unitext gives a meaning is escaped.
 */
static long
unitext_encode(struct span in, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.at[i];
		bool plain =
		    c > ' ' && c != 0x7f && c != '+' && c != '=' && c != '\\';

		if (size - n < sizeof("\\x{HH}"))
			return -1;
		if (plain)
			out[n++] = (char)c;
		else
			n +=
			    (size_t)snprintf(out + n, size - n, "\\x{%02X}", c);
	}
	return (long)n;
}

/* An ORCPT made of the address as received (RFC 3461 5.2.1 (d)). */
static void
rcpt_make_orcpt(
    struct rewrite_line *line, const struct rcpt_params *rcpt, unsigned caps)
{
	const char *type = rcpt->to.utf8 ? "utf-8;" : "rfc822;";
	const struct span address = rcpt->to.whole;
	char text[PARAMS_ORCPT_MAX + 1];
	size_t size = sizeof(text) - strlen(type), grown;
	long len;

	if (rcpt->to.utf8 && !(caps & CAP_SMTPUTF8))
		return;
	if (rcpt->to.utf8)
		len = unitext_encode(address, text, size);
	else
		len = codec_xtext_encode(address.at, address.len, text, size);
	if (len < 0)
		return;
	grown = line->len + strlen(" ORCPT=") + strlen(type) + (size_t)len;
	if (grown > REWRITE_LINE_MAX - CRLF_LEN)
		return;
	line_add_word(line, " ORCPT=");
	line_add_word(line, type);
	line_add(line, text, (size_t)len);
}

/* RFC 3461 5.2.1 (d), RFC 3885 3.3: byte for byte, not even letter case. */
static void
rcpt_add_orcpt(struct rewrite_line *line, const struct rcpt_params *rcpt,
    unsigned caps, bool add)
{
	if (!(caps & CAPS_TRACE))
		return;
	if (rcpt->given & PARAM_ORCPT) {
		line_add_word(line, " ORCPT=");
		line_add_span(line, rcpt->orcpt);
	} else if (add) {
		rcpt_make_orcpt(line, rcpt, caps);
	}
}

long
rewrite_rcpt(const struct rcpt_params *rcpt, unsigned caps, bool add_orcpt,
    struct rewrite_line *out)
{
	line_begin(out);
	rcpt_begin(out, rcpt);
	rcpt_add_notify(out, rcpt, caps);
	rcpt_add_orcpt(out, rcpt, caps, add_orcpt);
	return line_end(out);
}
