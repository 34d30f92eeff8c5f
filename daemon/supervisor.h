/*
 * What waybilld knows: its children and what they are given. Which of them
 * run is decided here; reload.c, stop.c and growth.c change the decision.
 */
#ifndef DAEMON_SUPERVISOR_H
#define DAEMON_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "daemon/generation.h"
#include "daemon/process.h"

struct event;
struct event_base;
struct link;
struct operator_door;
struct reload;

TAILQ_HEAD(process_list, process);

/* In the order in which they end: tracker and feed with the proxies. */
enum stop_step { STOP_NOT, STOP_PROXIES, STOP_AUTH, STOP_KEEPER, STOP_DONE };

struct supervisor {
	struct event_base *base;
	const char *file; /* the configuration's */
	char *run_dir;
	struct lasting lasting;
	struct generation *current;
	uint32_t last_number; /* of a generation */
	struct process_list processes;
	struct event *first; /* the keeper's head start ends */
	bool all_started;
	bool ready;
	struct event *growth;
	struct link *auth_probe; /* asked at the last look, or NULL */
	struct reload *reload;	 /* under way, or NULL */
	enum stop_step stop;
	unsigned stop_orders;
	uint64_t started;
	struct operator_door *operators;
};

/* Start the keeper, and the others when it serves or had 3 s to. */
void supervisor_start(struct supervisor *);

/* SIGCHLD: wait for whoever ended, and start again who is needed. */
void supervisor_reap(struct supervisor *);

/*
 * A process of generation, started at once (or soon, where that fails).
 * Never NULL.
 */
struct process *supervisor_add(
    struct supervisor *, enum role, uint32_t index, struct generation *);

/* All processes of a generation but the keeper. */
void supervisor_add_generation(struct supervisor *, struct generation *);

/* Let it end within ms, and kill it if it is still there after kill_ms. */
void supervisor_drain(struct process *, uint64_t ms, uint64_t kill_ms);

/* How many there are; generation NULL: of all. */
unsigned supervisor_count(
    const struct supervisor *, enum role, const struct generation *);

/*
 * Does every process of the generation serve that mail needs? The keeper is
 * of no generation, and mail goes on without tracker and feed.
 */
bool supervisor_serves(const struct supervisor *, const struct generation *);

void supervisor_free(struct supervisor *);

/* growth.c: more auth workers while callers wait at their door. */
void growth_start(struct supervisor *);
void growth_stop(struct supervisor *);

/* stop.c: SIGTERM, SIGINT and waybillctl stop; each repetition is shorter. */
void stop_order(struct supervisor *);
/* Go on to the next step where this one's processes are gone. */
void stop_proceed(struct supervisor *);

#endif
