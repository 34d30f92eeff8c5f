/*
 * The answering end of a link. Whom the kernel names as peer is let in; what
 * is not in the door's table ends the asker's channel.
 */
#include "common/door.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/numbers.h"
#include "common/seldom.h"

enum {
	DOOR_ACCEPT_MAX = 64,  /* a turn */
	DOOR_SHORTAGE_MS = 100 /* no descriptors: try again after that */
};

struct seat {
	struct numbered numbered; /* first: the table hands this out */
	struct channel channel;
	struct asker asker;
	pid_t pid;
	TAILQ_ENTRY(seat) graves;
};

struct door {
	struct event_base *base;
	struct door_owner owner;
	int fd;
	uid_t uid;
	bool paused;
	bool full;
	struct event waiting;
	struct event shortage;
	struct numbers seats;
	TAILQ_ENTRY(door) graves;
};

static struct channel_list dirty = TAILQ_HEAD_INITIALIZER(dirty);
static TAILQ_HEAD(seat_list, seat) seat_graves = TAILQ_HEAD_INITIALIZER(
    seat_graves);
static TAILQ_HEAD(door_list, door) door_graves = TAILQ_HEAD_INITIALIZER(
    door_graves);
static uint64_t last_number;
static struct seldom refusals; /* of all doors */

static struct seat *
seat_of(struct channel *channel)
{
	return (struct seat *)(void *)((char *)channel -
	    offsetof(struct seat, channel));
}

static void
complain(const struct seat *seat, unsigned type, const char *why)
{
	struct log_line line;
	uint64_t withheld;

	if (!seldom_may(&refusals, clock_ms(), &withheld))
		return;
	log_begin(&line, LOG_IS_WARNING, "door-refused");
	log_text(&line, "door", seat->asker.door->owner.name);
	log_number(&line, "pid", seat->pid);
	if (type != 0)
		log_text(&line, "message", message_name(type));
	log_text(&line, "msg", why);
	if (withheld != 0)
		log_number(&line, "withheld", (int64_t)withheld);
	log_end(&line);
}

static void
leave(struct seat *seat)
{
	struct door *door = seat->asker.door;

	numbers_take(&door->seats, seat->numbered.number);
	if (door->full && !door->paused)
		event_add(&door->waiting, NULL);
	door->full = false;
	channel_close(&seat->channel);
	if (door->owner.closed != NULL)
		door->owner.closed(&seat->asker);
	TAILQ_INSERT_TAIL(&seat_graves, seat, graves);
}

static void
on_ended(struct channel *channel, const char *why)
{
	struct seat *seat = seat_of(channel);

	if (why != NULL)
		complain(seat, 0, why);
	leave(seat);
}

static int
on_frame(struct channel *channel, const struct frame_head *head,
    struct wire_in *body)
{
	struct seat *seat = seat_of(channel);
	const struct door_rule *rule = seat->asker.door->owner.rules;

	while (rule->type != 0 && rule->type != head->type)
		rule++;
	if (rule->type == 0) {
		complain(seat, head->type, "may not be asked here");
		return -1;
	}
	if (rule->answer(&seat->asker, head->id, body) == -1 ||
	    (channel->fd != -1 && wire_end(body) == -1)) {
		complain(seat, head->type, "malformed");
		return -1;
	}
	return 0;
}

static const struct channel_owner seat_owner = { on_frame, on_ended, &dirty };

static int
may_enter(const struct door *door, int fd, struct ucred *peer)
{
	socklen_t len = sizeof(*peer);
	uint64_t withheld;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &len) == -1)
		return 0;
	if (peer->uid == door->uid || peer->uid == 0)
		return 1;
	if (seldom_may(&refusals, clock_ms(), &withheld))
		log_warning("door-refused",
		    "%s: uid %ld, pid %ld may not ask; lines withheld before "
		    "this one: %" PRIu64,
		    door->owner.name, (long)peer->uid, (long)peer->pid,
		    withheld);
	return 0;
}

static void
let_in(struct door *door, int fd)
{
	struct ucred peer = { 0, 0, 0 };
	struct seat *seat;

	if (!may_enter(door, fd, &peer) ||
	    (seat = calloc(1, sizeof(*seat))) == NULL) {
		close(fd);
		return;
	}
	seat->numbered.number = ++last_number;
	seat->asker.door = door;
	seat->asker.number = last_number;
	seat->pid = peer.pid;
	if (numbers_put(&door->seats, &seat->numbered) == -1) {
		close(fd);
		free(seat);
		return;
	}
	if (channel_open(&seat->channel, door->base, fd, &seat_owner) == -1) {
		numbers_take(&door->seats, seat->numbered.number);
		close(fd);
		free(seat);
		return;
	}
	if (door->owner.opened != NULL)
		door->owner.opened(&seat->asker);
}

/* Who has one kind of peer only bounds what a mad one of them can take. */
static bool
is_full(struct door *door)
{
	size_t max = door->owner.askers_max;

	if (max == 0 || door->seats.count < max)
		return false;
	log_warning("door-full", "%s: %zu askers", door->owner.name, max);
	door->full = true;
	return true;
}

static void
on_waiting(evutil_socket_t listener, short what, void *arg)
{
	const struct timeval pause = { 0, DOOR_SHORTAGE_MS * 1000 };
	struct door *door = arg;
	int fd;
	unsigned most = door->owner.accept_max;

	(void)what;
	if (most == 0)
		most = DOOR_ACCEPT_MAX;
	for (unsigned i = 0; i < most; i++) {
		if (is_full(door)) {
			event_del(&door->waiting);
			return;
		}
		fd = accept4(
		    (int)listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			let_in(door, fd);
			continue;
		}
		/* Who listens without blocking may share the socket. */
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		log_warning("door-shortage", "%s: %s", door->owner.name,
		    strerror(errno));
		event_del(&door->waiting);
		event_add(&door->shortage, &pause);
		return;
	}
}

static void
on_shortage_over(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd;
	(void)what;
	if (!door->paused && !door->full)
		event_add(&door->waiting, NULL);
}

struct door *
door_open(
    struct event_base *base, int fd, uid_t uid, const struct door_owner *owner)
{
	struct door *door = calloc(1, sizeof(*door));

	if (door == NULL)
		return NULL;
	door->base = base;
	door->owner = *owner;
	door->fd = fd;
	door->uid = uid;
	evutil_make_socket_nonblocking(fd);
	event_assign(
	    &door->waiting, base, fd, EV_READ | EV_PERSIST, on_waiting, door);
	evtimer_assign(&door->shortage, base, on_shortage_over, door);
	if (event_add(&door->waiting, NULL) == -1) {
		free(door);
		return NULL;
	}
	return door;
}

void *
door_arg(const struct asker *asker)
{
	return asker->door->owner.arg;
}

void
door_answer(struct door *door, uint64_t asker, uint64_t id, unsigned type,
    const struct wire_out *body)
{
	struct seat *seat = (struct seat *)numbers_find(&door->seats, asker);
	struct frame_head head = { .type = type, .id = id };

	if (seat == NULL || seat->channel.broken || seat->channel.closing ||
	    channel_put(&seat->channel, &head, body) == 0)
		return;
	/* Without an answer the asker would wait: better it asks again. */
	log_error("door-answer", "%s: %s could not be sent", door->owner.name,
	    message_name(type));
	channel_finish(&seat->channel);
}

void
door_close_asker(struct door *door, uint64_t asker)
{
	struct seat *seat = (struct seat *)numbers_find(&door->seats, asker);

	if (seat != NULL)
		channel_finish(&seat->channel);
}

void
door_pause(struct door *door, int paused)
{
	door->paused = paused != 0;
	if (door->paused) {
		event_del(&door->waiting);
		event_del(&door->shortage);
	} else if (!door->full) {
		event_add(&door->waiting, NULL);
	}
}

size_t
door_asker_count(const struct door *door)
{
	return door->seats.count;
}

void
door_flush_all(void)
{
	struct seat *seat;
	struct door *door;

	channel_flush(&dirty);
	while ((seat = TAILQ_FIRST(&seat_graves)) != NULL) {
		TAILQ_REMOVE(&seat_graves, seat, graves);
		free(seat);
	}
	while ((door = TAILQ_FIRST(&door_graves)) != NULL) {
		TAILQ_REMOVE(&door_graves, door, graves);
		free(door);
	}
}

void
door_free(struct door *door)
{
	struct seat *seat;

	door_pause(door, 1);
	while ((seat = (struct seat *)numbers_take_any(&door->seats)) != NULL)
		leave(seat);
	numbers_free(&door->seats);
	/* One of its callbacks may be running: free at the end of the turn. */
	TAILQ_INSERT_TAIL(&door_graves, door, graves);
}
