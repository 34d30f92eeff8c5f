/*
 * Reads tracking-status answers (RFC 3886 3, RFC 3887 4.1), whatever state
 * their sender left them in.
 */
#include "common/report.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/report_fields.h"
#include "common/report_lines.h"

static bool
begin_part(struct report_reading *r)
{
	struct report *p = r->report;
	struct report_part *grown;

	if (p->count == REPORT_PARTS_MAX) {
		r->error = "too many parts";
		return false;
	}
	grown = realloc(p->parts, (p->count + 1) * sizeof(*grown));
	if (grown == NULL) {
		r->error = "out of memory";
		return false;
	}
	p->parts = grown;
	p->parts[p->count++] =
	    (struct report_part){ .envid = "", .reporting_mta = "" };
	r->recipients_size = 0;
	r->in_group = false;
	return true;
}

/* message/tracking-status itself (RFC 3886 3.1). */
static enum report_line
read_part(struct report_reading *r)
{
	struct report_field f;
	enum report_line kind;

	if (!begin_part(r))
		return LINE_END;
	do {
		kind = report_next_field(&r->lines, &f);
		if (kind == LINE_FIELD)
			report_take_field(r, &f);
		else
			report_end_recipient(r);
	} while (
	    r->error == NULL && (kind == LINE_FIELD || kind == LINE_BLANK));
	return kind;
}

static bool
is_type(const char *value, const char *type)
{
	size_t len = strlen(type);

	return strncasecmp(value, type, len) == 0 &&
	    strchr("; \t", value[len]) != NULL;
}

static const char *
keep_boundary(struct report_reading *r, char *value)
{
	const char *text = report_parameter(value, "boundary");

	if (text == NULL || *text == '\0')
		return NULL;
	return report_keep(r, text, strlen(text));
}

enum entity { ENTITY_STATUS, ENTITY_MULTIPART, ENTITY_OTHER, ENTITY_ENDED };

/*
 * Read the header of an entity: what it is, and its boundary. In *kind what
 * ended the header. A part (boundary is NULL) without Content-Type is taken
 * for a status, since it may be nothing else (RFC 3886 3).
 */
static enum entity
read_header(
    struct report_reading *r, const char **boundary, enum report_line *kind)
{
	enum entity entity = boundary == NULL ? ENTITY_STATUS : ENTITY_OTHER;
	struct report_field f;
	bool known = false;

	while ((*kind = report_next_field(&r->lines, &f)) == LINE_FIELD) {
		if (known || strcasecmp(f.name, "Content-Type") != 0)
			continue;
		known = true;
		entity = ENTITY_OTHER;
		if (is_type(f.value, "message/tracking-status"))
			entity = ENTITY_STATUS;
		else if (strncasecmp(f.value, "multipart/", 10) == 0)
			entity = ENTITY_MULTIPART;
		if (entity == ENTITY_MULTIPART && boundary != NULL)
			*boundary = keep_boundary(r, f.value);
	}
	return *kind == LINE_BLANK ? entity : ENTITY_ENDED;
}

static void
read_parts(struct report_reading *r)
{
	enum report_line kind = report_skip_part(&r->lines);

	while (kind == LINE_DELIMITER && r->error == NULL) {
		enum entity entity = read_header(r, NULL, &kind);

		if (entity == ENTITY_ENDED)
			continue;
		kind = entity == ENTITY_STATUS ? read_part(r)
					       : report_skip_part(&r->lines);
	}
}

static void
read_body(struct report_reading *r)
{
	enum report_line kind;
	const char *boundary = NULL;
	enum entity entity = read_header(r, &boundary, &kind);

	if (entity == ENTITY_STATUS) {
		read_part(r);
	} else if (entity != ENTITY_MULTIPART) {
		r->error = "no tracking status";
	} else if (boundary == NULL) {
		r->error = "a multipart without a boundary";
	} else {
		r->lines.boundary = boundary;
		read_parts(r);
	}
	if (r->error == NULL && r->report->count == 0)
		r->error = "no tracking status";
}

int
report_read(struct report *report, const void *body, size_t len)
{
	struct report_reading r = { .report = report };

	*report = (struct report){ NULL, 0, NULL, NULL };
	if (len > REPORT_SIZE_MAX) {
		report->error = "too long";
		return -1;
	}
	report->texts = malloc(len + 1);
	r.lines.scratch = malloc(len + 1);
	if (report->texts == NULL || r.lines.scratch == NULL) {
		free(r.lines.scratch);
		report->error = "out of memory";
		return -1;
	}
	r.next_text = report->texts;
	r.lines.at = body;
	r.lines.end = r.lines.at + len;
	read_body(&r);
	free(r.lines.scratch);
	report->error = r.error;
	return r.error == NULL ? 0 : -1;
}

void
report_free(struct report *report)
{
	for (size_t i = 0; i < report->count; i++) {
		struct report_part *p = &report->parts[i];

		for (size_t k = 0; k < p->count; k++)
			free(p->recipients[k].events);
		free(p->recipients);
	}
	free(report->parts);
	free(report->texts);
	*report = (struct report){ NULL, 0, NULL, NULL };
}
