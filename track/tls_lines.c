/*
 * TLS lines that wait for the delivery they belong to. A process that is
 * pushed out by another costs a delivery its TLS text, no more.
 */
#include "track/tls_lines.h"

#include <stdlib.h>
#include <string.h>

enum { PLACES = 1024 };

struct tls_line {
	uint64_t process; /* 0: nothing is kept */
	uint64_t relay;
	uint64_t queue_id; /* whose delivery it was, 0: none yet */
	size_t len;
	uint8_t tls[EVENT_TLS_MAX];
};

struct tls_lines {
	struct tls_line lines[PLACES];
};

struct tls_lines *
tls_lines_new(void)
{
	return calloc(1, sizeof(struct tls_lines));
}

void
tls_lines_free(struct tls_lines *t)
{
	free(t);
}

void
tls_lines_keep(
    struct tls_lines *t, uint64_t process, uint64_t relay, struct octets tls)
{
	struct tls_line *line = &t->lines[process % PLACES];

	if (tls.len == 0 && line->process != process)
		return;
	line->process = 0;
	if (tls.len == 0 || tls.len > EVENT_TLS_MAX)
		return;
	line->process = process;
	line->relay = relay;
	line->queue_id = 0;
	memcpy(line->tls, tls.data, tls.len);
	line->len = tls.len;
}

struct octets
tls_lines_find(
    struct tls_lines *t, uint64_t process, uint64_t relay, uint64_t queue_id)
{
	struct tls_line *line = &t->lines[process % PLACES];
	struct octets none = { NULL, 0 };

	if (line->process != process)
		return none;
	if (line->queue_id == 0)
		line->queue_id = queue_id;
	if (line->queue_id != queue_id) {
		line->process = 0;
		return none;
	}
	if (line->relay != relay)
		return none;
	return (struct octets){ line->tls, line->len };
}
