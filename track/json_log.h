/*
 * A log of JSON lines, for any MSA: one object a line, as docs/feed-json.md
 * says.
 */
#ifndef TRACK_JSON_LOG_H
#define TRACK_JSON_LOG_H

#include "track/log_event.h"

enum { JSON_LINE_MAX = 65536 };

struct json_t;

/* What the texts of the last event point into; zero before the first. */
struct json_log {
	struct json_t *line;
};

/*
 * What a line means: LOGGED_NOTHING for what is not one object with all that
 * its kind of event needs. Members that are not known are passed over.
 */
enum log_kind
json_log_read(struct json_log *, struct octets line, struct log_event *);
void json_log_free(struct json_log *);

#endif
