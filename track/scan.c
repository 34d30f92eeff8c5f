/*
 * A cursor over one line of a log: what stands next, and what stands before
 * the next of something.
 */
#include "track/scan.h"

#include "track/log_event.h"

bool
scan_is(struct octets at, const char *text)
{
	size_t len = strlen(text);

	return at.len == len && memcmp(at.data, text, len) == 0;
}

bool
scan_ends(struct octets at, const char *text)
{
	size_t len = strlen(text);

	return at.len >= len && memcmp(at.data + at.len - len, text, len) == 0;
}

bool
scan_holds(struct octets at, const char *text)
{
	return at.len > 0 &&
	    memmem(at.data, at.len, text, strlen(text)) != NULL;
}

bool
scan_skip(struct octets *at, const char *text)
{
	size_t len = strlen(text);

	if (at->len < len || memcmp(at->data, text, len) != 0)
		return false;
	*at = scan_from(*at, len);
	return true;
}

bool
scan_before(struct octets *at, const char *text, struct octets *before)
{
	size_t len = strlen(text);
	const uint8_t *found;

	if (at->len < len)
		return false;
	found = len == 1 ? memchr(at->data, text[0], at->len)
			 : memmem(at->data, at->len, text, len);
	if (found == NULL)
		return false;
	*before = (struct octets){ at->data, (size_t)(found - at->data) };
	*at = scan_from(*at, before->len + len);
	return true;
}

bool
scan_number(struct octets *at, uint32_t max, uint32_t *number)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < at->len && at->data[i] >= '0' && at->data[i] <= '9'; i++) {
		n = n * 10 + (uint64_t)(at->data[i] - '0');
		if (n > max)
			return false;
	}
	if (i == 0)
		return false;
	*number = (uint32_t)n;
	*at = scan_from(*at, i);
	return true;
}

/* The length of the quoted string at the start, or 0. */
static size_t
quoted_len(struct octets at)
{
	for (size_t i = 1; i < at.len; i++) {
		if (at.data[i] == '\\')
			i++;
		else if (at.data[i] == '"')
			return i + 1;
	}
	return 0;
}

bool
scan_address(struct octets *at, char end, struct octets *address)
{
	size_t i = 0;

	if (at->len > 0 && at->data[0] == '"') {
		i = quoted_len(*at);
		if (i == 0 || i == at->len || at->data[i] != '@')
			return false;
	}
	for (; i < at->len && at->data[i] != (uint8_t)end; i++) {
		uint8_t c = at->data[i];

		if (c < ' ' || c == 0x7f || c == '"' || c == '<' || c == '>')
			return false;
	}
	if (i > EVENT_ADDRESS_MAX || (i == at->len && end != ' '))
		return false;
	*address = scan_cut(*at, i);
	*at = scan_from(*at, i);
	return true;
}

static bool
is_digit(struct octets at, size_t i)
{
	return i < at.len && at.data[i] >= '0' && at.data[i] <= '9';
}

/* The digits from i on: one to three. */
static size_t
digits(struct octets at, size_t i)
{
	size_t n = 0;

	while (n < 3 && is_digit(at, i + n))
		n++;
	return is_digit(at, i + n) ? 0 : n;
}

static size_t
status_len(struct octets at)
{
	size_t subject, detail;

	if (at.len < 5 || at.data[1] != '.' ||
	    (at.data[0] != '2' && at.data[0] != '4' && at.data[0] != '5') ||
	    (subject = digits(at, 2)) == 0 || 2 + subject >= at.len ||
	    at.data[2 + subject] != '.' ||
	    (detail = digits(at, 3 + subject)) == 0)
		return 0;
	return 3 + subject + detail;
}

void
scan_status(struct octets reply, char out[EVENT_STATUS_MAX])
{
	size_t len;

	out[0] = '\0';
	if (digits(reply, 0) == 3 && reply.len > 4 &&
	    (reply.data[3] == ' ' || reply.data[3] == '-'))
		reply = scan_from(reply, 4);
	len = status_len(reply);
	if (len == 0 || (len < reply.len && reply.data[len] != ' '))
		return;
	memcpy(out, reply.data, len);
	out[len] = '\0';
}

static bool
is_id_octet(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	    (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.';
}

struct octets
scan_queued_as(struct octets reply)
{
	size_t start = reply.len;
	struct octets before;

	while (start > 0 && is_id_octet(reply.data[start - 1]))
		start--;
	before = scan_cut(reply, start);
	if (start == reply.len || reply.len - start > LOG_ID_MAX ||
	    (!scan_ends(before, "queued as ") && !scan_ends(before, " id=")))
		return (struct octets){ NULL, 0 };
	return scan_from(reply, start);
}
