/*
 * The header section of a message on its way through (RFC 5322 2.2, 3.6):
 * notes by what a user will find the message, and adds a Message-ID where
 * there is none (RFC 6409 8.3).
 */
#include "proxy/header.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const char crlf[] = "\r\n";

enum name_kind {
	NAME_MORE,  /* cannot be told yet */
	NAME_FIELD, /* a field name and its colon */
	NAME_NONE   /* not a field */
};

void
header_init(struct header_scan *scan, header_make_id *make, void *arg)
{
	memset(scan, 0, offsetof(struct header_scan, held));
	scan->make = make;
	scan->arg = arg;
	scan->message_id.text = scan->message_id_text;
	scan->message_id.max = HEADER_ID_MAX;
	scan->message_id_text[0] = '\0';
	scan->subject.text = scan->subject_text;
	scan->subject.max = HEADER_SUBJECT_MAX;
	scan->subject_text[0] = '\0';
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static void
skip(struct data_span *in, size_t len)
{
	in->at += len;
	in->len -= len;
}

/*
 * Is this the start of a field (RFC 5322 3.6.8, 4.5)? *name gets the octets
 * of its name, *len those before its colon, or before what shows that it is
 * none.
 */
static enum name_kind
read_name(const uint8_t *at, size_t have, size_t *name, size_t *len)
{
	size_t i = 0, max = have;

	if (max > HEADER_NAME_MAX)
		max = HEADER_NAME_MAX;
	while (i < max && at[i] > ' ' && at[i] < 127 && at[i] != ':')
		i++;
	*name = i;
	while (i < max && is_blank(at[i]))
		i++;
	*len = i;
	if (i == max)
		return max < HEADER_NAME_MAX ? NAME_MORE : NAME_NONE;
	return at[i] == ':' && *name > 0 ? NAME_FIELD : NAME_NONE;
}

static void
note_octet(struct header_note *note, uint8_t c)
{
	if (c == '\0' || (note->len == 0 && is_blank(c)))
		return;
	if (note->len == note->max)
		note->cut = true;
	else
		note->text[note->len++] = (char)c;
}

/* Comments may stand before the msg-id (RFC 5322 3.6.4, CFWS). */
static void
note_id_octet(struct header_scan *scan, uint8_t c)
{
	struct header_note *note = &scan->message_id;

	if (scan->in_id) {
		if (!is_blank(c))
			note_octet(note, c);
		scan->in_id = c != '>';
	} else if (note->len > 0) {
		return; /* what follows the token says nothing */
	} else if (scan->escaped) {
		scan->escaped = false;
	} else if (scan->comments > 0 && c == '\\') {
		scan->escaped = true;
	} else if (c == '(') {
		scan->comments++;
	} else if (c == ')' && scan->comments > 0) {
		scan->comments--;
	} else if (c == '<' && scan->comments == 0) {
		scan->in_id = true;
		note_octet(note, c);
	}
}

static void
note_value(struct header_scan *scan, const uint8_t *at, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (at[i] == '\r' || at[i] == '\n')
			continue;
		if (scan->noting == &scan->message_id)
			note_id_octet(scan, at[i]);
		else
			note_octet(scan->noting, at[i]);
	}
}

/* Take away the beginning of a UTF-8 character whose end was cut off. */
static void
trim_character(struct header_note *note)
{
	size_t back = 0, need;
	uint8_t lead;

	while (back < 3 && back < note->len &&
	    ((uint8_t)note->text[note->len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back == note->len)
		return;
	lead = (uint8_t)note->text[note->len - 1 - back];
	need = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
	if (need > back + 1)
		note->len -= back + 1;
}

static void
end_field(struct header_scan *scan)
{
	struct header_note *note = scan->noting;

	if (note == NULL)
		return;
	if (note == &scan->message_id) {
		/* Half a token would find nothing, or another message. */
		if (scan->in_id || note->cut)
			note->len = 0;
	} else if (note->cut)
		trim_character(note);
	while (note->len > 0 && is_blank((uint8_t)note->text[note->len - 1]))
		note->len--;
	note->text[note->len] = '\0';
	scan->noting = NULL;
}

static void
begin_field(struct header_scan *scan, const uint8_t *name, size_t len)
{
	const struct {
		const char *name;
		struct header_note *note;
	} rows[] = {
		{ "message-id", &scan->message_id },
		{ "subject", &scan->subject },
	};

	scan->any_field = true;
	scan->state = HEADER_VALUE;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == len &&
		    strncasecmp((const char *)name, rows[i].name, len) == 0 &&
		    rows[i].note->count++ == 0)
			scan->noting = rows[i].note;
}

static void
queue(struct header_scan *scan, const void *at, size_t len)
{
	assert(scan->queued < sizeof(scan->queue) / sizeof(scan->queue[0]));
	if (len > 0)
		scan->queue[scan->queued++] = (struct data_span){ at, len };
}

/* empty_line: the empty line comes anyway, or none is wanted. */
static void
end_section(struct header_scan *scan, bool empty_line)
{
	const char *id;

	end_field(scan);
	scan->state = HEADER_ENDED;
	if (scan->make != NULL && scan->message_id.count == 0) {
		id = scan->make(scan->arg);
		queue(scan, id, strlen(id));
		if (!empty_line)
			queue(scan, crlf, 2);
	}
	queue(scan, scan->held, scan->held_len);
}

/* A mailbox file's first line is no field, but fields follow it. */
static bool
is_mbox_line(const struct header_scan *scan, const uint8_t *at, size_t len)
{
	return !scan->any_field && len >= 5 && memcmp(at, "From ", 5) == 0;
}

/* What begins with a name: a field, or not; cannot be told, or can. */
static size_t
begin_name(struct header_scan *scan, const uint8_t *in, size_t len)
{
	size_t name, used;

	switch (read_name(in, len, &name, &used)) {
	case NAME_MORE:
		scan->state = HEADER_NAME;
		return 0;
	case NAME_FIELD:
		begin_field(scan, in, name);
		return used + 1;
	case NAME_NONE:
		break;
	}
	if (is_mbox_line(scan, in, used)) {
		scan->any_field = true;
		scan->state = HEADER_VALUE;
		return used;
	}
	end_section(scan, false);
	return 0;
}

/*
 * A line begins at the start of in. Returns how many of its octets are
 * known to belong to the section; the state says how to go on.
 */
static size_t
begin_line(struct header_scan *scan, const uint8_t *in, size_t len)
{
	if (in[0] == '\r') {
		end_section(scan, true);
		return 0;
	}
	if (is_blank(in[0]) && scan->any_field) {
		scan->state = HEADER_VALUE;
		return 0;
	}
	end_field(scan);
	if (!is_blank(in[0]))
		return begin_name(scan, in, len);
	/* It must not continue a field that the caller put before it. */
	if (scan->make == NULL)
		queue(scan, crlf, 2);
	end_section(scan, false);
	return 0;
}

static size_t
pass_value(struct header_scan *scan, const uint8_t *in, size_t len)
{
	const uint8_t *lf = memchr(in, '\n', len);

	if (lf != NULL) {
		len = (size_t)(lf - in) + 1;
		scan->state = HEADER_LINE;
	}
	if (scan->noting != NULL)
		note_value(scan, in, len);
	return len;
}

/* How many octets of in belong to the section and are known to. */
static size_t
pass_section(struct header_scan *scan, const uint8_t *in, size_t len)
{
	size_t at = 0;

	while (at < len) {
		if (scan->state == HEADER_VALUE)
			at += pass_value(scan, in + at, len - at);
		else
			at += begin_line(scan, in + at, len - at);
		if (scan->state == HEADER_NAME || scan->state == HEADER_ENDED)
			break;
	}
	scan->octets += at;
	return at;
}

/* Look at what was held back again, with what has come since. */
static void
resume_name(
    struct header_scan *scan, struct data_span *in, struct data_span *out)
{
	size_t room = HEADER_NAME_MAX - scan->held_len;
	size_t n = in->len < room ? in->len : room;
	size_t used;

	memcpy(scan->held + scan->held_len, in->at, n);
	used = begin_name(scan, scan->held, scan->held_len + n);
	if (scan->state == HEADER_NAME) {
		scan->held_len += n;
		skip(in, n);
	} else if (scan->state == HEADER_VALUE) {
		*out = (struct data_span){ scan->held, used };
		skip(in, used - scan->held_len);
		scan->octets += used;
		scan->held_len = 0;
	}
}

bool
header_next(
    struct header_scan *scan, struct data_span *in, struct data_span *out)
{
	*out = (struct data_span){ in->at, 0 };
	if (scan->sent < scan->queued) {
		*out = scan->queue[scan->sent++];
		return true;
	}
	if (in->len == 0)
		return false;
	if (scan->state == HEADER_NAME) {
		resume_name(scan, in, out);
		return true;
	}
	out->len = scan->state == HEADER_ENDED
	    ? in->len
	    : pass_section(scan, in->at, in->len);
	skip(in, out->len);
	if (scan->state == HEADER_NAME) {
		memcpy(scan->held, in->at, in->len);
		scan->held_len = in->len;
		skip(in, in->len);
	}
	return true;
}

void
header_finish(struct header_scan *scan)
{
	if (scan->state != HEADER_ENDED)
		end_section(scan, scan->state != HEADER_NAME);
}
