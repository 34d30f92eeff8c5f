/*
 * A cursor over one line of a log: what stands next, and what stands before
 * the next of something. Nothing is copied.
 */
#ifndef TRACK_SCAN_H
#define TRACK_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/history.h"
#include "common/wire.h"

static inline struct octets
scan_text(const char *text)
{
	return (struct octets){ (const uint8_t *)text, strlen(text) };
}

static inline struct octets
scan_from(struct octets at, size_t skip)
{
	return (struct octets){ at.data + skip, at.len - skip };
}

/* All of at's first octets up to max. */
static inline struct octets
scan_cut(struct octets at, size_t max)
{
	return (struct octets){ at.data, at.len < max ? at.len : max };
}

bool scan_is(struct octets, const char *text);
bool scan_ends(struct octets, const char *text);
bool scan_holds(struct octets, const char *text);

/* Step over text if it stands next. */
bool scan_skip(struct octets *at, const char *text);

/* Give what stands before the next text, and step over both; or nothing. */
bool scan_before(struct octets *at, const char *text, struct octets *before);

/* Step over digits of at most max; false where there are none or more. */
bool scan_number(struct octets *at, uint32_t max, uint32_t *number);

/*
 * Step over an address up to its end: a quoted string (RFC 5321 4.1.2) with
 * what follows, else anything without quotes, "<", ">" and control
 * characters, up to end. A local part that is not quoted holds no blank if
 * end is a blank. False for what is longer than EVENT_ADDRESS_MAX, too.
 */
bool scan_address(struct octets *at, char end, struct octets *address);

/*
 * The status code of RFC 3463 that a reply says: at its start, or after its
 * code of three digits. Leaves out empty where there is none.
 */
void scan_status(struct octets reply, char out[EVENT_STATUS_MAX]);

/*
 * The queue id that the reply of a next hop names at its end: "queued as ID"
 * or "id=ID"; empty where it names none.
 */
struct octets scan_queued_as(struct octets reply);

#endif
