/*
 * The answer to a tracking request: message/tracking-status parts inside a
 * multipart/related (RFC 3886 3, RFC 3887 4.1). A strict writer, a lenient
 * and bounded reader.
 */
#ifndef COMMON_REPORT_H
#define COMMON_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/history.h"
#include "common/status.h"
#include "common/wire.h"

enum {
	REPORT_EVENTS_MAX = 20,	       /* written for a recipient, the latest */
	REPORT_PARTS_MAX = 32,	       /* read */
	REPORT_RECIPIENTS_MAX = 20000, /* read, all parts together */
	REPORT_SIZE_MAX = 32 * 1048576, /* octets read */
	REPORT_TYPE_MAX = 32
};

/* What one server says: a part of the answer. */
struct report_source {
	struct octets envid;	     /* as on the wire; written decoded */
	struct octets reporting_mta; /* host name */
	uint64_t arrival;	     /* ms since 1970 */
	const struct status_row *rows;
	size_t count;
};

/*
 * Append the whole answer: Content-Type and a part for each source that has
 * a recipient, every mandatory field in RFC 3886's order, lines of at most
 * 998 octets ending in CRLF, 7bit. What a row may not show (RFC 3886 3.3.5
 * to 3.3.7) is not written, whatever the row holds. Dots are left to
 * mtqp_stuff(). Returns 0, or -1 where there is nothing to say.
 */
int report_write(const struct report_source *, size_t count, struct buffer *)
    __attribute__((warn_unused_result));

/* A line of the history, as far as the server shows it. */
struct report_event {
	uint64_t time;	/* ms since 1970 */
	uint8_t source; /* enum history_source */
	uint8_t action; /* enum history_action */
	char status[EVENT_STATUS_MAX];
	const char *host;
	const char *text;
};

/*
 * One recipient block. Texts are decoded, end in NUL, may hold any other
 * octet, and are "" where the field is missing; times are then 0.
 */
struct report_recipient {
	const char *original;
	const char *final;
	uint8_t action;		       /* ACTION_OPAQUE where unknown */
	char status[EVENT_STATUS_MAX]; /* "" where malformed */
	const char *comment;	       /* after Status */
	const char *remote_mta;
	uint64_t last_attempt; /* ms since 1970 */
	uint64_t retry_until;
	/* From X-Waybill-... fields. */
	const char *remote_address;
	const char *reply;
	const char *tls;
	const char *branches; /* words: "failed", "waiting" */
	unsigned attempts;
	struct report_event *events;
	size_t event_count;
};

struct report_part {
	const char *envid;
	const char *reporting_mta;
	uint64_t arrival;
	struct report_recipient *recipients;
	size_t count;
};

/* Starts as {0}. */
struct report {
	struct report_part *parts;
	size_t count;
	const char *error; /* what is wrong, after -1 */
	char *texts;
};

/*
 * Read an answer, dots already unstuffed. Takes CRLF and LF, folded fields,
 * comments, fields in any order, "Status 5.2.2" without its colon, illegal
 * boundaries, a missing type parameter, a missing end, unknown fields and
 * parts of other types, a bare tracking-status without a multipart.
 * Returns 0, or -1 with error set: not an answer, too long, no memory.
 */
int report_read(struct report *, const void *body, size_t len)
    __attribute__((warn_unused_result));

void report_free(struct report *);

#endif
