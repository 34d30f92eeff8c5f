/*
 * Fuzzes the arguments of MAIL and RCPT (RFC 5321 4.1.2, RFC 3461, RFC 3885)
 * and what is made of them for the MSA. Octet 0 picks the command, 1 to 4
 * the extensions offered and had, the rest is the line.
 */
#include "proxy/rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "proxy/caps.h"
#include "tests/fuzz/fuzz.h"

#define PREFIX	 5
#define LINE_MAX 4096

static const struct rewrite_mint mint = { "k3Yc0bq2RtOZl8@submit.example",
	"eD72e8cRib6kzdkkE9IFMiKt+FA", 864000 };

/* One line of printable text or UTF-8, and exactly one CRLF. */
static void
check_line(long len, const struct rewrite_line *line)
{
	MUST(len > 2 && (size_t)len == line->len && len <= REWRITE_LINE_MAX);
	MUST(strlen(line->text) == line->len);
	MUST(strcmp(line->text + len - 2, "\r\n") == 0);
	for (long i = 0; i < len - 2; i++)
		MUST((unsigned char)line->text[i] >= ' ' &&
		    line->text[i] != 0x7f);
	MUST(codec_is_utf8(line->text, line->len));
}

static bool
same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || !memcmp(a.at, b.at, a.len));
}

static void
check_error(int code)
{
	const struct params_error *error = params_error(code);

	MUST(code > PARAMS_E_END && code < 0);
	MUST(error->code >= 501 && error->code <= 555);
	MUST(error->enhanced[0] == '5' && error->text[0] != '\0');
}

static void
check_mailbox(const struct mailbox *box, const char *line, size_t len)
{
	MUST(box->local.len <= MAILBOX_LOCAL_MAX);
	MUST(box->domain.len <= MAILBOX_DOMAIN_MAX);
	MUST(box->whole.len <= MAILBOX_PATH_MAX - 2);
	if (box->whole.len > 0)
		MUST(box->whole.at >= line &&
		    box->whole.at + box->whole.len <= line + len);
}

/* What goes to an MSA that has everything reads back as what was meant. */
static void
mail_round_trip(const struct mail_params *mail)
{
	struct rewrite_line line, again;
	struct mail_params back;
	long len = rewrite_mail(mail, ~0U, 0, NULL, &line);

	check_line(len, &line);
	MUST(
	    params_parse_mail(line.text + 5, (size_t)len - 7, ~0U, &back) == 0);
	MUST(same(mail->from.whole, back.from.whole));
	MUST(same(mail->envid, back.envid));
	MUST(same(mail->mtrk.certifier, back.mtrk.certifier));
	MUST(mail->mtrk.timeout == back.mtrk.timeout);
	MUST(mail->size == back.size && mail->body == back.body);
	MUST((mail->given & ~(unsigned)PARAM_AUTH) == back.given);
	MUST(rewrite_mail(&back, ~0U, 0, NULL, &again) == len);
	MUST(strcmp(line.text, again.text) == 0);
}

static void
fuzz_mail(const char *text, size_t len, unsigned offered, unsigned has)
{
	struct rewrite_line line;
	struct mail_params mail;
	const char *rest;
	int code = params_parse_mail(text, len, offered, &mail);

	if (code != 0) {
		check_error(code);
		return;
	}
	check_mailbox(&mail.from, text, len);
	MUST((params_mail_needs(&mail) & ~offered) == 0);
	check_line(rewrite_mail(&mail, has, 2600, &mint, &line), &line);
	/* An address may hold anything between quotes. */
	rest = line.text + strlen("MAIL FROM:<") + mail.from.whole.len;
	if (!(has & CAP_MTRK))
		MUST(strstr(rest, " MTRK=") == NULL);
	if (!(has & (CAP_MTRK | CAP_DSN)))
		MUST(strstr(rest, " ENVID=") == NULL);
	mail_round_trip(&mail);
}

static void
rcpt_round_trip(const struct rcpt_params *rcpt)
{
	struct rewrite_line line;
	struct rcpt_params back;
	long len = rewrite_rcpt(rcpt, ~0U, true, &line);

	check_line(len, &line);
	MUST(params_parse_rcpt(line.text + 5, (size_t)len - 7, ~0U,
		 rcpt->smtputf8, &back) == 0);
	MUST(same(rcpt->to.whole, back.to.whole));
	MUST(rcpt->notify == back.notify);
	if (rcpt->given & PARAM_ORCPT)
		MUST(same(rcpt->orcpt, back.orcpt));
	/* Ours, where it fits. */
	MUST((rcpt->given & ~back.given) == 0);
}

static void
fuzz_rcpt(
    const char *text, size_t len, unsigned offered, unsigned has, bool smtputf8)
{
	struct rewrite_line line;
	struct rcpt_params rcpt;
	const char *rest;
	int code = params_parse_rcpt(text, len, offered, smtputf8, &rcpt);

	if (code != 0) {
		check_error(code);
		return;
	}
	check_mailbox(&rcpt.to, text, len);
	MUST(smtputf8 || !rcpt.to.utf8);
	check_line(rewrite_rcpt(&rcpt, has, true, &line), &line);
	rest = line.text + strlen("RCPT TO:<") + rcpt.to.whole.len;
	if (!(has & (CAP_MTRK | CAP_DSN)))
		MUST(strstr(rest, " ORCPT=") == NULL);
	rcpt_round_trip(&rcpt);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned offered, has;
	char *line;

	if (size < PREFIX || size > LINE_MAX)
		return 0;
	offered = data[1] | (unsigned)data[2] << 8;
	has = data[3] | (unsigned)data[4] << 8;
	size -= PREFIX;
	/* A copy of its own size, so that reading past it is seen. */
	line = malloc(size + (size == 0));
	if (line == NULL)
		return 0;
	memcpy(line, data + PREFIX, size);
	if (data[0] & 1)
		fuzz_mail(line, size, offered, has);
	else
		fuzz_rcpt(line, size, offered, has, (data[0] & 2) != 0);
	free(line);
	return 0;
}
