/*
 * EHLO on both sides: what the MSA offers, and what we offer to the client
 * of it (RFC 5321 4.1.1.1, 4.2.5).
 */
#include "proxy/ehlo.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CODE_LEN 4 /* "250-" */

/* What we carry between client and MSA; the rest is not ours to promise. */
#define CARRIED                                                                \
	(CAP_SIZE | CAP_8BITMIME | CAP_SMTPUTF8 | CAP_DSN | CAP_ENHANCED)
#define OURS (CAP_STARTTLS | CAP_AUTH | CAP_MTRK | CAP_XMTRK)

static const char *const keywords[] = {
#define X(name, keyword) [CAPX_##name] = (keyword),
	CAPS_LIST(X)
#undef X
};
_Static_assert(sizeof(keywords) / sizeof(keywords[0]) == CAPS_COUNT,
    "a keyword for each extension");

static const char *const attributes[] = {
#define X(name) [ATTRX_##name] = #name,
	CAPS_ATTR_LIST(X)
#undef X
};

/* A stretch of a reply line. */
struct word {
	const char *at;
	size_t len;
};

/* Take the next word off the front of line, which ends in CR. */
static bool
next_word(const char **line, struct word *word)
{
	*line += strspn(*line, " \t");
	word->at = *line;
	word->len = strcspn(*line, " \t\r");
	*line += word->len;
	return word->len > 0;
}

/* Where in a table of names the word stands; count where it does not. */
static size_t
find_word(const struct word *word, const char *const *table, size_t count)
{
	size_t i = 0;

	while (i < count &&
	    (strlen(table[i]) != word->len ||
		strncasecmp(table[i], word->at, word->len) != 0))
		i++;
	return i;
}

static unsigned
read_attributes(const char *line)
{
	unsigned mask = 0;
	struct word word;

	while (next_word(&line, &word)) {
		size_t i = find_word(&word, attributes, CAPS_ATTR_COUNT);

		if (i < CAPS_ATTR_COUNT)
			mask |= 1U << i;
	}
	return mask;
}

/* RFC 1870 4: up to 20 digits, and 0 means no fixed limit. */
static uint64_t
read_size(const char *line)
{
	uint64_t size = 0;
	struct word word;

	if (!next_word(&line, &word))
		return 0;
	for (size_t i = 0; i < word.len; i++) {
		if (!isdigit((unsigned char)word.at[i]))
			return 0;
		if (__builtin_mul_overflow(size, 10U, &size) ||
		    __builtin_add_overflow(
			size, (uint64_t)(word.at[i] - '0'), &size))
			return 0;
	}
	return size;
}

bool
ehlo_has_mechanism(const char *list, const char *name, size_t len)
{
	while (*list != '\0') {
		size_t n = strcspn(list, " ");

		if (n == len && strncasecmp(list, name, len) == 0)
			return true;
		list += n + strspn(list + n, " ");
	}
	return false;
}

static void
read_mechanisms(const char *line, struct msa_caps *caps)
{
	struct word word;

	while (next_word(&line, &word)) {
		char name[EHLO_AUTH_MAX];
		size_t have = strlen(caps->auth), gap = have > 0;

		if (have + gap + word.len > EHLO_AUTH_MAX)
			continue;
		for (size_t i = 0; i < word.len; i++)
			name[i] = (char)toupper((unsigned char)word.at[i]);
		if (ehlo_has_mechanism(caps->auth, name, word.len))
			continue;
		if (gap)
			caps->auth[have] = ' ';
		memcpy(caps->auth + have + gap, name, word.len);
		caps->auth[have + gap + word.len] = '\0';
	}
}

static void
read_line(const char *line, struct msa_caps *caps)
{
	struct word word = { line, strcspn(line, " \t=\r") };
	size_t i = find_word(&word, keywords, CAPS_COUNT);

	if (i == CAPS_COUNT)
		return;
	line += word.len;
	if (*line == '=')
		line++;
	caps->mask |= 1U << i;
	if (i == CAPX_SIZE)
		caps->size = read_size(line);
	else if (i == CAPX_AUTH)
		read_mechanisms(line, caps);
	else if (i == CAPX_XCLIENT)
		caps->xclient |= read_attributes(line);
	else if (i == CAPX_XFORWARD)
		caps->xforward |= read_attributes(line);
}

/*
 * A host name of at least two labels (RFC 1123 2.1): others could not find
 * the MSA by what is one label, a literal or no name at all.
 */
static bool
is_fqdn(const struct word *word)
{
	size_t label = 0, labels = 1, letters = 0;

	for (size_t i = 0; i < word->len; i++) {
		unsigned char c = (unsigned char)word->at[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = letters = 0;
			labels++;
			continue;
		}
		if (!isascii(c) || (!isalnum(c) && c != '-') || ++label > 63)
			return false;
		letters += !isdigit(c);
	}
	return labels > 1 && letters > 0 && word->len <= 253;
}

/* The first line begins with the MSA's name (RFC 5321 4.1.1.1). */
static void
read_name(const char *line, struct msa_caps *caps)
{
	struct word word;

	if (strcspn(line, "\r\n") < CODE_LEN)
		return;
	line += CODE_LEN;
	if (!next_word(&line, &word) || !is_fqdn(&word))
		return;
	memcpy(caps->name, word.at, word.len);
	caps->name[word.len] = '\0';
}

void
ehlo_parse(const struct reply *r, struct msa_caps *caps)
{
	const char *line = r->text;

	memset(caps, 0, sizeof(*caps));
	read_name(line, caps);
	while ((line = strchr(line, '\n')) != NULL && *++line != '\0')
		/* A last line may be the code alone. */
		if (line[CODE_LEN - 1] != '\r')
			read_line(line + CODE_LEN, caps);
}

static bool
same_mechanisms(const char *a, const char *b)
{
	/* No list holds a name twice, so one direction is enough. */
	if (strlen(a) != strlen(b))
		return false;
	while (*a != '\0') {
		size_t n = strcspn(a, " ");

		if (!ehlo_has_mechanism(b, a, n))
			return false;
		a += n + strspn(a + n, " ");
	}
	return true;
}

bool
ehlo_same_caps(const struct msa_caps *a, const struct msa_caps *b)
{
	return a->mask == b->mask && a->size == b->size &&
	    a->xclient == b->xclient && a->xforward == b->xforward &&
	    same_mechanisms(a->auth, b->auth);
}

unsigned
ehlo_offer_mask(const struct msa_caps *caps, unsigned ours)
{
	unsigned mask = CAP_PIPELINING | (caps->mask & CARRIED);

	/* RFC 6531 3.1 (8): it needs 8BITMIME beside it. */
	if ((mask & CAP_8BITMIME) == 0)
		mask &= ~(unsigned)CAP_SMTPUTF8;
	return mask | (ours & OURS);
}

uint64_t
ehlo_offer_size(const struct msa_caps *caps, uint64_t headroom)
{
	if (caps->size == 0)
		return 0;
	/* 0 would say that there is no limit. */
	return caps->size > headroom ? caps->size - headroom : 1;
}

/* A reply that is being written; full once something did not fit. */
struct writer {
	char *out;
	size_t size, len, last;
	bool full;
};

static void put_line(struct writer *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Add "250-", the text and CRLF. */
static void
put_line(struct writer *w, const char *format, ...)
{
	char text[REPLY_OURS_MAX];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0 || (size_t)n + CODE_LEN + 2 > sizeof(text) ||
	    (size_t)n + CODE_LEN + 2 > w->size - w->len) {
		w->full = true;
		return;
	}
	w->last = w->len;
	memcpy(w->out + w->len, "250-", CODE_LEN);
	memcpy(w->out + w->len + CODE_LEN, text, (size_t)n);
	w->len += CODE_LEN + (size_t)n;
	memcpy(w->out + w->len, "\r\n", 2);
	w->len += 2;
}

static size_t
end_lines(struct writer *w)
{
	if (w->full)
		return 0;
	w->out[w->last + CODE_LEN - 1] = ' ';
	return w->len;
}

size_t
ehlo_build(const struct ehlo_offer *offer, char *out, size_t size)
{
	struct writer w = { .out = out, .size = size };
	const unsigned mask = offer->mask & (CAP_PIPELINING | CARRIED | OURS);

	put_line(&w, "%s", offer->hostname);
	for (size_t i = 0; i < CAPS_COUNT; i++) {
		if ((mask & 1U << i) == 0)
			continue;
		if (i == CAPX_SIZE && offer->size != 0)
			put_line(&w, "%s %" PRIu64, keywords[i], offer->size);
		else if (i == CAPX_AUTH)
			put_line(&w, "%s %s", keywords[i], offer->auth);
		else
			put_line(&w, "%s", keywords[i]);
	}
	return end_lines(&w);
}

size_t
ehlo_build_helo(const char *hostname, char *out, size_t size)
{
	struct writer w = { .out = out, .size = size };

	put_line(&w, "%s", hostname);
	return end_lines(&w);
}

static bool
is_domain_octet(char c)
{
	return isalnum((unsigned char)c) || (c != '\0' && strchr("-_.:%", c));
}

bool
ehlo_parse_domain(const char *in, size_t len, char *out)
{
	bool literal, named = false;
	size_t i = 0, end;

	for (; len > 0 && (in[0] == ' ' || in[0] == '\t'); len--)
		in++;
	while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == '\t'))
		len--;
	if (len == 0 || len > EHLO_DOMAIN_MAX)
		return false;
	literal = in[0] == '[' && in[len - 1] == ']';
	i += literal;
	end = len - literal;
	for (; i < end; i++) {
		if (!is_domain_octet(in[i]))
			return false;
		named |= isalnum((unsigned char)in[i]) != 0;
	}
	/* "[::]" is an address without letter or digit. */
	if (!named && !literal)
		return false;
	if (i == 1 && literal)
		return false;
	memcpy(out, in, len);
	out[len] = '\0';
	return true;
}
