/*
 * The child's end of the control channel: a SOCK_SEQPACKET socket, a frame a
 * packet.
 */
#include "common/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/frame.h"
#include "common/log.h"
#include "common/messages.h"

enum { CHILD_STATUS_MAX = 65536 - 4, CHILD_TEXT_MAX = 4000 };

/* What waybilld gives out is small; more is a mistake. */
#define CHILD_FILE_MAX (64 << 20)

static struct {
	const struct child_orders *orders;
	struct event *control;
	struct event *terminate;
	uint64_t drain_ms;
} child;

/* Too large for a stack, and one at a time is enough. */
static struct frame_packet packet;

static void
require_control(void)
{
	struct stat st;
	int type = 0;
	socklen_t len = sizeof(type);

	if (fstat(CHILD_CONTROL_FD, &st) == 0 && S_ISSOCK(st.st_mode) &&
	    getsockopt(CHILD_CONTROL_FD, SOL_SOCKET, SO_TYPE, &type, &len) ==
		0 &&
	    type == SOCK_SEQPACKET)
		return;
	fprintf(stderr, "%s is started by waybilld, not by hand\n",
	    program_invocation_short_name);
	exit(2);
}

/*
 * The descriptors of the packet by their names, the last of its body; they
 * are start's then. Returns 0, or -1 for a packet that is wrong.
 */
static int
read_names(struct child_start *start)
{
	struct wire_in *body = &packet.body;
	unsigned count = wire_get_u16(body);

	if (count > CHILD_FDS_MAX || count != packet.fd_count)
		return -1;
	for (unsigned i = 0; i < count; i++) {
		wire_get_text(
		    body, start->fds[i].name, sizeof(start->fds[i].name));
		start->fds[i].fd = packet.fds[i];
	}
	if (wire_end(body) == -1)
		return -1;
	start->count = count;
	packet.fd_count = 0;
	return 0;
}

static void
read_start(struct child_start *start)
{
	memset(start, 0, sizeof(*start));
	start->generation = wire_get_u32(&packet.body);
	start->index = wire_get_u32(&packet.body);
	if (read_names(start) == -1)
		fatal("waybilld's first message is malformed");
}

void
child_begin(struct child_start *start)
{
	int got;

	require_control();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	fcntl(CHILD_CONTROL_FD, F_SETFD, FD_CLOEXEC);
	got = frame_receive(CHILD_CONTROL_FD, &packet);
	if (got == 0)
		exit(0);
	if (got == -1)
		fatal("control channel: %s", strerror(errno));
	if (packet.head.type != MSG_CHILD_START)
		fatal("waybilld's first message is %s",
		    message_name(packet.head.type));
	read_start(start);
}

void
child_give_way(void)
{
	const struct sched_param priority = { 0 };

	/* Where a sandbox forbids it, all works as well, for more processor. */
	if (sched_setscheduler(0, SCHED_BATCH, &priority) == -1)
		log_debug("child", "SCHED_BATCH: %s", strerror(errno));
}

int
child_take_fd(struct child_start *start, const char *name)
{
	int fd;

	for (unsigned i = 0; i < start->count; i++) {
		if (strcmp(start->fds[i].name, name) != 0)
			continue;
		fd = start->fds[i].fd;
		start->count--;
		/* The order of those that remain matters to their takers. */
		memmove(&start->fds[i], &start->fds[i + 1],
		    (start->count - i) * sizeof(start->fds[0]));
		return fd;
	}
	return -1;
}

void *
child_read_fd(int fd, size_t *len)
{
	struct stat st;
	size_t size, got = 0;
	uint8_t *data;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return NULL;
	if (st.st_size < 0 || st.st_size > CHILD_FILE_MAX) {
		errno = EFBIG;
		return NULL;
	}
	size = (size_t)st.st_size;
	if ((data = calloc(1, size + 1)) == NULL)
		return NULL;
	while (got < size) {
		n = pread(fd, data + got, size - got, (off_t)got);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n == 0 ? EIO : errno;
			explicit_bzero(data, size);
			free(data);
			return NULL;
		}
		got += (size_t)n;
	}
	*len = size;
	return data;
}

static void
say(unsigned type, uint64_t id, const struct wire_out *body)
{
	struct frame_head head = { .type = type, .id = id };

	if (frame_send(CHILD_CONTROL_FD, &head, body, NULL, 0) == -1 &&
	    errno != EPIPE && errno != ECONNRESET)
		log_error("control", "%s was not sent: %s", message_name(type),
		    strerror(errno));
}

static void
drain(uint64_t ms)
{
	if (child.orders->drain == NULL)
		exit(0);
	child.orders->drain(ms);
}

static int
order_drain(void)
{
	uint64_t ms = wire_get_u64(&packet.body);

	if (wire_end(&packet.body) == -1)
		return -1;
	drain(ms);
	return 0;
}

static int
order_status(void)
{
	static char text[CHILD_STATUS_MAX];
	struct wire_out out = { 0 };

	if (wire_end(&packet.body) == -1)
		return -1;
	text[0] = '\0';
	if (child.orders->status != NULL)
		child.orders->status(text, sizeof(text));
	wire_put_text(&out, text);
	say(MSG_CHILD_STATUS_IS, packet.head.id, &out);
	wire_free(&out);
	return 0;
}

static void
say_outcome(unsigned type, bool done, const char *text)
{
	struct wire_out out = { 0 };

	wire_put_u8(&out, done);
	wire_put_text(&out, text);
	say(type, packet.head.id, &out);
	wire_free(&out);
}

static int
order_snapshot(void)
{
	const char *refused = "this process takes no new snapshot";
	static struct child_start names;
	int snapshot, log;

	if (child.orders->snapshot != NULL) {
		if (read_names(&names) == -1)
			return -1;
		snapshot = child_take_fd(&names, "snapshot");
		log = child_take_fd(&names, "log");
		refused = child.orders->snapshot(snapshot, log);
		while (names.count > 0)
			close(names.fds[--names.count].fd);
	}
	say_outcome(MSG_CHILD_SNAPSHOT_IS, refused == NULL,
	    refused != NULL ? refused : "");
	return 0;
}

static int
order_accept_clock(void)
{
	char text[CHILD_TEXT_MAX] = "this process keeps no clock";
	bool done = false;

	if (wire_end(&packet.body) == -1)
		return -1;
	if (child.orders->accept_clock != NULL)
		done = child.orders->accept_clock(text, sizeof(text));
	say_outcome(MSG_CHILD_ACCEPT_CLOCK_IS, done, text);
	return 0;
}

/* What waybilld may ask of a child. */
static const struct {
	unsigned type;
	int (*obey)(void);
} orders[] = {
	{ MSG_CHILD_DRAIN, order_drain },
	{ MSG_CHILD_STATUS, order_status },
	{ MSG_CHILD_SNAPSHOT, order_snapshot },
	{ MSG_CHILD_ACCEPT_CLOCK, order_accept_clock },
};

static void
orphaned(const char *why)
{
	event_del(child.control);
	log_warning("orphaned", "waybilld is gone (%s); finishing", why);
	drain(child.drain_ms);
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	size_t i;
	int got;

	(void)what;
	(void)arg;
	got = frame_receive((int)fd, &packet);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		orphaned(got == 0 ? "closed" : strerror(errno));
		return;
	}
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++)
		if (orders[i].type == packet.head.type)
			break;
	if (i == sizeof(orders) / sizeof(orders[0]) || orders[i].obey() == -1)
		log_error("control", "cannot follow %s",
		    message_name(packet.head.type));
	while (packet.fd_count > 0)
		close(packet.fds[--packet.fd_count]);
}

static void
on_terminate(evutil_socket_t signal_number, short what, void *arg)
{
	(void)signal_number;
	(void)what;
	(void)arg;
	drain(child.drain_ms);
}

void
child_serve(struct event_base *base, const struct child_orders *given,
    uint64_t drain_ms)
{
	child.orders = given;
	child.drain_ms = drain_ms;
	evutil_make_socket_nonblocking(CHILD_CONTROL_FD);
	child.control = event_new(
	    base, CHILD_CONTROL_FD, EV_READ | EV_PERSIST, on_control, NULL);
	child.terminate = evsignal_new(base, SIGTERM, on_terminate, NULL);
	if (child.control == NULL || child.terminate == NULL ||
	    event_add(child.control, NULL) == -1 ||
	    event_add(child.terminate, NULL) == -1)
		fatal("control channel: no memory");
	say(MSG_CHILD_READY, 0, NULL);
}
