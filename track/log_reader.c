/*
 * The reader of one log: its format, and what it has to remember from line
 * to line.
 */
#include "track/log_reader.h"

#include "track/exim_log.h"
#include "track/postfix_log.h"
#include "track/scan.h"

enum { DATE_LEN = 10 }; /* "2026-11-22" */

/* In mainlog's own form there is a blank after the date, in syslog's not. */
static bool
has_exim_date(struct octets line)
{
	return line.len > DATE_LEN && line.data[0] >= '0' &&
	    line.data[0] <= '9' && line.data[DATE_LEN] == ' ';
}

static enum log_kind
read_exim(struct log_reader *r, const struct syslog_line *line,
    struct log_event *event)
{
	if (!scan_is(line->program, "exim") && !scan_is(line->program, "exim4"))
		return LOGGED_NOTHING;
	if (has_exim_date(line->text))
		return exim_log_read(&r->clock, line->text, event);
	event->status.time = line->time;
	event->pid = line->pid;
	event->host = scan_cut(line->host, EVENT_HOST_MAX);
	return exim_log_read_text(line->text, event);
}

static enum log_kind
read_entry(struct log_reader *r, const struct syslog_line *line,
    struct log_event *event)
{
	if (r->format == LOG_FORMAT_JSON)
		return json_log_read(&r->json, line->text, event);
	if (r->format == LOG_FORMAT_EXIM)
		return read_exim(r, line, event);
	return postfix_log_read(
	    r->syslog_name != NULL ? r->syslog_name : "postfix", line, event);
}

static enum log_kind
count(struct log_reader *r, enum log_kind kind)
{
	r->lines++;
	if (kind == LOGGED_NOTHING)
		r->ignored++;
	return kind;
}

enum log_kind
log_reader_entry(struct log_reader *r, const struct syslog_line *line,
    struct log_event *event)
{
	memset(event, 0, sizeof(*event));
	return count(r, read_entry(r, line, event));
}

enum log_kind
log_reader_line(
    struct log_reader *r, struct octets line, struct log_event *event)
{
	struct syslog_line head;

	memset(event, 0, sizeof(*event));
	if (r->format == LOG_FORMAT_JSON)
		return count(r, json_log_read(&r->json, line, event));
	if (r->format == LOG_FORMAT_EXIM && has_exim_date(line))
		return count(r, exim_log_read(&r->clock, line, event));
	if (syslog_line_read(&r->clock, line, &head) != 0)
		return count(r, LOGGED_NOTHING);
	return count(r, read_entry(r, &head, event));
}

void
log_reader_free(struct log_reader *r)
{
	json_log_free(&r->json);
}
