/*
 * What stream.c (life, buffers, clock) and stream_io.c (sockets, TLS) share.
 */
#ifndef COMMON_STREAM_INTERNAL_H
#define COMMON_STREAM_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/buffer.h"
#include "common/stream.h"

enum {
	STREAM_TURN_MAX = 128 * 1024, /* octets read from one in a turn */
	STREAM_LINGER_MS = 10000,
	STREAM_DRAIN_MS = 2000,
	STREAM_BULK = 16 * 1024, /* is sent from where it is */
	STREAM_WARM_MAX = 256,	 /* that may keep their buffers */
	STREAM_TRIM = 16	 /* gave theirs back: the system gets memory */
};

enum stream_state {
	STATE_CONNECTING,
	STATE_CLEAR,
	STATE_TLS_PENDING, /* clear output first, then the handshake */
	STATE_HANDSHAKE,
	STATE_SECURE,
	STATE_LINGERING, /* the owner is gone, output is not */
	STATE_DRAINING,	 /* all is said: waiting for the peer's end */
	STATE_DEAD	 /* freed at the end of the turn */
};

struct stream {
	struct event_base *base;
	struct event read_event;
	struct event write_event;
	struct event timer;
	int fd;
	enum stream_state state;
	bool reading;	   /* read_event is armed */
	bool paused;	   /* the owner does not want input */
	bool dirty;	   /* on the list of those to flush */
	bool above;	   /* output went over STREAM_HIGH */
	bool closed;	   /* STREAM_CLOSED was told */
	bool public_input; /* is not wiped */
	bool write_reads;  /* TLS writes again after the next read */
	bool read_writes;  /* TLS reads again when the socket takes more */
	bool warm;	   /* on the list of those that keep buffers */
	unsigned used;	   /* with warm: the last tick of its use */
	uint64_t deadline; /* of stream_set_timeout(), 0: none */
	uint64_t alarm;	   /* when timer goes off, 0: not armed */
	SSL *ssl;
	SSL_CTX *ctx; /* for the handshake to come */
	char *name;   /* a client's SNI */
	stream_fn *fn;
	void *arg;
	struct buffer in;
	struct buffer out;
	/* While the input callback runs: octets still in the scratch. */
	const uint8_t *fresh;
	size_t fresh_len;
	char reason[160];
	TAILQ_ENTRY(stream) turn;
	TAILQ_ENTRY(stream) warmth;
	LIST_ENTRY(stream) lingering;
};

/* stream.c */
void stream_die(struct stream *);
/* Is it ours alone by now, its owner gone? */
static inline bool
stream_lingers(const struct stream *s)
{
	return s->state == STATE_LINGERING || s->state == STATE_DRAINING;
}
/* Tell the owner the end, once; the owner then closes or aborts. */
void stream_fail(struct stream *, const char *why);
/* Wait for input where the state and the owner want it. */
void stream_arm_read(struct stream *);

/* It is at work: its buffers stay until it is idle for a second or two. */
void stream_use(struct stream *);

/* stream_io.c */
void stream_on_read(evutil_socket_t, short, void *);
void stream_on_write(evutil_socket_t, short, void *);
/* Write what can be written now, and go on to what was waiting for it. */
void stream_flush(struct stream *);
/* Send what can be sent at once; returns how many octets, 0 if it fails. */
size_t stream_send_bulk(struct stream *, const void *, size_t);
/* Give back TLS's buffers, unless part of a record is in them. */
void stream_release_tls(struct stream *);

#endif
