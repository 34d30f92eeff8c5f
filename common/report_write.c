/*
 * Writes tracking-status answers (RFC 3886 3, RFC 3887 4.1).
 */
#include "common/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/keeper_messages.h"
#include "common/mail_date.h"
#include "common/timestamp.h"
#include "common/unitext.h"

#define FOLD_AT	  78  /* RFC 5322 2.1.1 */
#define FOLD_MUST 990 /* RFC 3887 12: lines of 998 octets, some spare */

static const char *const sources[] = {
	[SOURCE_PROXY] = "proxy", [SOURCE_LOG] = "log", [SOURCE_CHAIN] = "chain"
};

/* A field being written, not folded yet. */
struct field {
	struct buffer *out;
	struct buffer line;
	size_t fold_at;
};

static void
put(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

static void
field_begin(struct field *f, struct buffer *out, const char *name)
{
	*f = (struct field){ .out = out, .fold_at = FOLD_AT };
	put(&f->line, name);
	put(&f->line, ": ");
}

static bool
is_space(char c)
{
	return c == ' ';
}

/*
 * Where to break a line: before a space that has words on both sides. A
 * field that has none within FOLD_MUST is broken anywhere.
 */
static size_t
find_fold(const char *line, size_t len, size_t fold_at)
{
	size_t first = 0, best = 0;

	while (first < len && is_space(line[first]))
		first++;
	/* The name and the first word stay together. */
	for (size_t i = first + 1; i < len && i <= FOLD_MUST; i++) {
		if (!is_space(line[i]) || is_space(line[i - 1]) ||
		    line[i - 1] == ':')
			continue;
		if (i > fold_at && best > 0)
			break;
		best = i;
		if (i > fold_at)
			break;
	}
	return best;
}

static void
field_end(struct field *f)
{
	const char *line = (const char *)buffer_at(&f->line);
	size_t len = buffer_len(&f->line);

	while (len > 0 && is_space(line[len - 1]))
		len--;
	while (len > f->fold_at) {
		size_t at = find_fold(line, len, f->fold_at);
		bool hard = at == 0;

		if (hard && len <= FOLD_MUST)
			break;
		if (hard)
			at = FOLD_MUST;
		buffer_append(f->out, line, at);
		put(f->out, hard ? "\r\n " : "\r\n");
		line += at;
		len -= at;
	}
	buffer_append(f->out, line, len);
	put(f->out, "\r\n");
	buffer_free(&f->line);
}

static void
put_text_field(struct buffer *out, const char *name, struct octets text)
{
	struct field f;

	if (text.len == 0)
		return;
	field_begin(&f, out, name);
	unitext_put(&f.line, text, "");
	field_end(&f);
}

static void
put_date(struct buffer *out, const char *name, uint64_t ms)
{
	char date[MAIL_DATE_SIZE];
	struct field f;

	mail_date_write(ms, date);
	field_begin(&f, out, name);
	put(&f.line, date);
	field_end(&f);
}

/* RFC 3464 2.3.1; RFC 6533 3 for what is not ASCII. */
static void
put_address(struct buffer *out, const char *name, struct octets address)
{
	struct field f;

	field_begin(&f, out, name);
	f.fold_at = FOLD_MUST;
	if (unitext_is_plain(address)) {
		put(&f.line, "rfc822; ");
		buffer_append(&f.line, address.data, address.len);
	} else {
		put(&f.line, "utf-8; ");
		unitext_put(&f.line, address, UNITEXT_ADDRESS);
	}
	field_end(&f);
}

/* RFC 3464 2.2.2: a domain name, or a literal where there is none. */
static void
put_mta(struct buffer *out, const char *name, struct octets host,
    struct octets address)
{
	struct field f;

	field_begin(&f, out, name);
	put(&f.line, "dns; ");
	if (host.len > 0) {
		unitext_put(&f.line, host, "();\" ");
	} else {
		put(&f.line,
		    memchr(address.data, ':', address.len) != NULL ? "[IPv6:"
								   : "[");
		unitext_put(&f.line, address, "();\"[] ");
		put(&f.line, "]");
	}
	field_end(&f);
}

/* Decoded, as RFC 3461 6.3 asks; as it came where that is no plain text. */
static void
put_envid(struct buffer *out, struct octets envid)
{
	uint8_t decoded[ENVID_MAX];
	struct octets text = envid;
	struct field f;

	if (envid.len <= sizeof(decoded)) {
		long len = codec_xtext_decode(
		    (const char *)envid.data, envid.len, decoded);
		struct octets read = { decoded, len > 0 ? (size_t)len : 0 };

		if (len > 0 && unitext_is_plain(read) && decoded[0] != ' ' &&
		    decoded[len - 1] != ' ')
			text = read;
	}
	field_begin(&f, out, "Original-Envelope-Id");
	f.fold_at = FOLD_MUST;
	for (size_t i = 0; i < text.len; i++) {
		bool plain = text.data[i] >= ' ' && text.data[i] <= '~';

		buffer_append(&f.line, plain ? &text.data[i] : (void *)"?", 1);
	}
	field_end(&f);
}

/* Words as the inside of a comment (RFC 5322 3.2.2); the exact ones follow. */
static void
put_comment(struct buffer *line, struct octets text)
{
	put(line, " (");
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];

		if (c == '(' || c == ')' || c == '\\')
			put(line, "\\");
		if (c == '\r' || c == '\n' || c == '\t')
			c = ' ';
		if (c < ' ' || c == 0x7f || (c & 0xc0) == 0xc0)
			c = '?';
		if (c < 0x7f)
			buffer_append(line, &c, 1);
	}
	put(line, ")");
}

static void
put_status(struct buffer *out, const struct status_row *row)
{
	struct octets text = row->reply;
	struct field f;

	if (row->action == ACTION_EXPANDED && row->failed > 0)
		text = (struct octets){ (const uint8_t *)"some of them failed",
			19 };
	field_begin(&f, out, "Status");
	put(&f.line, row->status);
	if (text.len > 0)
		put_comment(&f.line, text);
	field_end(&f);
}

static void
put_event(struct buffer *out, const struct history_event *e)
{
	char time[TIMESTAMP_SIZE];
	struct field f;

	timestamp_write(e->time, time);
	field_begin(&f, out, "X-Waybill-Event");
	put(&f.line, time);
	put(&f.line, "; ");
	put(&f.line,
	    sources[e->source <= SOURCE_CHAIN ? e->source : SOURCE_LOG]);
	put(&f.line, "; ");
	put(&f.line, status_action_name(e->action));
	put(&f.line, "; ");
	put(&f.line, status_code_is_valid(e->status) ? e->status : "");
	put(&f.line, "; ");
	unitext_put(&f.line,
	    e->remote_mta.len > 0 ? e->remote_mta : e->remote_address, "; ");
	put(&f.line, "; ");
	unitext_put(&f.line, e->reply, "");
	field_end(&f);
}

static void
put_extensions(struct buffer *out, const struct status_row *row)
{
	size_t first = row->event_count > REPORT_EVENTS_MAX
	    ? row->event_count - REPORT_EVENTS_MAX
	    : 0;
	char number[16];

	put_text_field(out, "X-Waybill-Reply", row->reply);
	put_text_field(out, "X-Waybill-Remote-Address", row->remote_address);
	put_text_field(out, "X-Waybill-TLS", row->tls);
	if (row->attempts > 0) {
		snprintf(number, sizeof(number), "%" PRIu32, row->attempts);
		put(out, "X-Waybill-Attempts: ");
		put(out, number);
		put(out, "\r\n");
	}
	if (row->action == ACTION_EXPANDED && row->failed + row->waiting > 0) {
		put(out, "X-Waybill-Branches:");
		put(out, row->failed > 0 ? " failed" : "");
		put(out, row->waiting > 0 ? " waiting" : "");
		put(out, "\r\n");
	}
	for (size_t i = first; i < row->event_count; i++)
		put_event(out, &row->events[i]);
}

/* RFC 3886 3.3: the fields in this order, and only when they may stand. */
static void
put_recipient(struct buffer *out, const struct status_row *row)
{
	bool tried = row->action != ACTION_OPAQUE && row->last_attempt != 0;
	struct status_row shown = *row;

	if (!tried)
		shown.remote_mta.len = shown.remote_address.len = 0;
	put(out, "\r\n");
	put_address(out, "Original-Recipient", row->original);
	put_address(out, "Final-Recipient", row->recipient);
	put(out, "Action: ");
	put(out, status_action_name(row->action));
	put(out, "\r\n");
	put_status(out, &shown);
	if (shown.remote_mta.len > 0 || shown.remote_address.len > 0)
		put_mta(
		    out, "Remote-MTA", shown.remote_mta, shown.remote_address);
	if (tried)
		put_date(out, "Last-Attempt-Date", row->last_attempt);
	if (row->action == ACTION_DELAYED && row->retry_until != 0)
		put_date(out, "Will-Retry-Until", row->retry_until);
	put_extensions(out, &shown);
}

static size_t
put_part(struct buffer *out, const struct report_source *s)
{
	size_t before = buffer_len(out), named = 0;

	for (size_t i = 0; i < s->count; i++)
		named += s->rows[i].original.len > 0;
	if (named == 0)
		return 0;
	put(out, "Content-Type: message/tracking-status\r\n\r\n");
	put_envid(out, s->envid);
	put_mta(out, "Reporting-MTA", s->reporting_mta,
	    (struct octets){ (const uint8_t *)"", 0 });
	put_date(out, "Arrival-Date", s->arrival);
	for (size_t i = 0; i < s->count; i++)
		if (s->rows[i].original.len > 0)
			put_recipient(out, &s->rows[i]);
	return buffer_len(out) - before;
}

/* A boundary that is nowhere in the parts (RFC 2046 5.1.1). */
static void
choose_boundary(const struct buffer *parts, char *out, size_t size)
{
	unsigned n = 0;

	do
		snprintf(out, size, "=_waybill_%u", ++n);
	while (memmem(buffer_at(parts), buffer_len(parts), out, strlen(out)) !=
	    NULL);
}

int
report_write(
    const struct report_source *parts, size_t count, struct buffer *out)
{
	struct buffer content = { 0 };
	size_t lengths[REPORT_PARTS_MAX], n = 0;
	const uint8_t *at;
	char boundary[32];

	for (size_t i = 0; i < count && n < REPORT_PARTS_MAX; i++) {
		lengths[n] = put_part(&content, &parts[i]);
		n += lengths[n] > 0;
	}
	if (n == 0)
		return -1;
	choose_boundary(&content, boundary, sizeof(boundary));
	put(out, "Content-Type: multipart/related; boundary=\"");
	put(out, boundary);
	put(out, "\";\r\n type=\"message/tracking-status\"\r\n");
	at = buffer_at(&content);
	for (size_t i = 0; i < n; i++) {
		put(out, "\r\n--");
		put(out, boundary);
		put(out, "\r\n");
		buffer_append(out, at, lengths[i]);
		at += lengths[i];
	}
	put(out, "\r\n--");
	put(out, boundary);
	put(out, "--\r\n");
	buffer_free(&content);
	return 0;
}
