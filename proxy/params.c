/*
 * The arguments of MAIL and RCPT: addresses (RFC 5321 4.1.1.2, 4.1.1.3) and
 * the parameters of RFC 1870, 3461, 3885, 4954, 6152 and 6531.
 */
#include "proxy/params.h"

#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "proxy/caps.h"
#include "proxy/value.h"

static const struct params_error errors[] = {
#define X(name, code, enhanced, text) { code, enhanced, text },
	PARAMS_ERROR_LIST(X)
#undef X
};

enum value {
	VALUE_NONE,
	VALUE_REQUIRED,
};

/* One parameter: legal where any of caps was offered. */
struct rule {
	const char *keyword;
	unsigned caps;
	enum value value;
	enum params_bit bit;
	int (*parse)(struct span value, void *out);
};

/* A command that is being parsed. */
struct command {
	const struct rule *rules;
	unsigned caps;
	unsigned *given;
	void *out;
};

/* A hop with MTRK takes ENVID and ORCPT even without DSN (RFC 3885 2). */
#define CAPS_TRACE (CAP_DSN | CAP_MTRK)

static const struct rule mail_rules[] = {
	{ "SIZE", CAP_SIZE, VALUE_REQUIRED, PARAM_SIZE, value_parse_size },
	{ "BODY", CAP_8BITMIME, VALUE_REQUIRED, PARAM_BODY, value_parse_body },
	{ "SMTPUTF8", CAP_SMTPUTF8, VALUE_NONE, PARAM_SMTPUTF8,
	    value_parse_flag },
	{ "AUTH", CAP_AUTH, VALUE_REQUIRED, PARAM_AUTH, value_parse_auth },
	{ "RET", CAP_DSN, VALUE_REQUIRED, PARAM_RET, value_parse_ret },
	{ "ENVID", CAPS_TRACE, VALUE_REQUIRED, PARAM_ENVID, value_parse_envid },
	{ "MTRK", CAP_MTRK, VALUE_REQUIRED, PARAM_MTRK, value_parse_mtrk },
	{ .keyword = NULL },
};

static const struct rule rcpt_rules[] = {
	{ "NOTIFY", CAP_DSN, VALUE_REQUIRED, PARAM_NOTIFY, value_parse_notify },
	{ "ORCPT", CAPS_TRACE, VALUE_REQUIRED, PARAM_ORCPT, value_parse_orcpt },
	{ .keyword = NULL },
};

/* esmtp-keyword = (ALPHA / DIGIT) *(ALPHA / DIGIT / "-") */
static bool
is_keyword(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.at[i];

		if (!(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z') &&
		    !(c >= '0' && c <= '9') && !(c == '-' && i > 0))
			return false;
	}
	return s.len > 0;
}

/* One esmtp-param = esmtp-keyword ["=" esmtp-value] */
static int
parse_param(const struct command *cmd, struct span word)
{
	const char *equals = memchr(word.at, '=', word.len);
	struct span key = word, value = { NULL, 0 };
	const struct rule *rule;

	if (equals != NULL) {
		key.len = (size_t)(equals - word.at);
		value.at = equals + 1;
		value.len = word.len - key.len - 1;
	}
	if (!is_keyword(key))
		return PARAMS_E_MALFORMED;
	for (rule = cmd->rules; rule->keyword != NULL; rule++)
		if (value_is(key, rule->keyword))
			break;
	if (rule->keyword == NULL || (rule->caps & cmd->caps) == 0)
		return PARAMS_E_UNKNOWN;
	if (*cmd->given & rule->bit)
		return PARAMS_E_DUPLICATE;
	if ((rule->value == VALUE_NONE) != (equals == NULL) ||
	    (rule->value == VALUE_REQUIRED && value.len == 0))
		return PARAMS_E_MALFORMED;
	*cmd->given |= rule->bit;
	return rule->parse(value, cmd->out);
}

/* The words after the path; more than one space between them is forgiven. */
static int
parse_params(const struct command *cmd, struct span rest)
{
	if (rest.len > 0 && *rest.at != ' ')
		return PARAMS_E_MALFORMED;
	while (rest.len > 0) {
		const char *space = memchr(rest.at, ' ', rest.len);
		struct span word = rest;
		int rc = 0;

		if (space != NULL)
			word.len = (size_t)(space - rest.at);
		if (word.len > 0)
			rc = parse_param(cmd, word);
		if (rc != 0)
			return rc;
		if (space == NULL)
			break;
		rest.at += word.len + 1;
		rest.len -= word.len + 1;
	}
	return 0;
}

/* No control characters, and what is beyond US-ASCII is UTF-8. */
static bool
is_clean(const char *line, size_t len)
{
	return !codec_has_control(line, len) && codec_is_utf8(line, len);
}

/*
 * Step over "FROM:" or "TO:" and the spaces that many clients send behind
 * it. Returns false where the word is missing.
 */
static bool
skip_word(struct span *rest, const char *word)
{
	size_t len = strlen(word);

	while (rest->len > 0 && *rest->at == ' ') {
		rest->at++;
		rest->len--;
	}
	if (rest->len < len || strncasecmp(rest->at, word, len) != 0)
		return false;
	do {
		rest->at += len;
		rest->len -= len;
		len = 1;
	} while (rest->len > 0 && *rest->at == ' ');
	return true;
}

int
params_parse_mail(
    const char *line, size_t len, unsigned caps, struct mail_params *out)
{
	const struct command cmd = { mail_rules, caps, &out->given, out };
	struct span rest = { line, len };
	long path;
	int rc;

	*out = (struct mail_params){ 0 };
	if (!is_clean(line, len))
		return PARAMS_E_OCTETS;
	if (!skip_word(&rest, "FROM:"))
		return PARAMS_E_MAIL_SYNTAX;
	path = mailbox_parse_path(rest.at, rest.len, MAILBOX_NULL, &out->from);
	if (path < 0)
		return PARAMS_E_SENDER;
	rest.at += path;
	rest.len -= (size_t)path;
	rc = parse_params(&cmd, rest);
	if (rc != 0)
		return rc;
	if (out->from.utf8 && !(out->given & PARAM_SMTPUTF8))
		return PARAMS_E_MAIL_UTF8;
	/* RFC 3885 3.2: the ENVID must be there, and be unique. */
	if ((out->given & PARAM_MTRK) && !out->envid_unique)
		return PARAMS_E_MTRK_ENVID;
	return 0;
}

int
params_parse_rcpt(const char *line, size_t len, unsigned caps, bool smtputf8,
    struct rcpt_params *out)
{
	const struct command cmd = { rcpt_rules, caps, &out->given, out };
	struct span rest = { line, len };
	long path;

	*out = (struct rcpt_params){ .smtputf8 = smtputf8 };
	if (!is_clean(line, len))
		return PARAMS_E_OCTETS;
	if (!skip_word(&rest, "TO:"))
		return PARAMS_E_RCPT_SYNTAX;
	path =
	    mailbox_parse_path(rest.at, rest.len, MAILBOX_POSTMASTER, &out->to);
	if (path < 0)
		return PARAMS_E_RECIPIENT;
	if (out->to.utf8 && !smtputf8)
		return PARAMS_E_RCPT_UTF8;
	rest.at += path;
	rest.len -= (size_t)path;
	return parse_params(&cmd, rest);
}

const struct params_error *
params_error(int code)
{
	static const struct params_error other = { 501, "5.5.4",
		"Syntax error in parameters" };
	const int row = code - PARAMS_E_END - 1;
	const int rows = sizeof(errors) / sizeof(errors[0]);

	return row >= 0 && row < rows ? &errors[row] : &other;
}

unsigned
params_mail_needs(const struct mail_params *mail)
{
	unsigned needs = 0;

	if (mail->given & PARAM_SMTPUTF8)
		needs |= CAP_SMTPUTF8;
	if ((mail->given & PARAM_BODY) && mail->body == BODY_8BITMIME)
		needs |= CAP_8BITMIME;
	if (mail->given & PARAM_RET)
		needs |= CAP_DSN;
	return needs;
}

unsigned
params_rcpt_needs(const struct rcpt_params *rcpt)
{
	return rcpt->given & PARAM_NOTIFY ? CAP_DSN : 0;
}
