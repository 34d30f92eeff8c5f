/*
 * The asking end of a door. Questions wait in a table by number; what was
 * not yet written when a connection broke is kept and asked again.
 */
#include "common/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/channel.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/numbers.h"

enum { LINK_RETRY_FIRST_MS = 50, LINK_RETRY_MAX_MS = 1000 };

struct question {
	struct numbered numbered; /* first: the table hands this out */
	struct link *link;
	link_answer_fn *answer;
	uint64_t who;
	unsigned type;
	struct event timer;
	bool queued;	      /* on the connection; else in unsent */
	bool over;	      /* given up; its timer says so soon */
	uint64_t start;	      /* with queued: where it starts there */
	struct wire_out body; /* without queued */
	TAILQ_ENTRY(question) unsent;
	TAILQ_ENTRY(question) queue;
};

TAILQ_HEAD(question_list, question);

struct link {
	struct channel channel; /* first: the channel's callbacks need it */
	struct event_base *base;
	void *arg;
	link_up_fn *up;
	bool once;
	bool dead; /* with once: it broke */
	bool freed;
	bool was_down;
	bool reset; /* after the frame at hand */
	unsigned retry_ms;
	struct event retry;
	uint64_t last; /* number given to a question */
	size_t held;   /* octets of the frames in unsent */
	struct numbers questions;
	struct question_list unsent; /* in the order they were asked */
	struct question_list queue;  /* those on the connection */
	TAILQ_ENTRY(link) graves;
	struct sockaddr_un address;
};

static struct channel_list dirty = TAILQ_HEAD_INITIALIZER(dirty);
static TAILQ_HEAD(link_list, link) graves = TAILQ_HEAD_INITIALIZER(graves);

static size_t
frame_len(const struct question *question)
{
	return FRAME_HEAD_LEN + question->body.len;
}

static void
detach(struct question *question)
{
	struct link *link = question->link;

	if (question->queued) {
		TAILQ_REMOVE(&link->queue, question, queue);
		question->queued = false;
	} else {
		TAILQ_REMOVE(&link->unsent, question, unsent);
		link->held -= frame_len(question);
	}
}

/* question is out of the table. */
static void
question_free(struct question *question)
{
	detach(question);
	event_del(&question->timer);
	wire_free(&question->body);
	free(question);
}

static struct question *
take_question(struct link *link, uint64_t number)
{
	return (struct question *)numbers_take(&link->questions, number);
}

/* The question is gone before its answer is told, so that may do anything. */
static void
tell_answer(struct question *question, unsigned type, struct wire_in *body)
{
	struct link *link = question->link;
	link_answer_fn *answer = question->answer;
	uint64_t who = question->who;
	struct wire_in none;

	question_free(question);
	if (body == NULL) {
		wire_read(&none, NULL, 0);
		body = &none;
	}
	answer(link->arg, who, type, body);
}

static void
on_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct question *question = arg;

	(void)fd;
	(void)what;
	take_question(question->link, question->numbered.number);
	tell_answer(question, 0, NULL);
}

static int
on_frame(struct channel *channel, const struct frame_head *head,
    struct wire_in *body)
{
	struct link *link = (struct link *)channel;
	struct question *question = take_question(link, head->id);

	link->retry_ms = LINK_RETRY_FIRST_MS;
	link->reset = false;
	if (question != NULL)
		tell_answer(question, head->type, body);
	return link->reset ? -1 : 0;
}

static void on_ended(struct channel *, const char *);

static const struct channel_owner link_owner = { on_frame, on_ended, &dirty };

/* Back from the connection to unsent, with its body. */
static int
keep_unsent(struct link *link, struct question *question)
{
	const struct channel *channel = &link->channel;
	const uint8_t *frame = channel->out + channel->out_done +
	    (question->start - channel->written);
	struct frame_head head;

	if (frame_head_get(frame, &head) == -1)
		return -1;
	wire_put_raw(&question->body, frame + FRAME_HEAD_LEN, head.len);
	if (question->body.failed)
		return -1;
	TAILQ_REMOVE(&link->queue, question, queue);
	TAILQ_INSERT_TAIL(&link->unsent, question, unsent);
	question->queued = false;
	link->held += frame_len(question);
	return 0;
}

static void
retry_later(struct link *link)
{
	struct timeval tv = { link->retry_ms / 1000,
		(link->retry_ms % 1000) * 1000 };

	event_add(&link->retry, &tv);
	link->retry_ms *= 2;
	if (link->retry_ms > LINK_RETRY_MAX_MS)
		link->retry_ms = LINK_RETRY_MAX_MS;
}

/* Nobody else will answer these; the event loop tells them so. */
static void
give_up_soon(struct question *question)
{
	question->over = true;
	event_active(&question->timer, EV_TIMEOUT, 0);
}

static void
on_ended(struct channel *channel, const char *why)
{
	struct link *link = (struct link *)channel;
	struct question *question, *next;

	if (!link->once)
		log_warning("link-down", "%s: %s", link->address.sun_path,
		    why != NULL ? why : "closed");
	link->dead = link->once;
	link->was_down = true;
	for (question = TAILQ_FIRST(&link->queue); question != NULL;
	     question = next) {
		next = TAILQ_NEXT(question, queue);
		if (question->over)
			continue;
		if (link->once || question->start < channel->written ||
		    keep_unsent(link, question) == -1)
			give_up_soon(question);
	}
	channel_close(channel);
	if (!link->once)
		retry_later(link);
}

static int
put_question(struct question *question, const struct wire_out *body)
{
	struct link *link = question->link;
	struct frame_head head = { .type = question->type,
		.id = question->numbered.number };
	uint64_t start = channel_queued(&link->channel);

	if (channel_put(&link->channel, &head, body) == -1)
		return -1;
	question->start = start;
	question->queued = true;
	TAILQ_INSERT_TAIL(&link->queue, question, queue);
	return 0;
}

static void
ask_unsent(struct link *link)
{
	struct question *question;

	while ((question = TAILQ_FIRST(&link->unsent)) != NULL) {
		detach(question);
		if (put_question(question, &question->body) == -1) {
			/* Cannot be: unsent holds less than a channel does. */
			TAILQ_INSERT_TAIL(&link->unsent, question, unsent);
			link->held += frame_len(question);
			return;
		}
		wire_free(&question->body);
	}
}

/* Returns 1 when up, 0 to try again later, -1 for a dead one. */
static int
try_connect(struct link *link)
{
	int fd;

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return 0;
	if (connect(fd, (struct sockaddr *)&link->address,
		sizeof(link->address)) == -1) {
		/* Full backlogs empty; whoever connects once waits for it. */
		int full = errno == EAGAIN;

		close(fd);
		return link->once && !full ? -1 : 0;
	}
	if (channel_open(&link->channel, link->base, fd, &link_owner) == -1) {
		close(fd);
		return 0;
	}
	return 1;
}

static void
connect_now(struct link *link)
{
	struct question *question;

	switch (try_connect(link)) {
	case 1:
		if (link->was_down)
			log_info("link-up", "%s", link->address.sun_path);
		ask_unsent(link);
		if (link->up != NULL)
			link->up(link->arg);
		break;
	case 0:
		retry_later(link);
		break;
	default:
		link->dead = true;
		for (question = TAILQ_FIRST(&link->unsent); question != NULL;
		     question = TAILQ_NEXT(question, unsent))
			give_up_soon(question);
	}
}

static void
on_retry(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	connect_now(arg);
}

static struct link *
make(struct event_base *base, const char *path, void *arg)
{
	struct link *link;

	if ((link = calloc(1, sizeof(*link))) == NULL)
		return NULL;
	link->base = base;
	link->arg = arg;
	link->retry_ms = LINK_RETRY_FIRST_MS;
	link->channel.fd = -1;
	link->channel.owner = &link_owner;
	link->address.sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(link->address.sun_path))
		fatal("path of a socket is too long: %s", path);
	memcpy(link->address.sun_path, path, strlen(path) + 1);
	TAILQ_INIT(&link->unsent);
	TAILQ_INIT(&link->queue);
	evtimer_assign(&link->retry, base, on_retry, link);
	return link;
}

struct link *
link_new(struct event_base *base, const char *path, void *arg)
{
	struct link *link = make(base, path, arg);

	/* From the event loop, so that link_on_up() comes before. */
	if (link != NULL)
		event_active(&link->retry, EV_TIMEOUT, 0);
	return link;
}

struct link *
link_new_once(struct event_base *base, const char *path, void *arg)
{
	struct link *link = make(base, path, arg);

	if (link != NULL) {
		link->once = true;
		connect_now(link);
	}
	return link;
}

void
link_on_up(struct link *link, link_up_fn *up)
{
	link->up = up;
}

/* Put into unsent, with a copy of its body. */
static int
hold(struct question *question, const struct wire_out *body)
{
	struct link *link = question->link;
	size_t len = body != NULL ? body->len : 0;

	if (link->held + len > CHANNEL_OUT_MAX / 2)
		return -1;
	if (len > 0)
		wire_put_raw(&question->body, body->data, len);
	if (question->body.failed)
		return -1;
	TAILQ_INSERT_TAIL(&link->unsent, question, unsent);
	link->held += frame_len(question);
	return 0;
}

uint64_t
link_ask(struct link *link, unsigned type, const struct wire_out *body,
    unsigned timeout_ms, link_answer_fn *answer, uint64_t who)
{
	struct timeval tv = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	struct question *question;
	int queued;

	if ((body != NULL && body->failed) ||
	    (question = malloc(sizeof(*question))) == NULL)
		return 0;
	*question = (struct question){
		.numbered = { .number = ++link->last },
		.link = link,
		.answer = answer,
		.who = who,
		.type = type,
	};
	if (numbers_put(&link->questions, &question->numbered) == -1) {
		free(question);
		return 0;
	}
	queued = link_is_up(link) ? put_question(question, body)
				  : hold(question, body);
	if (queued == -1) {
		take_question(link, question->numbered.number);
		wire_free(&question->body);
		free(question);
		return 0;
	}
	evtimer_assign(&question->timer, link->base, on_timeout, question);
	event_add(&question->timer, &tv);
	if (link->dead)
		give_up_soon(question);
	return question->numbered.number;
}

void
link_tell(struct link *link, unsigned type, const struct wire_out *body)
{
	struct frame_head head = { .type = type };

	if (link_is_up(link))
		channel_put(&link->channel, &head, body);
}

void
link_reset(struct link *link)
{
	link->reset = true;
}

bool
link_is_up(const struct link *link)
{
	return link->channel.fd != -1 && !link->channel.broken;
}

void
link_flush_all(void)
{
	struct link *link;

	channel_flush(&dirty);
	while ((link = TAILQ_FIRST(&graves)) != NULL) {
		TAILQ_REMOVE(&graves, link, graves);
		free(link);
	}
}

void
link_free(struct link *link)
{
	struct numbered *question;

	if (link == NULL || link->freed)
		return;
	link->freed = true;
	channel_close(&link->channel);
	event_del(&link->retry);
	while ((question = numbers_take_any(&link->questions)) != NULL)
		question_free((struct question *)question);
	numbers_free(&link->questions);
	/* Its own callback may be running: free at the end of the turn. */
	TAILQ_INSERT_TAIL(&graves, link, graves);
}
