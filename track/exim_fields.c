/*
 * What stands in a delivery line of Exim between its mark and its text: the
 * recipient with the addresses that it came from, and fields.
 */
#include "track/exim_fields.h"

#include "track/scan.h"

enum { FLAG_LONGEST = 5 };

bool
exim_fields_is_alnum(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z');
}

/* After '"', with "\" before what is special: the inside, as it stands. */
static bool
read_quoted(struct octets *at, struct octets *inside)
{
	for (size_t i = 0; i < at->len; i++) {
		if (at->data[i] == '\\') {
			i++;
		} else if (at->data[i] == '"') {
			*inside = scan_cut(*at, i);
			*at = scan_from(*at, i + 1);
			return true;
		}
	}
	return false;
}

static bool
is_one_word(struct octets at)
{
	for (size_t i = 0; i < at.len; i++)
		if (memchr(" <>\"()", at.data[i], 6) != NULL)
			return false;
	return true;
}

/*
 * "name (helo) [address]:port", each but the address optional: the name was
 * looked up, and HELO, which a client chooses, holds no blank.
 */
static bool
read_host(struct octets *at, struct log_event *event)
{
	struct octets name = { NULL, 0 }, helo, address;
	uint32_t port;

	if (at->len > 0 && at->data[0] != '[' && at->data[0] != '(' &&
	    !scan_before(at, " ", &name))
		return false;
	if (scan_skip(at, "(") &&
	    (!scan_before(at, ") ", &helo) || !is_one_word(helo)))
		return false;
	if (!scan_skip(at, "[") || !scan_before(at, "]", &address) ||
	    address.len == 0 || address.len > EVENT_HOST_MAX ||
	    name.len > EVENT_HOST_MAX || !is_one_word(name) ||
	    !is_one_word(address))
		return false;
	if (at->len > 1 && at->data[0] == ':' && at->data[1] != ' ') {
		scan_skip(at, ":");
		if (!scan_number(at, UINT16_MAX, &port))
			return false;
	}
	scan_skip(at, "*");
	event->peer = address;
	event->status.remote_mta = name;
	event->status.remote_address = address;
	return true;
}

/* Up to a blank or the end; false for nothing. */
static bool
read_word(struct octets *at, struct octets *word)
{
	size_t i = 0;

	while (i < at->len && at->data[i] != ' ')
		i++;
	*word = scan_cut(*at, i);
	*at = scan_from(*at, i);
	return i > 0;
}

/* A ":" at the end of a word begins the text: give it back. */
static void
give_back_colon(struct octets *at, struct octets *word)
{
	if (word->len > 0 && word->data[word->len - 1] == ':') {
		word->len--;
		*at = (struct octets){ at->data - 1, at->len + 1 };
	}
}

/* Words without a value: "L", "K", "TFO", and "routing defer (111)". */
static bool
is_flag(struct octets word)
{
	uint32_t number;

	if (scan_skip(&word, "("))
		return (scan_skip(&word, "-") || true) &&
		    scan_number(&word, INT32_MAX, &number) &&
		    scan_is(word, ")");
	if (scan_is(word, "defer") || scan_is(word, "routing"))
		return true;
	for (size_t i = 0; i < word.len; i++)
		if ((word.data[i] < 'A' || word.data[i] > 'Z') &&
		    memchr("*-.", word.data[i], 3) == NULL)
			return false;
	return word.len > 0 && word.len <= FLAG_LONGEST;
}

/* "R=router" and the like; no text of others stands in them. */
static bool
is_plain_field(struct octets word)
{
	size_t i = 0;

	while (i < word.len && exim_fields_is_alnum(word.data[i]))
		i++;
	return i > 0 && i <= FLAG_LONGEST && i < word.len &&
	    word.data[i] == '=' && memchr(word.data, '<', word.len) == NULL &&
	    memchr(word.data, '"', word.len) == NULL;
}

static bool
read_other_field(
    struct octets *at, struct exim_fields *f, struct log_event *event)
{
	struct octets word;

	if (!read_word(at, &word))
		return false;
	give_back_colon(at, &word);
	if (is_flag(word))
		return true;
	if (!is_plain_field(word))
		return false;
	if (scan_skip(&word, "X="))
		event->status.tls = scan_cut(word, EVENT_TLS_MAX);
	else if (scan_skip(&word, "T="))
		f->transport = true;
	return true;
}

bool
exim_fields_next(
    struct octets *at, struct exim_fields *f, struct log_event *event)
{
	struct octets ignored;

	if (scan_skip(at, "H=")) {
		f->host = true;
		return read_host(at, event);
	}
	if (scan_skip(at, "F=<") || scan_skip(at, "P=<"))
		return scan_address(at, '>', &ignored) && scan_skip(at, ">");
	if (scan_skip(at, "C=\""))
		return read_quoted(at, &f->confirmation);
	if (scan_skip(at, "DN=\"") || scan_skip(at, "T=\"") ||
	    scan_skip(at, "SNI=\""))
		return read_quoted(at, &ignored);
	if (scan_skip(at, "id="))
		return read_word(at, &f->message_id);
	return read_other_field(at, f, event);
}

/* How long it took may stand behind the text, too. */
static struct octets
without_duration(struct octets text)
{
	size_t i = text.len;

	while (i > 0 && text.data[i - 1] != ' ')
		i--;
	if (i > 0 && scan_ends(text, "s") && text.len - i > 4 &&
	    memcmp(text.data + i, "DT=", 3) == 0)
		text.len = i - 1;
	return text;
}

bool
exim_fields_read(
    struct octets at, struct exim_fields *f, struct log_event *event)
{
	while (at.len > 0) {
		if (scan_skip(&at, ": ")) {
			f->text = without_duration(at);
			return true;
		}
		if (!scan_skip(&at, " ") || !exim_fields_next(&at, f, event))
			return false;
	}
	return true;
}

/* "<original>", with the addresses between before it in brackets. */
static bool
read_original(struct octets *at, struct octets *original)
{
	struct octets between;

	if (scan_skip(at, " (") &&
	    (!scan_before(at, ")", &between) || scan_holds(between, "<") ||
		scan_holds(between, "\"")))
		return false;
	if (!scan_skip(at, " <"))
		return true;
	return scan_address(at, '>', original) && scan_skip(at, ">");
}

static uint8_t
lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* Is raw the address, which has a quoted local part, without its quoting? */
static bool
is_unquoted(struct octets raw, struct octets quoted)
{
	bool inside = true;
	size_t n = 0;

	for (size_t i = 1; i < quoted.len; i++) {
		uint8_t c = quoted.data[i];

		if (c == '"' && inside) {
			inside = false;
			continue;
		}
		if (c == '\\' && inside && ++i < quoted.len)
			c = quoted.data[i];
		if (n == raw.len || lower(raw.data[n++]) != lower(c))
			return false;
	}
	return n == raw.len;
}

/*
 * Exim writes a quoted local part without its quotes first: "a b@domain
 * <"a b"@domain>", whatever there is in it.
 */
static bool
read_unquoted(struct octets *at, struct octets *recipient)
{
	struct octets rest = *at, raw, quoted;

	if (!scan_before(&rest, " <\"", &raw))
		return false;
	rest = (struct octets){ rest.data - 1, rest.len + 1 };
	if (!scan_address(&rest, '>', &quoted) || !is_unquoted(raw, quoted))
		return false;
	*recipient = quoted;
	*at = scan_from(rest, 1);
	return true;
}

/* A mailbox's address may be shown by its local part alone. */
static void
complete_recipient(struct history_event *status)
{
	size_t len = status->recipient.len;

	if (status->original.len <= len || status->original.data[len] != '@' ||
	    memcmp(status->original.data, status->recipient.data, len) != 0)
		return;
	status->recipient = status->original;
	status->original.len = 0;
}

/* What follows an address begins with a blank, or is ": text". */
bool
exim_fields_recipient(struct octets *at, struct log_event *event)
{
	struct history_event *status = &event->status;
	struct octets skipped;

	/* A program or file by an alias: the address before it is meant. */
	if (at->len > 0 && (at->data[0] == '|' || at->data[0] == '/'))
		return scan_before(at, " <", &skipped) &&
		    scan_address(at, '>', &status->recipient) &&
		    scan_skip(at, ">");
	if (scan_skip(at, ":blackhole: <"))
		return scan_address(at, '>', &status->recipient) &&
		    scan_skip(at, ">");
	if (read_unquoted(at, &status->recipient))
		return true;
	if (!scan_address(at, ' ', &status->recipient))
		return false;
	give_back_colon(at, &status->recipient);
	if (status->recipient.len == 0 || !read_original(at, &status->original))
		return false;
	complete_recipient(status);
	return true;
}
