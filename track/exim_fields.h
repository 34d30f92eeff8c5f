/*
 * What stands in a delivery line of Exim between its mark and its text: the
 * recipient with the addresses that it came from, and fields.
 */
#ifndef TRACK_EXIM_FIELDS_H
#define TRACK_EXIM_FIELDS_H

#include <stdbool.h>

#include "common/wire.h"
#include "track/log_event.h"

struct exim_fields {
	bool host; /* H=: it went over the network */
	bool transport;
	struct octets confirmation; /* C="...", as it stands */
	struct octets message_id;
	struct octets text; /* after ": ", if there is any */
};

/*
 * Step over a recipient, into the event's status. False for what could be
 * something else: users choose local parts, and Exim shows a quoted one
 * without its quotes.
 */
bool exim_fields_recipient(struct octets *at, struct log_event *);

/* Step over one field: its H= and X= go into the event. */
bool
exim_fields_next(struct octets *at, struct exim_fields *, struct log_event *);

/* All of them, each after a blank, up to the end or ": text". */
bool
exim_fields_read(struct octets at, struct exim_fields *, struct log_event *);

bool exim_fields_is_alnum(uint8_t c);

#endif
