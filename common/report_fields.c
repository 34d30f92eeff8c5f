/*
 * The fields of a tracking status (RFC 3886 3.2, 3.3): what each means.
 */
#include "common/report_fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mail_date.h"
#include "common/timestamp.h"
#include "common/unitext.h"

const char *
report_keep(struct report_reading *r, const char *text, size_t len)
{
	char *kept = r->next_text;

	if (len == 0)
		return "";
	memcpy(kept, text, len);
	kept[len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (kept[i] == '\0')
			kept[i] = '?';
	r->next_text += len + 1;
	return kept;
}

static const char *
keep_unitext(struct report_reading *r, const char *text, size_t len)
{
	char *kept = r->next_text;

	if (len == 0)
		return "";
	r->next_text += unitext_read(text, len, kept) + 1;
	return kept;
}

static struct report_part *
part_of(struct report_reading *r)
{
	return &r->report->parts[r->report->count - 1];
}

/* The one whose block it is; only inside one. */
static struct report_recipient *
recipient_of(struct report_reading *r)
{
	struct report_part *p = part_of(r);

	return &p->recipients[p->count - 1];
}

static const struct report_recipient no_recipient = { .original = "",
	.final = "",
	.comment = "",
	.remote_mta = "",
	.remote_address = "",
	.reply = "",
	.tls = "",
	.branches = "" };

/* A block that names no recipient says nothing about anybody. */
void
report_end_recipient(struct report_reading *r)
{
	struct report_recipient *done;

	if (!r->in_group)
		return;
	r->in_group = false;
	done = recipient_of(r);
	if (done->original[0] == '\0')
		done->original = done->final;
	if (done->final[0] == '\0')
		done->final = done->original;
	if (done->original[0] != '\0')
		return;
	free(done->events);
	part_of(r)->count--;
}

static void
begin_recipient(struct report_reading *r)
{
	struct report_part *p = part_of(r);

	if (r->recipients == REPORT_RECIPIENTS_MAX) {
		r->error = "too many recipients";
		return;
	}
	if (p->count == r->recipients_size) {
		size_t size = 2 * r->recipients_size + 4;
		struct report_recipient *grown =
		    realloc(p->recipients, size * sizeof(*grown));

		if (grown == NULL) {
			r->error = "out of memory";
			return;
		}
		p->recipients = grown;
		r->recipients_size = size;
	}
	p->recipients[p->count++] = no_recipient;
	r->recipients++;
	r->in_group = true;
	r->seen = 0;
}

/* "type; address": the type in lower case goes to type. */
static const char *
read_typed(struct report_reading *r, struct report_field *f)
{
	char *semicolon, *text;
	size_t len, type;

	report_strip_comments(f);
	semicolon = memchr(f->value, ';', f->len);
	text = semicolon == NULL ? f->value : semicolon + 1;
	type = semicolon == NULL ? 0 : (size_t)(semicolon - f->value);
	len = f->len - (size_t)(text - f->value);
	while (len > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (type > 0 && f->value[type - 1] == ' ')
		type--;
	if (len >= 2 && text[0] == '<' && text[len - 1] == '>') {
		text++;
		len -= 2;
	}
	if (type == 5 && strncasecmp(f->value, "utf-8", 5) == 0)
		return keep_unitext(r, text, len);
	return report_keep(r, text, len);
}

static uint64_t
read_date(struct report_field *f)
{
	uint64_t ms;

	report_strip_comments(f);
	return mail_date_read(f->value, f->len, &ms) == 0 ? ms : 0;
}

static void
read_code(const char *text, size_t len, char out[EVENT_STATUS_MAX])
{
	out[0] = '\0';
	if (len >= EVENT_STATUS_MAX)
		return;
	memcpy(out, text, len);
	out[len] = '\0';
	if (!status_code_is_valid(out))
		out[0] = '\0';
}

static void
read_envid(struct report_reading *r, struct report_field *f)
{
	part_of(r)->envid = report_keep(r, f->value, f->len);
}

static void
read_reporting_mta(struct report_reading *r, struct report_field *f)
{
	part_of(r)->reporting_mta = read_typed(r, f);
}

static void
read_arrival(struct report_reading *r, struct report_field *f)
{
	part_of(r)->arrival = read_date(f);
}

static void
read_original(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->original = read_typed(r, f);
}

static void
read_final(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->final = read_typed(r, f);
}

static void
read_action(struct report_reading *r, struct report_field *f)
{
	int action;

	report_strip_comments(f);
	action = status_action_read(f->value, f->len);
	recipient_of(r)->action = action < 0 ? ACTION_OPAQUE : (uint8_t)action;
}

static void
read_status(struct report_reading *r, struct report_field *f)
{
	struct report_recipient *to = recipient_of(r);
	size_t code = strspn(f->value, "0123456789.");
	char *comment;

	read_code(f->value, code, to->status);
	comment = report_first_comment(f->value + code);
	to->comment = report_keep(r, comment, strlen(comment));
}

static void
read_remote_mta(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->remote_mta = read_typed(r, f);
}

static void
read_last_attempt(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->last_attempt = read_date(f);
}

static void
read_retry_until(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->retry_until = read_date(f);
}

static void
read_reply(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->reply = keep_unitext(r, f->value, f->len);
}

static void
read_remote_address(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->remote_address = keep_unitext(r, f->value, f->len);
}

static void
read_tls(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->tls = keep_unitext(r, f->value, f->len);
}

static void
read_branches(struct report_reading *r, struct report_field *f)
{
	recipient_of(r)->branches = report_keep(r, f->value, f->len);
}

static void
read_attempts(struct report_reading *r, struct report_field *f)
{
	char *end;
	unsigned long n = strtoul(f->value, &end, 10);

	if (f->len > 0 && f->len < 10 && *end == '\0')
		recipient_of(r)->attempts = (unsigned)n;
}

static const char *const sources[] = {
	[SOURCE_PROXY] = "proxy", [SOURCE_LOG] = "log", [SOURCE_CHAIN] = "chain"
};

/* The next of the words that semicolons separate; the last takes the rest. */
static char *
next_word(char **at, bool last, size_t *len)
{
	char *word = *at + strspn(*at, " \t");

	*len = last ? strlen(word) : strcspn(word, ";");
	*at = word + *len;
	if (**at == ';')
		++*at;
	return word;
}

/* Returns false where it is none of ours. */
static bool
parse_event(struct report_reading *r, char *value, struct report_event *e)
{
	size_t len;
	char *word = next_word(&value, false, &len);
	int action;

	*e = (struct report_event){ .host = "", .text = "" };
	if (timestamp_read(word, len, &e->time) != 0)
		return false;
	word = next_word(&value, false, &len);
	while (e->source <= SOURCE_CHAIN &&
	    (strlen(sources[e->source]) != len ||
		memcmp(sources[e->source], word, len) != 0))
		e->source++;
	word = next_word(&value, false, &len);
	action = status_action_read(word, len);
	if (action < 0 || e->source > SOURCE_CHAIN)
		return false;
	e->action = (uint8_t)action;
	word = next_word(&value, false, &len);
	read_code(word, len, e->status);
	word = next_word(&value, false, &len);
	e->host = keep_unitext(r, word, len);
	word = next_word(&value, true, &len);
	e->text = keep_unitext(r, word, len);
	return true;
}

static void
read_event(struct report_reading *r, struct report_field *f)
{
	struct report_recipient *to = recipient_of(r);
	struct report_event *grown;

	if (to->event_count == REPORT_EVENTS_MAX)
		return;
	grown = realloc(to->events, (to->event_count + 1) * sizeof(*grown));
	if (grown == NULL) {
		r->error = "out of memory";
		return;
	}
	to->events = grown;
	if (parse_event(r, f->value, &grown[to->event_count]))
		to->event_count++;
}

enum field_kind {
	OF_MESSAGE,
	BEGINS_RECIPIENT, /* may stand first in a block */
	OF_RECIPIENT,
	REPEATS /* any number of times */
};

static const struct {
	const char *name;
	enum field_kind kind;
	void (*read)(struct report_reading *, struct report_field *);
} fields[] = {
	{ "Original-Envelope-Id", OF_MESSAGE, read_envid },
	{ "Reporting-MTA", OF_MESSAGE, read_reporting_mta },
	{ "Arrival-Date", OF_MESSAGE, read_arrival },
	{ "Original-Recipient", BEGINS_RECIPIENT, read_original },
	{ "Final-Recipient", BEGINS_RECIPIENT, read_final },
	{ "Action", BEGINS_RECIPIENT, read_action },
	{ "Status", BEGINS_RECIPIENT, read_status },
	{ "Remote-MTA", OF_RECIPIENT, read_remote_mta },
	{ "Last-Attempt-Date", OF_RECIPIENT, read_last_attempt },
	{ "Will-Retry-Until", OF_RECIPIENT, read_retry_until },
	{ "X-Waybill-Reply", OF_RECIPIENT, read_reply },
	{ "X-Waybill-Remote-Address", OF_RECIPIENT, read_remote_address },
	{ "X-Waybill-TLS", OF_RECIPIENT, read_tls },
	{ "X-Waybill-Branches", OF_RECIPIENT, read_branches },
	{ "X-Waybill-Attempts", OF_RECIPIENT, read_attempts },
	{ "X-Waybill-Event", REPEATS, read_event },
};

void
report_take_field(struct report_reading *r, struct report_field *f)
{
	unsigned i = 0, bit;

	while (i < sizeof(fields) / sizeof(fields[0]) &&
	    strcasecmp(fields[i].name, f->name) != 0)
		i++;
	if (i == sizeof(fields) / sizeof(fields[0]))
		return;
	bit = 1u << i;
	if (fields[i].read == read_original && (r->seen & bit) != 0)
		report_end_recipient(r);
	if (fields[i].kind == BEGINS_RECIPIENT && !r->in_group)
		begin_recipient(r);
	if (fields[i].kind == OF_MESSAGE) {
		fields[i].read(r, f);
		return;
	}
	if (r->error != NULL || !r->in_group || (r->seen & bit) != 0)
		return;
	if (fields[i].kind != REPEATS)
		r->seen |= bit;
	fields[i].read(r, f);
}
