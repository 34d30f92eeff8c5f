/*
 * What every event of a log must hold, whatever the line was; and the joining
 * of events, for the fuzzers of each format.
 */
#ifndef TESTS_FUZZ_LOG_CHECKS_H
#define TESTS_FUZZ_LOG_CHECKS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "track/log_join.h"
#include "track/log_reader.h"

#define MUST(what)                                                             \
	do {                                                                   \
		if (!(what))                                                   \
			abort();                                               \
	} while (0)

/* Every octet can be read, and there are not too many. */
static inline void
check_text(struct octets text, size_t max)
{
	volatile uint8_t sum = 0;

	MUST(text.len <= max);
	for (size_t i = 0; i < text.len; i++)
		sum = (uint8_t)(sum + text.data[i]);
}

static inline void
check_event(const struct log_event *event)
{
	const struct history_event *s = &event->status;

	MUST(event->kind <= LOGGED_END);
	check_text(event->host, EVENT_HOST_MAX);
	check_text(event->queue_id, LOG_ID_MAX);
	check_text(event->next_id, LOG_ID_MAX);
	check_text(event->message_id, LOG_MESSAGE_ID_MAX);
	check_text(event->peer, 65536);
	check_text(event->relay, 65536);
	check_text(s->original, EVENT_ADDRESS_MAX);
	check_text(s->recipient, EVENT_ADDRESS_MAX);
	check_text(s->remote_mta, EVENT_HOST_MAX);
	check_text(s->remote_address, EVENT_HOST_MAX);
	check_text(s->reply, EVENT_TEXT_MAX);
	check_text(s->tls, EVENT_TLS_MAX);
	MUST(s->action <= ACTION_FAILED && s->source == SOURCE_LOG);
	MUST(memchr(s->status, '\0', sizeof(s->status)) != NULL);
	MUST(event->queue_id.len > 0 || event->kind == LOGGED_TLS);
	MUST(event->kind != LOGGED_JOIN || event->next_id.len > 0);
}

static inline void
check_step(void *arg, const struct log_event *step)
{
	(void)arg;
	MUST(step->kind == LOGGED_STATUS || step->kind == LOGGED_JOIN ||
	    step->kind == LOGGED_END);
	check_event(step);
}

/* Each line in memory of its own, so that no octet beside it is read. */
static inline void
check_line(struct log_reader *reader, struct log_join *join,
    const uint8_t *line, size_t len)
{
	uint8_t *copy = malloc(len > 0 ? len : 1);
	struct log_event event;

	MUST(copy != NULL);
	memcpy(copy, line, len);
	log_reader_line(reader, (struct octets){ copy, len }, &event);
	if (event.kind != LOGGED_NOTHING)
		check_event(&event);
	log_join_add(join, &event);
	free(copy);
}

static inline void
check_log(enum log_format format, const uint8_t *data, size_t size)
{
	const struct log_join_options options = { .ids = 16 };
	struct log_reader reader = { .format = format,
		.clock = { .now = 1795392000000 } };
	struct log_join *join = log_join_new(&options, check_step, NULL);
	const uint8_t *end = data + size, *newline;

	MUST(join != NULL);
	for (; data < end; data = newline + 1) {
		newline = memchr(data, '\n', (size_t)(end - data));
		if (newline == NULL)
			newline = end;
		check_line(&reader, join, data, (size_t)(newline - data));
	}
	log_join_free(join);
	log_reader_free(&reader);
}

#endif
