/*
 * One end of a Unix stream socket that carries frames: what link and door
 * have in common. A turn reads once and writes once, however many frames
 * there are; both directions are bounded.
 */
#ifndef COMMON_CHANNEL_H
#define COMMON_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <event2/event_struct.h>

#include "common/frame.h"
#include "common/wire.h"

/* A peer that leaves more than this unread is cut off. */
#define CHANNEL_OUT_MAX (8u << 20)

struct channel;
TAILQ_HEAD(channel_list, channel);

struct channel_owner {
	/*
	 * A frame came; its type exists and its body is within bounds. Returns
	 * 0, or -1 to end the channel. May close the channel.
	 */
	int (*frame)(
	    struct channel *, const struct frame_head *, struct wire_in *body);
	/*
	 * The channel is over: why is NULL where the peer simply closed it, or
	 * frame() ended it.
	 * Called from the event loop only. The owner must channel_close().
	 */
	void (*ended)(struct channel *, const char *why);
	struct channel_list *dirty; /* of those with something to write */
};

struct channel {
	const struct channel_owner *owner;
	int fd; /* -1: closed */
	struct event readable;
	struct event writable;
	bool blocked;	 /* waits for writable */
	bool broken;	 /* writing failed: ends once all input is read */
	bool closing;	 /* ends when all output is written */
	bool listed;	 /* in owner->dirty */
	bool inside;	 /* frames are being taken apart */
	const char *why; /* with broken */
	uint8_t *in;	 /* a frame of which some is missing, or NULL */
	size_t in_len;
	size_t in_size;
	uint8_t *out;
	size_t out_done; /* octets of out already written */
	size_t out_len;
	size_t out_size;
	uint64_t written; /* octets ever */
	TAILQ_ENTRY(channel) dirty;
};

/*
 * Carry frames over fd, which becomes the channel's. Returns 0, or -1 without
 * memory (fd stays the caller's).
 */
int channel_open(struct channel *, struct event_base *, int fd,
    const struct channel_owner *) __attribute__((warn_unused_result));

/*
 * Queue a frame; its head.len is taken from body, which may be NULL. Returns
 * 0, or -1 where the channel can take no more (it will end by itself) or the
 * body is over the bound of its type.
 */
int channel_put(
    struct channel *, const struct frame_head *, const struct wire_out *body);

/* Octets queued so far since the channel was opened. */
uint64_t channel_queued(const struct channel *);

/* End the channel once what is queued has left. */
void channel_finish(struct channel *);

/* Write what is queued on every channel of the list, a write each. */
void channel_flush(struct channel_list *);

/* Close at once and give back all memory; the struct itself stays. */
void channel_close(struct channel *);

#endif
