/*
 * Frames over a Unix stream socket. Everything that is there is read into
 * one buffer of the process and taken apart in place; only a frame of which
 * some is missing is kept with its channel, so an idle one holds no memory.
 */
#include "common/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/messages.h"

enum {
	CHANNEL_READ_SIZE = 256 << 10,
	CHANNEL_OUT_FIRST = 1 << 10,
	CHANNEL_OUT_KEEP = 16 << 10 /* a larger buffer is given back */
};

static uint8_t scratch[CHANNEL_READ_SIZE];

static void
wipe_free(uint8_t *data, size_t size)
{
	if (data != NULL)
		explicit_bzero(data, size);
	free(data);
}

static void
drop_in(struct channel *channel)
{
	wipe_free(channel->in, channel->in_size);
	channel->in = NULL;
	channel->in_len = channel->in_size = 0;
}

static void
drop_out(struct channel *channel)
{
	wipe_free(channel->out, channel->out_size);
	channel->out = NULL;
	channel->out_done = channel->out_len = channel->out_size = 0;
}

static int
read_head(struct channel *channel, const uint8_t *in, struct frame_head *head)
{
	if (frame_head_get(in, head) == 0)
		return 0;
	channel->why = "no such message, or too long";
	return -1;
}

/* The owner hears of it from the event loop, never from its own call. */
static void
end_soon(struct channel *channel, const char *why)
{
	if (!channel->broken)
		channel->why = why;
	channel->broken = true;
	event_active(&channel->readable, EV_READ, 0);
}

static int
deliver(struct channel *channel, const uint8_t *frame,
    const struct frame_head *head)
{
	struct wire_in body;

	wire_read(&body, frame + FRAME_HEAD_LEN, head->len);
	return channel->owner->frame(channel, head, &body);
}

/*
 * Fill up the frame of which some is missing. Returns octets of data used,
 * or -1 to end the channel.
 */
static long
complete(struct channel *channel, const uint8_t *data, size_t len)
{
	struct frame_head head = { 0, 0, 0 };
	size_t need = FRAME_HEAD_LEN;
	size_t used = 0, n;
	uint8_t *larger;

	for (;;) {
		if (channel->in_len >= FRAME_HEAD_LEN) {
			if (read_head(channel, channel->in, &head) == -1)
				return -1;
			need = FRAME_HEAD_LEN + head.len;
		}
		if (channel->in_size < need) {
			larger = malloc(need);
			if (larger == NULL)
				return -1;
			if (channel->in_len > 0)
				memcpy(larger, channel->in, channel->in_len);
			wipe_free(channel->in, channel->in_size);
			channel->in = larger;
			channel->in_size = need;
		}
		if (channel->in_len >= FRAME_HEAD_LEN &&
		    channel->in_len == need)
			break;
		if (used == len)
			return (long)used;
		n = need - channel->in_len;
		n = n < len - used ? n : len - used;
		memcpy(channel->in + channel->in_len, data + used, n);
		channel->in_len += n;
		used += n;
	}
	if (deliver(channel, channel->in, &head) == -1)
		return -1;
	drop_in(channel);
	return (long)used;
}

/* Returns 0, or -1 to end the channel. */
static int
take_apart(struct channel *channel, const uint8_t *data, size_t len)
{
	struct frame_head head;
	long used;

	while (len > 0 && channel->fd != -1 && !channel->closing) {
		if (channel->in_len == 0 && len >= FRAME_HEAD_LEN) {
			if (read_head(channel, data, &head) == -1)
				return -1;
			used = FRAME_HEAD_LEN + (long)head.len;
			if (len >= (size_t)used) {
				if (deliver(channel, data, &head) == -1)
					return -1;
				data += used;
				len -= (size_t)used;
				continue;
			}
		}
		if ((used = complete(channel, data, len)) == -1)
			return -1;
		data += used;
		len -= (size_t)used;
	}
	return 0;
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;
	ssize_t n;
	int wrong;

	(void)what;
	if (channel->broken && channel->closing) {
		channel->owner->ended(channel, channel->why);
		return;
	}
	n = recv((int)fd, scratch, sizeof(scratch), MSG_DONTWAIT);
	if (n > 0) {
		channel->inside = true;
		wrong = take_apart(channel, scratch, (size_t)n);
		channel->inside = false;
		explicit_bzero(scratch, (size_t)n);
		/* The owner may have closed it while it took a frame. */
		if (channel->fd == -1)
			drop_in(channel);
		else if (wrong == -1)
			channel->owner->ended(channel, channel->why);
		else if (channel->broken)
			event_active(&channel->readable, EV_READ, 0);
		return;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (channel->broken)
			channel->owner->ended(channel, channel->why);
		return;
	}
	channel->owner->ended(channel, n == 0 ? NULL : strerror(errno));
}

static void
unlist(struct channel *channel)
{
	if (channel->listed)
		TAILQ_REMOVE(channel->owner->dirty, channel, dirty);
	channel->listed = false;
}

static void
write_out(struct channel *channel)
{
	size_t left = channel->out_len - channel->out_done;
	ssize_t n = 0;

	unlist(channel);
	if (left > 0)
		n = send(channel->fd, channel->out + channel->out_done, left,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n == -1 && errno != EAGAIN && errno != EINTR) {
		end_soon(channel, strerror(errno));
		return;
	}
	if (n > 0) {
		channel->out_done += (size_t)n;
		channel->written += (size_t)n;
	}
	if (channel->out_done < channel->out_len) {
		channel->blocked = true;
		event_add(&channel->writable, NULL);
		return;
	}
	if (channel->out_size > CHANNEL_OUT_KEEP)
		drop_out(channel);
	else if (channel->out != NULL)
		explicit_bzero(channel->out, channel->out_len);
	channel->out_done = channel->out_len = 0;
	if (channel->closing)
		end_soon(channel, NULL);
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct channel *channel = arg;

	(void)fd;
	(void)what;
	channel->blocked = false;
	write_out(channel);
}

int
channel_open(struct channel *channel, struct event_base *base, int fd,
    const struct channel_owner *owner)
{
	memset(channel, 0, sizeof(*channel));
	channel->owner = owner;
	channel->fd = fd;
	event_assign(&channel->readable, base, fd, EV_READ | EV_PERSIST,
	    on_readable, channel);
	event_assign(
	    &channel->writable, base, fd, EV_WRITE, on_writable, channel);
	if (event_add(&channel->readable, NULL) == -1) {
		channel->fd = -1;
		return -1;
	}
	return 0;
}

static int
make_room(struct channel *channel, size_t len)
{
	size_t held = channel->out_len - channel->out_done;
	size_t size = channel->out_size;
	uint8_t *out;

	if (channel->out_size - channel->out_len >= len)
		return 0;
	if (held + len > CHANNEL_OUT_MAX)
		return -1;
	if (size == 0)
		size = CHANNEL_OUT_FIRST;
	while (size - held < len)
		size *= 2;
	if ((out = malloc(size)) == NULL)
		return -1;
	if (held > 0)
		memcpy(out, channel->out + channel->out_done, held);
	wipe_free(channel->out, channel->out_size);
	channel->out = out;
	channel->out_size = size;
	channel->out_len = held;
	channel->out_done = 0;
	return 0;
}

int
channel_put(struct channel *channel, const struct frame_head *head,
    const struct wire_out *body)
{
	struct frame_head whole = *head;
	size_t len = body != NULL ? body->len : 0;

	if (channel->fd == -1 || channel->broken || channel->closing)
		return -1;
	if ((body != NULL && body->failed) ||
	    (long)len > message_longest(head->type))
		return -1;
	if (make_room(channel, FRAME_HEAD_LEN + len) == -1) {
		end_soon(channel, "the peer does not read");
		return -1;
	}
	whole.len = (uint32_t)len;
	frame_head_put(channel->out + channel->out_len, &whole);
	channel->out_len += FRAME_HEAD_LEN;
	if (len > 0)
		memcpy(channel->out + channel->out_len, body->data, len);
	channel->out_len += len;
	if (!channel->blocked && !channel->listed) {
		TAILQ_INSERT_TAIL(channel->owner->dirty, channel, dirty);
		channel->listed = true;
	}
	return 0;
}

uint64_t
channel_queued(const struct channel *channel)
{
	return channel->written + channel->out_len - channel->out_done;
}

void
channel_finish(struct channel *channel)
{
	if (channel->fd == -1 || channel->closing)
		return;
	channel->closing = true;
	if (channel->out_len == channel->out_done)
		end_soon(channel, NULL);
}

void
channel_flush(struct channel_list *dirty)
{
	struct channel *channel;

	while ((channel = TAILQ_FIRST(dirty)) != NULL)
		write_out(channel);
}

void
channel_close(struct channel *channel)
{
	if (channel->fd == -1)
		return;
	unlist(channel);
	event_del(&channel->readable);
	event_del(&channel->writable);
	close(channel->fd);
	channel->fd = -1;
	drop_out(channel);
	/* A frame that is being taken is still read from there. */
	if (!channel->inside)
		drop_in(channel);
}
