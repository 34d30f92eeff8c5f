/*
 * The head of a frame, as common/messages.h describes it, and frames that
 * cross a SOCK_SEQPACKET socket one a packet, with descriptors beside them.
 */
#ifndef COMMON_FRAME_H
#define COMMON_FRAME_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/wire.h"

enum { FRAME_HEAD_LEN = 16, FRAME_PACKET_MAX = 65536 + FRAME_HEAD_LEN };

struct frame_head {
	uint32_t len; /* of the body */
	unsigned type;
	uint64_t id;
};

void frame_head_put(uint8_t out[FRAME_HEAD_LEN], const struct frame_head *);

/*
 * Read a head. Returns 0, or -1 for a type that does not exist, a body over
 * the bound of its type, or zero octets that are not zero.
 */
int frame_head_get(const uint8_t in[FRAME_HEAD_LEN], struct frame_head *)
    __attribute__((warn_unused_result));

/*
 * Send one frame as one packet, with count descriptors (up to 128). body may
 * be NULL. Returns 0, or -1 with errno (EAGAIN where the peer does not read).
 */
int frame_send(int fd, const struct frame_head *, const struct wire_out *body,
    const int *fds, size_t count) __attribute__((warn_unused_result));

/* A packet taken in. */
struct frame_packet {
	struct frame_head head;
	struct wire_in body; /* points into octets */
	int fds[128];	     /* close-on-exec; the caller's to close */
	size_t fd_count;
	uint8_t octets[FRAME_PACKET_MAX];
};

/*
 * Take one packet. Returns 1, 0 at the end of the file, or -1 with errno:
 * EBADMSG for one that its sender got wrong.
 */
int frame_receive(int fd, struct frame_packet *)
    __attribute__((warn_unused_result));

#endif
