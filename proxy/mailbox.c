/*
 * Syntax of the addresses in MAIL and RCPT: Path and Mailbox of RFC 5321
 * 4.1.2, with the UTF-8 that RFC 6531 3.3 adds.
 */
#include "proxy/mailbox.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"

#define LABEL_MAX 63

/* The unread rest of the text. */
struct cursor {
	const char *p;
	const char *end;
};

static bool
is_alnum(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	    (c >= '0' && c <= '9');
}

static bool
is_beyond_ascii(char c)
{
	return (unsigned char)c >= 0x80;
}

static bool
is_atext(char c)
{
	return is_alnum(c) || is_beyond_ascii(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
take(struct cursor *in, char c)
{
	if (in->p == in->end || *in->p != c)
		return false;
	in->p++;
	return true;
}

/* Dot-string = Atom *("." Atom) */
static bool
take_dot_string(struct cursor *in)
{
	do {
		const char *start = in->p;

		while (in->p < in->end && is_atext(*in->p))
			in->p++;
		if (in->p == start)
			return false;
	} while (take(in, '.'));
	return true;
}

/* Quoted-string = DQUOTE *(qtextSMTP / quoted-pairSMTP) DQUOTE */
static bool
take_quoted_string(struct cursor *in)
{
	if (!take(in, '"'))
		return false;
	while (in->p < in->end && *in->p != '"') {
		bool pair = take(in, '\\');

		if (in->p == in->end || (unsigned char)*in->p < ' ' ||
		    *in->p == 0x7f || (pair && is_beyond_ascii(*in->p)))
			return false;
		in->p++;
	}
	return take(in, '"');
}

/* sub-domain = Let-dig [Ldh-str], or a U-label */
static bool
take_label(struct cursor *in)
{
	const char *start = in->p;
	bool utf8 = false;

	while (in->p < in->end &&
	    (is_alnum(*in->p) || *in->p == '-' || is_beyond_ascii(*in->p)))
		utf8 |= is_beyond_ascii(*in->p++);
	if (in->p == start || *start == '-' || in->p[-1] == '-')
		return false;
	/* A U-label may be longer than the A-label it stands for. */
	return utf8 || in->p - start <= LABEL_MAX;
}

/* General-address-literal = Standardized-tag ":" 1*dcontent */
static bool
is_general_literal(const char *text, size_t len)
{
	struct cursor in = { text, text + len };

	while (in.p < in.end && (is_alnum(*in.p) || *in.p == '-'))
		in.p++;
	if (in.p == text || in.p[-1] == '-' || !take(&in, ':') ||
	    in.p == in.end)
		return false;
	for (; in.p < in.end; in.p++)
		if (*in.p < '!' || *in.p > '~' || strchr("[\\]", *in.p))
			return false;
	return true;
}

static bool
is_literal(const char *text, size_t len)
{
	struct in6_addr addr;
	char copy[INET6_ADDRSTRLEN];

	if (len >= 5 && strncasecmp(text, "IPv6:", 5) == 0) {
		text += 5;
		len -= 5;
		if (len >= sizeof(copy) || memchr(text, '\0', len) != NULL)
			return false;
		memcpy(copy, text, len);
		copy[len] = '\0';
		return inet_pton(AF_INET6, copy, &addr) == 1;
	}
	if (len < INET_ADDRSTRLEN && memchr(text, '\0', len) == NULL) {
		memcpy(copy, text, len);
		copy[len] = '\0';
		if (inet_pton(AF_INET, copy, &addr) == 1)
			return true;
	}
	return is_general_literal(text, len);
}

static bool
take_domain(struct cursor *in)
{
	do {
		if (!take_label(in))
			return false;
	} while (take(in, '.'));
	return true;
}

static bool
take_literal(struct cursor *in)
{
	const char *close = memchr(in->p, ']', (size_t)(in->end - in->p));

	if (close == NULL ||
	    !is_literal(in->p + 1, (size_t)(close - in->p - 1)))
		return false;
	in->p = close + 1;
	return true;
}

static struct span
span_between(const char *from, const char *to)
{
	return (struct span){ from, (size_t)(to - from) };
}

/* Mailbox = Local-part "@" ( Domain / address-literal ) */
static bool
take_mailbox(struct cursor *in, struct mailbox *out)
{
	const char *start = in->p, *at;
	bool ok;

	if (in->p < in->end && *in->p == '"')
		ok = take_quoted_string(in);
	else
		ok = take_dot_string(in);
	at = in->p;
	if (!ok || !take(in, '@'))
		return false;
	if (in->p < in->end && *in->p == '[')
		ok = take_literal(in);
	else
		ok = take_domain(in);
	out->local = span_between(start, at);
	out->domain = span_between(at + 1, in->p);
	out->whole = span_between(start, in->p);
	for (size_t i = 0; i < out->whole.len; i++)
		out->utf8 |= is_beyond_ascii(start[i]);
	return ok && out->local.len <= MAILBOX_LOCAL_MAX &&
	    out->domain.len <= MAILBOX_DOMAIN_MAX &&
	    out->whole.len <= MAILBOX_PATH_MAX - 2 &&
	    codec_is_utf8(start, out->whole.len);
}

bool
mailbox_parse(const char *text, size_t len, struct mailbox *out)
{
	struct cursor in = { text, text + len };

	*out = (struct mailbox){ 0 };
	return take_mailbox(&in, out) && in.p == in.end;
}

/* A-d-l = "@" Domain *( "," "@" Domain ), then ":" */
static bool
take_source_route(struct cursor *in)
{
	do {
		if (!take(in, '@') || !take_domain(in))
			return false;
	} while (take(in, ','));
	return take(in, ':');
}

static bool
take_postmaster(struct cursor *in, struct mailbox *out)
{
	static const char name[] = "postmaster";
	const size_t len = sizeof(name) - 1;

	if ((size_t)(in->end - in->p) <= len || in->p[len] != '>' ||
	    strncasecmp(in->p, name, len) != 0)
		return false;
	out->whole = out->local = span_between(in->p, in->p + len);
	in->p += len;
	return true;
}

long
mailbox_parse_path(
    const char *text, size_t len, unsigned allow, struct mailbox *out)
{
	struct cursor in = { text, text + len };

	*out = (struct mailbox){ 0 };
	if (!take(&in, '<'))
		return -1;
	if ((allow & MAILBOX_NULL) && take(&in, '>'))
		return in.p - text;
	if ((allow & MAILBOX_POSTMASTER) && take_postmaster(&in, out)) {
		in.p++;
		return in.p - text;
	}
	if (in.p < in.end && *in.p == '@' && !take_source_route(&in))
		return -1;
	if (!take_mailbox(&in, out) || !take(&in, '>'))
		return -1;
	return in.p - text;
}
