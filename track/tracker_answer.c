/*
 * From the keeper's record of a message to the answer of the tracking server
 * (RFC 3886 3, RFC 3887 4.1).
 */
#include "track/tracker.h"

#include <string.h>

#include "common/inner_host.h"
#include "common/report.h"
#include "common/tracking_messages.h"
#include "conf/conf.h"

static struct octets
octets_of(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static enum tracker_result
write_report(const struct tracker *t, const struct mail_record *m,
    const struct status_list *list, struct buffer *report)
{
	const struct report_source source = { .envid = m->envid,
		.reporting_mta = octets_of(t->conf->hostname),
		.arrival = m->time,
		.rows = list->rows,
		.count = list->count };

	return report_write(&source, 1, report) == 0 ? TRACKER_FOUND
						     : TRACKER_NOINFO;
}

static enum tracker_result
derive(const struct tracker *t, const struct mail_record *m,
    const struct history *stored, struct buffer *report)
{
	const struct status_view view = { .reveal_aliases =
					      t->conf->tracking.reveal_aliases,
		.reveal_hosts = t->conf->tracking.reveal_hosts,
		.is_inner = inner_host_match,
		.arg = t->inner,
		.queue_lifetime = (uint64_t)t->conf->msa.queue_lifetime };
	const struct octets nowhere = { NULL, 0 };
	enum tracker_result result = TRACKER_UNAVAILABLE;
	struct status_list list;
	struct history all;

	if (history_of_record(m, stored, nowhere, &all) == -1)
		return result;
	if (status_derive(all.events, all.count, &view, &list) == 0) {
		result = write_report(t, m, &list, report);
		status_list_free(&list);
	}
	history_free(&all);
	return result;
}

enum tracker_result
tracker_answer(
    const struct tracker *t, struct wire_in *body, struct buffer *report)
{
	enum tracker_result result = TRACKER_UNAVAILABLE;
	struct mail_record m = { 0 };
	struct history stored = { NULL, 0 };
	uint8_t status = wire_get_u8(body);

	mail_body_get(body, &m);
	history_get(body, &stored);
	if (wire_end(body) == -1)
		result = TRACKER_MALFORMED;
	else if (status == KEEPER_NOT_FOUND)
		result = TRACKER_NOINFO;
	else if (status == KEEPER_OK)
		result = derive(t, &m, &stored, report);
	history_free(&stored);
	mail_record_free(&m);
	return result;
}
