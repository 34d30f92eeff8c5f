/*
 * One child: forked and executed, watched over its control channel. What its
 * words and its end mean is decided elsewhere (supervisor.h).
 */
#ifndef DAEMON_PROCESS_H
#define DAEMON_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "common/wire.h"
#include "daemon/role.h"

struct event;
struct event_base;
struct frame_packet;
struct generation;
struct lasting;
struct supervisor;

enum process_state {
	PROCESS_RESTING,  /* not running; a timer may start it again */
	PROCESS_STARTING, /* runs, has not said yet that it serves */
	PROCESS_READY,
	PROCESS_DRAINING
};

struct process {
	TAILQ_ENTRY(process) next;
	struct supervisor *supervisor;
	struct generation *generation; /* held */
	enum role role;
	uint32_t index;
	enum process_state state;
	pid_t pid;
	int control;
	struct event *readable;
	struct event *timer; /* restart, or too long in a state */
	uint64_t started;    /* monotonic ms */
	unsigned restarts;
	unsigned pause_ms; /* before the next restart */
	char *status;	   /* the last CHILD_STATUS_IS, or NULL */
	uint64_t asked;	   /* id of the CHILD_STATUS it owes */
};

/* Text of a state, for status and log. */
const char *process_state_name(enum process_state);

/* The only place where a state changes. */
void process_set_state(struct process *, enum process_state);

/*
 * Fork, execute, and send CHILD_START. Returns 0, or -1 after a log line. The
 * process is in PROCESS_STARTING then.
 */
int process_start(struct process *, struct event_base *, const struct lasting *)
    __attribute__((warn_unused_result));

/* Say something to it. What it cannot take now is logged and lost. */
void process_say(
    struct process *, unsigned type, uint64_t id, const struct wire_out *body);

/* CHILD_SNAPSHOT: the configuration and log file of its generation. */
void process_snapshot(struct process *);

/* CHILD_DRAIN: end within ms. */
void process_drain(struct process *, uint64_t ms);

/* It has been waited for: close what belonged to the running one. */
void process_ended(struct process *);

void process_free(struct process *);

/* Handed up by process.c, see supervisor.c. */
void supervisor_heard(struct process *, struct frame_packet *);
/* It closed its channel: it is ending, or must be made to. */
void supervisor_deaf(struct process *);

#endif
