/*
 * The value of each parameter of MAIL and RCPT: RFC 1870, 3461, 3885, 4954,
 * 6152, 6531 and 6533.
 */
#include "proxy/value.h"

#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "proxy/params.h"

#define SIZE_DIGITS    20  /* RFC 1870 3 */
#define TIMEOUT_DIGITS 9   /* RFC 3885 3.1 */
#define NOTIFY_MAX     28  /* RFC 3461 5.4 */
#define AUTH_MAX       500 /* RFC 4954 3 */

bool
value_is(struct span s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.at, word, s.len) == 0;
}

static bool
is_digits(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.at[i] < '0' || s.at[i] > '9')
			return false;
	return s.len > 0;
}

/* The number, or UINT64_MAX where it is larger. */
static uint64_t
digits_value(struct span s)
{
	uint64_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(s.at[i] - '0'), &n))
			return UINT64_MAX;
	return n;
}

/* Is it xtext of printable US-ASCII and white space (RFC 3461 4)? */
static bool
is_printable_xtext(struct span s, size_t max)
{
	char text[PARAMS_ORCPT_MAX];
	long n;

	if (s.len == 0 || s.len > max || s.len > sizeof(text))
		return false;
	n = codec_xtext_decode(s.at, s.len, text);
	for (long i = 0; i < n; i++)
		if ((text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
			return false;
	return n >= 0;
}

int
value_parse_size(struct span value, void *out)
{
	struct mail_params *mail = out;

	if (!is_digits(value) || value.len > SIZE_DIGITS)
		return PARAMS_E_SIZE;
	mail->size = digits_value(value);
	return 0;
}

/* RFC 6152 2; BINARYMIME (RFC 3030) is not offered. */
int
value_parse_body(struct span value, void *out)
{
	struct mail_params *mail = out;

	if (value_is(value, "7BIT"))
		mail->body = BODY_7BIT;
	else if (value_is(value, "8BITMIME"))
		mail->body = BODY_8BITMIME;
	else
		return PARAMS_E_BODY;
	return 0;
}

int
value_parse_flag(struct span value, void *out)
{
	(void)value;
	(void)out;
	return 0;
}

/* RFC 4954 5: xtext of a mailbox, or "<>". */
int
value_parse_auth(struct span value, void *out)
{
	struct mail_params *mail = out;
	struct mailbox box;
	char text[AUTH_MAX];
	long n;

	if (value.len > sizeof(text))
		return PARAMS_E_AUTH;
	n = codec_xtext_decode(value.at, value.len, text);
	if (n < 0)
		return PARAMS_E_AUTH;
	if (!(n == 2 && memcmp(text, "<>", 2) == 0) &&
	    !mailbox_parse(text, (size_t)n, &box))
		return PARAMS_E_AUTH;
	mail->auth = value;
	return 0;
}

int
value_parse_ret(struct span value, void *out)
{
	struct mail_params *mail = out;

	if (value_is(value, "FULL"))
		mail->ret = RET_FULL;
	else if (value_is(value, "HDRS"))
		mail->ret = RET_HDRS;
	else
		return PARAMS_E_RET;
	return 0;
}

/* unique-envid = local-envid "@" fqhn; xtext may hold more "@" itself. */
static bool
is_unique_envid(struct span envid)
{
	const char *at = memrchr(envid.at, '@', envid.len);

	return at != NULL && at > envid.at && at < envid.at + envid.len - 1;
}

int
value_parse_envid(struct span value, void *out)
{
	struct mail_params *mail = out;

	if (!is_printable_xtext(value, PARAMS_ENVID_MAX))
		return PARAMS_E_ENVID;
	mail->envid = value;
	mail->envid_unique = is_unique_envid(value);
	return 0;
}

/* mtrk-certifier [ ":" mtrk-timeout ]; some clients pad the base64. */
int
value_parse_mtrk(struct span value, void *out)
{
	struct params_mtrk *mtrk = &((struct mail_params *)out)->mtrk;
	const char *colon = memchr(value.at, ':', value.len);
	size_t len = colon ? (size_t)(colon - value.at) : value.len;
	uint8_t hash[(PARAMS_CERTIFIER_LEN + 1) / 4 * 3 + 3];

	if (colon != NULL) {
		mtrk->timeout_text.at = colon + 1;
		mtrk->timeout_text.len = value.len - len - 1;
		if (!is_digits(mtrk->timeout_text) ||
		    mtrk->timeout_text.len > TIMEOUT_DIGITS)
			return PARAMS_E_MTRK;
		mtrk->timeout = (uint32_t)digits_value(mtrk->timeout_text);
	}
	if (len == PARAMS_CERTIFIER_LEN + 1 && value.at[len - 1] == '=')
		len--;
	if (len != PARAMS_CERTIFIER_LEN ||
	    codec_base64_decode(value.at, len, true, hash) != PARAMS_HASH_LEN)
		return PARAMS_E_MTRK;
	memcpy(mtrk->hash, hash, sizeof(mtrk->hash));
	mtrk->certifier.at = value.at;
	mtrk->certifier.len = len;
	return 0;
}

/* The NOTIFY_* bit of one list element, 0 for none. */
static unsigned
notify_bit(struct span word)
{
	if (value_is(word, "NEVER"))
		return NOTIFY_NEVER;
	if (value_is(word, "SUCCESS"))
		return NOTIFY_SUCCESS;
	if (value_is(word, "FAILURE"))
		return NOTIFY_FAILURE;
	return value_is(word, "DELAY") ? NOTIFY_DELAY : 0;
}

/* RFC 3461 4.1: NEVER alone, or a list of the others. */
int
value_parse_notify(struct span value, void *out)
{
	struct rcpt_params *rcpt = out;
	struct span rest = value;

	if (value.len > NOTIFY_MAX)
		return PARAMS_E_NOTIFY;
	for (;;) {
		const char *comma = memchr(rest.at, ',', rest.len);
		struct span word = rest;
		unsigned bit;

		if (comma != NULL)
			word.len = (size_t)(comma - rest.at);
		bit = notify_bit(word);
		if (bit == 0 || (rcpt->notify & (bit | NOTIFY_NEVER)) ||
		    (bit == NOTIFY_NEVER && word.len != value.len))
			return PARAMS_E_NOTIFY;
		rcpt->notify |= bit;
		if (comma == NULL)
			break;
		rest.at += word.len + 1;
		rest.len -= word.len + 1;
	}
	rcpt->notify_text = value;
	return 0;
}

static bool
is_addr_type(struct span type)
{
	for (size_t i = 0; i < type.len; i++)
		if (type.at[i] < '!' || type.at[i] > '~' ||
		    strchr("()<>@,;:\\\".[]+=", type.at[i]) != NULL)
			return false;
	return type.len > 0;
}

/* Length of EmbeddedUnicodeChar, "\x{" HEXPOINT "}", or 0. */
static size_t
embedded_char_len(const char *p, size_t len)
{
	size_t digits = 0;

	if (len < 6 || memcmp(p, "\\x{", 3) != 0)
		return 0;
	while (3 + digits < len && p[3 + digits] != '\0' &&
	    strchr("0123456789ABCDEF", p[3 + digits]) != NULL)
		digits++;
	if (digits < 2 || digits > 6 || 3 + digits == len ||
	    p[3 + digits] != '}')
		return 0;
	return digits + 4;
}

/*
 * RFC 6533 3: utf-8-enc-addr. Readers in the field undo xtext first, so
 * "+HH" is let through where it is printable.
 */
static bool
is_utf8_address(struct span s, bool smtputf8)
{
	size_t n;

	for (size_t i = 0; i < s.len; i += n) {
		unsigned char c = (unsigned char)s.at[i];

		n = 1;
		if (c >= 0x80 && !smtputf8)
			return false;
		if (c == '=')
			return false;
		if (c == '\\')
			n = embedded_char_len(s.at + i, s.len - i);
		if (c == '+')
			n = s.len - i >= 3 ? 3 : 0;
		if (n == 0 ||
		    (c == '+' &&
			!is_printable_xtext((struct span){ s.at + i, n }, n)))
			return false;
	}
	return s.len > 0;
}

/* RFC 3461 4.2: addr-type ";" xtext. */
int
value_parse_orcpt(struct span value, void *out)
{
	struct rcpt_params *rcpt = out;
	const char *semicolon = memchr(value.at, ';', value.len);
	struct span type, address;
	bool ok;

	if (semicolon == NULL || value.len > PARAMS_ORCPT_MAX)
		return PARAMS_E_ORCPT;
	type.at = value.at;
	type.len = (size_t)(semicolon - value.at);
	address.at = semicolon + 1;
	address.len = value.len - type.len - 1;
	if (value_is(type, "utf-8"))
		ok = is_utf8_address(address, rcpt->smtputf8);
	else
		ok = is_printable_xtext(address, PARAMS_ORCPT_MAX);
	if (!ok || !is_addr_type(type))
		return PARAMS_E_ORCPT;
	rcpt->orcpt = value;
	return 0;
}
