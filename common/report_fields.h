/*
 * The fields of a tracking status (RFC 3886 3.2, 3.3). Only for
 * common/report_read.c.
 */
#ifndef COMMON_REPORT_FIELDS_H
#define COMMON_REPORT_FIELDS_H

#include "common/report.h"
#include "common/report_lines.h"

struct report_reading {
	struct report *report;
	struct report_lines lines;
	char *next_text; /* where the next text goes */
	size_t recipients;
	size_t recipients_size; /* allocated in the current part */
	bool in_group;		/* has the current block a recipient? */
	unsigned seen;		/* fields of that recipient, one bit each */
	const char *error;
};

/* Keep text for the report; no text needs more than the field it is from. */
const char *report_keep(struct report_reading *, const char *text, size_t len);

/*
 * Take a field into the last part of the report. A recipient's block begins
 * where an empty line stood, or where its first field comes again; of fields
 * that repeat the first one counts.
 */
void report_take_field(struct report_reading *, struct report_field *);

/* An empty line, or the end of the part. */
void report_end_recipient(struct report_reading *);

#endif
