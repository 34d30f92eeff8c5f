/*
 * Children: fork, exec, and the control channel.
 */
#include "daemon/process.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/frame.h"
#include "common/log.h"
#include "common/messages.h"
#include "daemon/generation.h"

static const char *const state_names[] = { "resting", "starting", "ready",
	"draining" };

/* Too large for a stack, and one at a time is enough. */
static struct frame_packet packet;

const char *
process_state_name(enum process_state state)
{
	return state_names[state];
}

static void
log_state(const struct process *p)
{
	struct log_line l;

	log_begin(&l, LOG_IS_DEBUG, "process");
	log_text(&l, "state", state_names[p->state]);
	log_text(&l, "role", role_name(p->role));
	log_number(&l, "index", p->index);
	log_number(&l, "generation", p->generation->number);
	log_number(&l, "child", p->pid);
	log_end(&l);
}

void
process_set_state(struct process *p, enum process_state state)
{
	static const bool legal[4][4] = {
		[PROCESS_RESTING] = { [PROCESS_STARTING] = true },
		[PROCESS_STARTING] = { [PROCESS_RESTING] = true,
		    [PROCESS_READY] = true,
		    [PROCESS_DRAINING] = true },
		[PROCESS_READY] = { [PROCESS_RESTING] = true,
		    [PROCESS_DRAINING] = true },
		[PROCESS_DRAINING] = { [PROCESS_RESTING] = true },
	};

	if (p->state == state)
		return;
	if (!legal[p->state][state])
		fatal("%s goes from %s to %s", role_name(p->role),
		    state_names[p->state], state_names[state]);
	p->state = state;
	log_state(p);
}

/*
 * A turn allocates and frees the same few sizes for many sessions, and a TLS
 * handshake hundreds: of each size more are kept for the next than glibc's
 * seven. Who has set something is not overruled; other C libraries ignore it.
 */
static void
tune_malloc(void)
{
	setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=127", 0);
}

/* Between fork and exec: never returns. */
static _Noreturn void
become_child(const struct process *p, const char *program, int control)
{
	const struct identity *id = &p->generation->identities[p->role];
	char *const argv[] = { (char *)program, NULL };
	sigset_t none;
	int error;

	/* Above 3 first, so that dup2() always clears close-on-exec. */
	control = fcntl(control, F_DUPFD_CLOEXEC, 10);
	if (control >= 0 && dup2(control, CHILD_CONTROL_FD) >= 0 &&
	    close_range(CHILD_CONTROL_FD + 1, ~0U, 0) == 0 &&
	    identity_take(id) == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGTERM, SIG_DFL);
		signal(SIGHUP, SIG_DFL);
		signal(SIGCHLD, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		tune_malloc();
		execv(program, argv);
	}
	error = errno;
	dprintf(STDERR_FILENO, "waybilld: %s cannot be started%s%s: %s%s\n",
	    program, id->change ? " as " : "", id->user, strerror(error),
	    error == EACCES
		? "; is every directory of its path open to that user?"
		: "");
	_exit(127);
}

static int
send_start(struct process *p, const struct lasting *lasting)
{
	struct frame_head head = { .type = MSG_CHILD_START };
	struct child_fd fds[CHILD_FDS_MAX];
	struct wire_out body = { 0 };
	int numbers[CHILD_FDS_MAX], status;
	size_t n;

	n = generation_fds(p->generation, lasting, p->role, fds);
	wire_begin(&body);
	wire_put_u32(&body, p->generation->number);
	wire_put_u32(&body, p->index);
	wire_put_u16(&body, (uint16_t)n);
	for (size_t i = 0; i < n; i++) {
		wire_put_text(&body, fds[i].name);
		numbers[i] = fds[i].fd;
	}
	status = frame_send(p->control, &head, &body, numbers, n);
	wire_free(&body);
	return status;
}

static void
stop_listening_to(struct process *p)
{
	if (p->readable != NULL)
		event_free(p->readable);
	p->readable = NULL;
	if (p->control >= 0)
		close(p->control);
	p->control = -1;
}

static void
on_control(evutil_socket_t fd, short what, void *arg)
{
	struct process *p = arg;
	int got;

	(void)what;
	got = frame_receive((int)fd, &packet);
	if (got == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		/*
		 * Its end is seen by SIGCHLD; a reset is its end with an order
		 * that it did not read.
		 */
		if (got == -1 && errno != ECONNRESET && p->pid > 0) {
			log_error("control", "%s %u: %s; killing it",
			    role_name(p->role), p->index, strerror(errno));
			kill(p->pid, SIGKILL);
		}
		stop_listening_to(p);
		supervisor_deaf(p);
		return;
	}
	while (packet.fd_count > 0)
		close(packet.fds[--packet.fd_count]);
	supervisor_heard(p, &packet);
}

/* Returns the child's pid, or -1 with errno; the channel is in *control. */
static pid_t
fork_child(const struct process *p, const char *program, int *control)
{
	sigset_t all, before;
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	/* A signal in the child before its exec would run our handlers. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (pid == 0)
		become_child(p, program, pair[1]);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (pid < 0) {
		close(pair[0]);
		return -1;
	}
	*control = pair[0];
	evutil_make_socket_nonblocking(pair[0]);
	return pid;
}

int
process_start(
    struct process *p, struct event_base *base, const struct lasting *lasting)
{
	char program[PATH_MAX + 64];

	if (role_program(p->role, program, sizeof(program)) < 0) {
		log_error("no-program",
		    "%s is missing; install it, or set "
		    "WAYBILL_LIBEXEC to its directory",
		    program);
		return -1;
	}
	p->pid = fork_child(p, program, &p->control);
	if (p->pid < 0) {
		log_error("no-process", "%s: %s", program, strerror(errno));
		p->pid = 0;
		return -1;
	}
	p->started = clock_ms();
	process_set_state(p, PROCESS_STARTING);
	p->readable =
	    event_new(base, p->control, EV_READ | EV_PERSIST, on_control, p);
	if (p->readable == NULL || event_add(p->readable, NULL) != 0)
		fatal("out of memory");
	if (send_start(p, lasting) < 0) {
		/* It would wait for ever: better it is started once more. */
		log_error("control", "%s %u was told nothing: %s; killing it",
		    role_name(p->role), p->index, strerror(errno));
		kill(p->pid, SIGKILL);
	}
	return 0;
}

static void
say(struct process *p, const struct frame_head *head,
    const struct wire_out *body, const int *fds, size_t count)
{
	if (p->control < 0 ||
	    frame_send(p->control, head, body, fds, count) == 0)
		return;
	if (errno != EPIPE && errno != ECONNRESET)
		log_warning("control", "%s did not reach %s %u: %s",
		    message_name(head->type), role_name(p->role), p->index,
		    strerror(errno));
}

void
process_say(
    struct process *p, unsigned type, uint64_t id, const struct wire_out *body)
{
	struct frame_head head = { .type = type, .id = id };

	say(p, &head, body, NULL, 0);
}

void
process_snapshot(struct process *p)
{
	static const char *const names[] = { "snapshot", "log" };
	struct frame_head head = { .type = MSG_CHILD_SNAPSHOT };
	const int fds[] = { p->generation->snapshot, p->generation->log };
	size_t count = fds[1] >= 0 ? 2 : 1;
	struct wire_out body = { 0 };

	wire_begin(&body);
	wire_put_u16(&body, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		wire_put_text(&body, names[i]);
	say(p, &head, &body, fds, count);
	wire_free(&body);
}

void
process_drain(struct process *p, uint64_t ms)
{
	struct wire_out body = { 0 };

	process_set_state(p, PROCESS_DRAINING);
	wire_begin(&body);
	wire_put_u64(&body, ms);
	process_say(p, MSG_CHILD_DRAIN, 0, &body);
	wire_free(&body);
}

void
process_ended(struct process *p)
{
	stop_listening_to(p);
	free(p->status);
	p->status = NULL;
	p->asked = 0;
	p->pid = 0;
	process_set_state(p, PROCESS_RESTING);
}

void
process_free(struct process *p)
{
	stop_listening_to(p);
	if (p->timer != NULL)
		event_free(p->timer);
	free(p->status);
	generation_release(p->generation);
	free(p);
}
