/*
 * Fuzzes tracking answers (RFC 3886) both ways: what the reader takes from
 * anybody, and what the writer makes of texts that came from anybody. With an
 * odd first octet the input is a history, else an answer.
 */
#include "common/report.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

enum { EVENTS_MAX = 16 };

static size_t
check_recipient(const struct report_recipient *r)
{
	MUST(r->original[0] != '\0' && r->final[0] != '\0');
	MUST(r->action <= ACTION_FAILED);
	MUST(r->status[0] == '\0' || status_code_is_valid(r->status));
	MUST(r->event_count <= REPORT_EVENTS_MAX);
	for (size_t i = 0; i < r->event_count; i++) {
		const struct report_event *e = &r->events[i];

		MUST(e->action <= ACTION_FAILED && e->source <= SOURCE_CHAIN);
		MUST(strlen(e->host) + strlen(e->text) < 100000);
	}
	return strlen(r->original) + strlen(r->final) + strlen(r->comment) +
	    strlen(r->remote_mta) + strlen(r->remote_address) +
	    strlen(r->reply) + strlen(r->tls) + strlen(r->branches);
}

static void
read_answer(const uint8_t *data, size_t size)
{
	struct report report;
	size_t texts = 0;

	if (report_read(&report, data, size) == 0) {
		MUST(report.error == NULL && report.count > 0);
		for (size_t i = 0; i < report.count; i++) {
			const struct report_part *p = &report.parts[i];

			texts += strlen(p->envid) + strlen(p->reporting_mta);
			for (size_t k = 0; k < p->count; k++)
				texts += check_recipient(&p->recipients[k]);
		}
		/* A missing final recipient is the original one. */
		MUST(texts <= 2 * size);
	} else {
		MUST(report.error != NULL);
	}
	report_free(&report);
}

/* Cut the next few octets off. */
static struct octets
take(const uint8_t **at, const uint8_t *end)
{
	struct octets o = { *at, 0 };

	if (*at == end)
		return o;
	o.data++;
	o.len = **at % 64;
	if (o.len > (size_t)(end - o.data))
		o.len = (size_t)(end - o.data);
	*at = o.data + o.len;
	return o;
}

static uint8_t
take_octet(const uint8_t **at, const uint8_t *end)
{
	return *at == end ? 0 : *(*at)++;
}

static size_t
take_events(const uint8_t *at, const uint8_t *end, struct history_event *out)
{
	size_t n = 0;

	for (; n < EVENTS_MAX && at < end; n++) {
		struct octets status;

		out[n] = (struct history_event){
			.time = take_octet(&at, end) * 1000ULL,
			.source = take_octet(&at, end) % 4,
			.action = take_octet(&at, end) % 8,
			.retry_until = take_octet(&at, end) * 1000ULL,
		};
		out[n].original = take(&at, end);
		out[n].recipient = take(&at, end);
		out[n].remote_mta = take(&at, end);
		out[n].remote_address = take(&at, end);
		out[n].reply = take(&at, end);
		out[n].tls = take(&at, end);
		status = take(&at, end);
		if (status.len < EVENT_STATUS_MAX)
			memcpy(out[n].status, status.data, status.len);
	}
	return n;
}

static bool
is_inner(void *arg, struct octets host, struct octets address)
{
	(void)arg;
	return (host.len + address.len) % 2 == 1;
}

static void
check_wire(const struct buffer *b)
{
	const uint8_t *at = buffer_at(b);
	size_t len = buffer_len(b), line = 0;

	for (size_t i = 0; i < len; i++) {
		if (at[i] == '\r') {
			MUST(i + 1 < len && at[i + 1] == '\n');
			MUST(i - line <= 998);
			line = i + 2;
			i++;
			continue;
		}
		MUST(at[i] >= ' ' && at[i] <= '~');
	}
	MUST(line == len);
}

/* Whatever the events say: a strict answer, which our reader understands. */
static void
write_history(const uint8_t *data, size_t size, unsigned reveal)
{
	struct history_event events[EVENTS_MAX];
	size_t count = take_events(data, data + size, events), named = 0;
	struct status_view view = { (reveal & 2) != 0, (reveal & 4) != 0,
		is_inner, NULL, size };
	struct report_source source = {
		.envid = { data, size < 90 ? size : 90 },
		.reporting_mta = { (const uint8_t *)"t.example", 9 },
	};
	struct status_list list;
	struct buffer out = { 0 };
	struct report report;

	MUST(status_derive(events, count, &view, &list) == 0);
	source.rows = list.rows;
	source.count = list.count;
	for (size_t i = 0; i < list.count; i++)
		named += list.rows[i].original.len > 0;
	if (report_write(&source, 1, &out) == 0) {
		check_wire(&out);
		MUST(report_read(&report, buffer_at(&out), buffer_len(&out)) ==
		    0);
		MUST(report.count == 1);
		MUST(report.parts[0].count <= named);
		report_free(&report);
	} else {
		MUST(named == 0);
	}
	buffer_free(&out);
	status_list_free(&list);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2 == 1)
		write_history(data + 1, size - 1, data[0]);
	else
		read_answer(data + 1, size - 1);
	return 0;
}
