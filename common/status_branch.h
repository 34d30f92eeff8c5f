/*
 * One final address: what its events come to, and what of them a viewer may
 * see. Only for common/status.c.
 */
#ifndef COMMON_STATUS_BRANCH_H
#define COMMON_STATUS_BRANCH_H

#include "common/status.h"

/* What is more certain stands higher; of equals the later one counts. */
enum certainty {
	KNOWN_NOTHING,
	KNOWN_ACCEPTED, /* the MSA took it, or refused it, at submission */
	KNOWN_QUEUED,	/* seen in its queue */
	KNOWN_WAITING,	/* tried in vain, with the reason */
	KNOWN_RELAYED,
	KNOWN_TRANSFERRED,
	KNOWN_CHAINED, /* the next hop says where it is there */
	KNOWN_FINAL
};

/* The events of one final address. */
struct branch {
	const struct history_event **events; /* by time */
	size_t count;
	const struct history_event **whole; /* what was said of all, by time */
	size_t whole_count;
	const struct history_event *best;
	enum certainty certainty;
	uint8_t action;
	bool attempted; /* is best an attempt? */
	uint64_t last_attempt;
	uint64_t retry_until;
	uint32_t attempts;
};

/* By octets, whatever the letter case. */
int status_compare_addresses(struct octets, struct octets);

/* The final address of an event. */
struct octets status_final(const struct history_event *);

/* Fill the rest of a branch from its events. */
void status_weigh(const struct status_view *, struct branch *);

/* Does it tell of every recipient that was still waiting then? */
bool status_is_whole(const struct history_event *);

/* Go on with events of that kind, by time, if the address still waits. */
void status_weigh_whole(const struct status_view *, struct branch *,
    const struct history_event **, size_t count);

/* An event of the recipient original, without what the viewer must not see. */
struct history_event status_cut_event(const struct status_view *,
    const struct history_event *, struct octets original);

/* The code of the row's action: code itself where the two go together. */
void status_set_code(struct status_row *, const char *code);

#endif
