/*
 * TCP and TLS connections on libevent's loop; see stream.h.
 */
#include "common/clock.h"
#include "common/stream_internal.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"

TAILQ_HEAD(stream_list, stream);
static struct stream_list dirty_streams = TAILQ_HEAD_INITIALIZER(dirty_streams);
static struct stream_list dead_streams = TAILQ_HEAD_INITIALIZER(dead_streams);

static LIST_HEAD(, stream) lingering_streams = LIST_HEAD_INITIALIZER(
    lingering_streams);

/*
 * Those that hold buffers, the longest unused first. A busy one does not give
 * its buffers back after each line, and an idle one has none; many that are
 * busy at once share what STREAM_WARM_MAX of them may hold.
 */
static struct {
	struct stream_list list;
	size_t count;
	unsigned tick;	   /* number of this second */
	unsigned released; /* streams that gave theirs back in this second */
	bool ticking;
	struct event timer;
} warm = { .list = TAILQ_HEAD_INITIALIZER(warm.list) };

static void stream_on_timer(evutil_socket_t, short, void *);

static void
stream_cool(struct stream *s)
{
	if (!s->warm)
		return;
	s->warm = false;
	TAILQ_REMOVE(&warm.list, s, warmth);
	warm.count--;
	warm.released++;
}

static void
stream_give_back(struct stream *s)
{
	stream_cool(s);
	stream_release_tls(s);
	buffer_trim(&s->in);
	buffer_trim(&s->out);
}

static void
stream_on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s;

	(void)fd;
	(void)what;
	(void)arg;
	warm.tick++;
	while (
	    (s = TAILQ_FIRST(&warm.list)) != NULL && warm.tick - s->used >= 2)
		stream_give_back(s);
	/* What lies between blocks in use, malloc() would keep for ever. */
	if (warm.released >= STREAM_TRIM && warm.count < STREAM_TRIM)
		malloc_trim(0);
	warm.released = 0;
	warm.ticking = warm.count > 0;
	if (!warm.ticking)
		event_del(&warm.timer);
}

static void
stream_start_tick(struct event_base *base)
{
	const struct timeval second = { 1, 0 };

	if (warm.ticking && event_get_base(&warm.timer) == base)
		return;
	event_assign(&warm.timer, base, -1, EV_PERSIST, stream_on_tick, NULL);
	event_add(&warm.timer, &second);
	warm.ticking = true;
}

void
stream_use(struct stream *s)
{
	if ((s->warm && s->used == warm.tick) || s->state == STATE_DEAD)
		return;
	if (s->warm)
		TAILQ_REMOVE(&warm.list, s, warmth);
	else if (warm.count == STREAM_WARM_MAX)
		stream_give_back(TAILQ_FIRST(&warm.list));
	warm.count += !s->warm;
	s->warm = true;
	s->used = warm.tick;
	TAILQ_INSERT_TAIL(&warm.list, s, warmth);
	stream_start_tick(s->base);
}

void
stream_die(struct stream *s)
{
	if (s->state == STATE_DEAD)
		return;
	if (stream_lingers(s))
		LIST_REMOVE(s, lingering);
	s->state = STATE_DEAD;
	stream_cool(s);
	event_del(&s->read_event);
	event_del(&s->write_event);
	event_del(&s->timer);
	if (s->dirty)
		TAILQ_REMOVE(&dirty_streams, s, turn);
	s->dirty = false;
	TAILQ_INSERT_TAIL(&dead_streams, s, turn);
}

void
stream_fail(struct stream *s, const char *why)
{
	if (s->state == STATE_DEAD || s->closed)
		return;
	if (stream_lingers(s)) {
		stream_die(s);
		return;
	}
	if (s->reason[0] == '\0')
		snprintf(s->reason, sizeof(s->reason), "%s", why);
	s->closed = true;
	event_del(&s->read_event);
	event_del(&s->write_event);
	s->reading = false;
	s->fn(s->arg, STREAM_CLOSED);
}

void
stream_arm_read(struct stream *s)
{
	bool want = false;

	if (s->state == STATE_CLEAR || s->state == STATE_SECURE)
		want = !s->paused && !s->closed &&
		    buffer_len(&s->in) < STREAM_INPUT_MAX;
	else if (s->state == STATE_HANDSHAKE || s->state == STATE_DRAINING)
		want = true;
	if (want == s->reading)
		return;
	s->reading = want;
	if (!want) {
		event_del(&s->read_event);
		return;
	}
	event_add(&s->read_event, NULL);
	/* What OpenSSL holds already wakes nobody. */
	if (s->state == STATE_SECURE && SSL_has_pending(s->ssl))
		event_active(&s->read_event, EV_READ, 0);
}

static void
stream_set_alarm(struct stream *s, uint64_t at)
{
	uint64_t now = clock_ms();
	uint64_t ms = at > now ? at - now : 0;
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000) * 1000 };

	s->alarm = at;
	event_add(&s->timer, &tv);
}

void
stream_set_timeout(struct stream *s, uint64_t ms)
{
	s->deadline = ms == 0 ? 0 : clock_ms() + ms;
	/* A later deadline waits for the alarm to find it. */
	if (s->deadline != 0 && (s->alarm == 0 || s->deadline < s->alarm))
		stream_set_alarm(s, s->deadline);
}

static void
stream_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;

	(void)fd;
	(void)what;
	s->alarm = 0;
	if (s->deadline == 0 || s->state == STATE_DEAD)
		return;
	if (s->deadline > clock_ms()) {
		stream_set_alarm(s, s->deadline);
		return;
	}
	s->deadline = 0;
	if (stream_lingers(s))
		stream_die(s);
	else if (!s->closed)
		s->fn(s->arg, STREAM_TIMEOUT);
}

static struct stream *
stream_make(struct event_base *base, int fd, enum stream_state state,
    stream_fn *fn, void *arg)
{
	struct stream *s = calloc(1, sizeof(*s));
	int one = 1;

	if (s == NULL)
		return NULL;
	s->base = base;
	s->fd = fd;
	s->fn = fn;
	s->arg = arg;
	s->state = state;
	/* Without it a reply waits for the peer's delayed ACK. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	event_assign(
	    &s->read_event, base, fd, EV_READ | EV_PERSIST, stream_on_read, s);
	event_assign(&s->write_event, base, fd, EV_WRITE, stream_on_write, s);
	evtimer_assign(&s->timer, base, stream_on_timer, s);
	stream_arm_read(s);
	return s;
}

struct stream *
stream_new(struct event_base *base, int fd, stream_fn *fn, void *arg)
{
	evutil_make_socket_nonblocking(fd);
	return stream_make(base, fd, STATE_CLEAR, fn, arg);
}

struct stream *
stream_connect(struct event_base *base, const struct sockaddr *sa,
    socklen_t len, stream_fn *fn, void *arg)
{
	int fd = socket(
	    sa->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stream *s;

	if (fd == -1)
		return NULL;
	s = stream_make(base, fd, STATE_CONNECTING, fn, arg);
	if (s == NULL) {
		close(fd);
		return NULL;
	}
	if (connect(fd, sa, len) == -1 && errno != EINPROGRESS) {
		snprintf(s->reason, sizeof(s->reason), "%s", strerror(errno));
		/* The owner does not know the stream yet: tell it later. */
	}
	event_add(&s->write_event, NULL);
	if (s->reason[0] != '\0')
		event_active(&s->write_event, EV_WRITE, 0);
	return s;
}

static void
stream_mark_dirty(struct stream *s)
{
	if (s->dirty || s->state == STATE_DEAD)
		return;
	s->dirty = true;
	TAILQ_INSERT_TAIL(&dirty_streams, s, turn);
}

void
stream_start_tls(struct stream *s, SSL_CTX *ctx, const char *name)
{
	s->ctx = ctx;
	SSL_CTX_up_ref(ctx);
	if (name != NULL && (s->name = strdup(name)) == NULL)
		fatal("out of memory");
	s->state = STATE_TLS_PENDING;
	stream_arm_read(s);
	stream_mark_dirty(s);
}

const uint8_t *
stream_input(const struct stream *s, size_t *len)
{
	if (s->fresh_len > 0) {
		*len = s->fresh_len;
		return s->fresh;
	}
	*len = buffer_len(&s->in);
	return buffer_at(&s->in);
}

void
stream_consume(struct stream *s, size_t len)
{
	if (s->fresh_len > 0) {
		s->fresh += len;
		s->fresh_len -= len;
		return;
	}
	buffer_consume(&s->in, len);
	if (!s->warm)
		buffer_trim(&s->in);
	stream_arm_read(s);
}

const char *
stream_line(const struct stream *s, size_t *len, size_t *used)
{
	size_t have;
	const uint8_t *start = stream_input(s, &have);
	const uint8_t *end = have == 0 ? NULL : memchr(start, '\n', have);

	if (end == NULL)
		return NULL;
	*used = (size_t)(end - start) + 1;
	*len = *used - 1;
	if (*len > 0 && start[*len - 1] == '\r')
		(*len)--;
	return (const char *)start;
}

uint8_t *
stream_reserve(struct stream *s, size_t len)
{
	return buffer_reserve(&s->out, len);
}

void
stream_commit(struct stream *s, size_t len)
{
	buffer_commit(&s->out, len);
	if (buffer_len(&s->out) >= STREAM_HIGH)
		s->above = true;
	stream_mark_dirty(s);
}

void
stream_write(struct stream *s, const void *data, size_t len)
{
	size_t sent = 0;

	if (len == 0 || s->closed)
		return;
	if (len >= STREAM_BULK && buffer_len(&s->out) == 0)
		sent = stream_send_bulk(s, data, len);
	if (sent == len)
		return;
	memcpy(stream_reserve(s, len - sent), (const char *)data + sent,
	    len - sent);
	stream_commit(s, len - sent);
}

void
stream_print(struct stream *s, const char *format, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		fatal("stream_print: line too long for \"%s\"", format);
	stream_write(s, text, (size_t)n);
}

size_t
stream_output_len(const struct stream *s)
{
	return buffer_len(&s->out);
}

void
stream_pause(struct stream *s)
{
	s->paused = true;
	stream_arm_read(s);
}

void
stream_resume(struct stream *s)
{
	s->paused = false;
	stream_arm_read(s);
}

void
stream_input_is_public(struct stream *s)
{
	s->public_input = true;
	if (s->ssl != NULL)
		SSL_clear_options(s->ssl, SSL_OP_CLEANSE_PLAINTEXT);
}

SSL *
stream_ssl(const struct stream *s)
{
	return s->ssl;
}

const char *
stream_reason(const struct stream *s)
{
	return s->reason;
}

void
stream_close(struct stream *s)
{
	bool secure = s->state == STATE_SECURE || s->state == STATE_CLEAR;

	if (s->closed || !secure) {
		stream_die(s);
		return;
	}
	s->state = STATE_LINGERING;
	LIST_INSERT_HEAD(&lingering_streams, s, lingering);
	s->paused = true;
	stream_arm_read(s);
	stream_set_timeout(s, STREAM_LINGER_MS);
	stream_mark_dirty(s);
}

void
stream_abort(struct stream *s)
{
	stream_die(s);
}

bool
stream_any_lingers(void)
{
	return !LIST_EMPTY(&lingering_streams);
}

void
stream_end_lingering(void)
{
	struct stream *s;

	while ((s = LIST_FIRST(&lingering_streams)) != NULL)
		stream_die(s);
}

static void
stream_free(struct stream *s)
{
	if (s->ssl != NULL)
		SSL_free(s->ssl);
	if (s->ctx != NULL)
		SSL_CTX_free(s->ctx);
	close(s->fd);
	free(s->name);
	buffer_free(&s->in);
	buffer_free(&s->out);
	free(s);
}

void
stream_turn_end(void)
{
	struct stream *s;

	while ((s = TAILQ_FIRST(&dirty_streams)) != NULL) {
		TAILQ_REMOVE(&dirty_streams, s, turn);
		s->dirty = false;
		stream_flush(s);
	}
	while ((s = TAILQ_FIRST(&dead_streams)) != NULL) {
		TAILQ_REMOVE(&dead_streams, s, turn);
		stream_free(s);
	}
}
