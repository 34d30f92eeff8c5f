/*
 * The head of a frame, and frames over a SOCK_SEQPACKET socket.
 */
#include "common/frame.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/messages.h"

enum { FRAME_FDS_MAX = sizeof(((struct frame_packet *)0)->fds) / sizeof(int) };

union control {
	struct cmsghdr align;
	char space[CMSG_SPACE(sizeof(int) * FRAME_FDS_MAX)];
};

static void
put(uint8_t *out, uint64_t value, unsigned octets)
{
	for (unsigned i = octets; i-- > 0; value >>= 8)
		out[i] = (uint8_t)value;
}

static uint64_t
get(const uint8_t *in, unsigned octets)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < octets; i++)
		value = value << 8 | in[i];
	return value;
}

void
frame_head_put(uint8_t out[FRAME_HEAD_LEN], const struct frame_head *head)
{
	put(out, head->len, 4);
	put(out + 4, head->type, 2);
	put(out + 6, 0, 2);
	put(out + 8, head->id, 8);
}

int
frame_head_get(const uint8_t in[FRAME_HEAD_LEN], struct frame_head *head)
{
	long longest;

	head->len = (uint32_t)get(in, 4);
	head->type = (unsigned)get(in + 4, 2);
	head->id = get(in + 8, 8);
	longest = message_longest(head->type);
	if (get(in + 6, 2) != 0 || longest < 0 || head->len > longest)
		return -1;
	return 0;
}

int
frame_send(int fd, const struct frame_head *head, const struct wire_out *body,
    const int *fds, size_t count)
{
	uint8_t octets[FRAME_HEAD_LEN];
	struct frame_head whole = *head;
	struct iovec iov[2] = { { octets, sizeof(octets) }, { NULL, 0 } };
	union control control;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };
	struct cmsghdr *cmsg;
	ssize_t n;

	if (body != NULL)
		iov[1] = (struct iovec){ body->data, body->len };
	if (count > FRAME_FDS_MAX || (body != NULL && body->failed) ||
	    iov[1].iov_len > FRAME_PACKET_MAX - FRAME_HEAD_LEN) {
		errno = EMSGSIZE;
		return -1;
	}
	whole.len = (uint32_t)iov[1].iov_len;
	frame_head_put(octets, &whole);
	if (count > 0) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(sizeof(int) * count);
		memcpy(CMSG_DATA(cmsg), fds, sizeof(int) * count);
	}
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

static void
take_fds(struct msghdr *msg, struct frame_packet *packet)
{
	size_t count;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	     c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (count > FRAME_FDS_MAX - packet->fd_count)
			count = FRAME_FDS_MAX - packet->fd_count;
		memcpy(packet->fds + packet->fd_count, CMSG_DATA(c),
		    count * sizeof(int));
		packet->fd_count += count;
	}
}

int
frame_receive(int fd, struct frame_packet *packet)
{
	struct iovec iov = { packet->octets, sizeof(packet->octets) };
	union control control;
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.space,
		.msg_controllen = sizeof(control.space) };
	ssize_t n;

	packet->fd_count = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n <= 0)
		return (int)n;
	take_fds(&msg, packet);
	if ((msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    n < FRAME_HEAD_LEN ||
	    frame_head_get(packet->octets, &packet->head) == -1 ||
	    packet->head.len != (size_t)n - FRAME_HEAD_LEN) {
		while (packet->fd_count > 0)
			close(packet->fds[--packet->fd_count]);
		errno = EBADMSG;
		return -1;
	}
	wire_read(
	    &packet->body, packet->octets + FRAME_HEAD_LEN, packet->head.len);
	return 1;
}
