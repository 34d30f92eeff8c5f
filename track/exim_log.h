/*
 * Exim's main log, 4.90 and later: arrivals, deliveries, deferrals and
 * failures of one message id, as far as log_selector shows them.
 */
#ifndef TRACK_EXIM_LOG_H
#define TRACK_EXIM_LOG_H

#include "common/wire.h"
#include "track/log_clock.h"
#include "track/log_event.h"

/*
 * What a line of the file mainlog (without its end) means: LOGGED_NOTHING
 * for what is not wholly of a known form. Times without a zone are the
 * machine's.
 */
enum log_kind
exim_log_read(struct log_clock *, struct octets line, struct log_event *);

/* The same from the id on, for a log that goes through syslog. */
enum log_kind exim_log_read_text(struct octets text, struct log_event *);

#endif
