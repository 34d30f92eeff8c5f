/*
 * How a process that serves clients leaves: it waits for its sessions to end,
 * ends them when their time is over, and gives clients a moment to read what
 * was said last.
 */
#ifndef COMMON_DRAIN_H
#define COMMON_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

struct drain_owner {
	size_t (*sessions)(void); /* how many there are */
	/* Many times a second; with late their time is over: end them. */
	void (*tick)(bool late);
	/*
	 * Is there anything else to stay for, late ms after the time was
	 * over? NULL: never.
	 */
	bool (*holds)(uint64_t late);
};

/* Get ready; owner outlives it. fatal() without memory. */
void drain_open(struct event_base *, const struct drain_owner *owner);
/*
 * Leave: sessions have ms from now. A later order changes the time. The caller
 * lets nobody in any more.
 */
void drain_begin(uint64_t ms);
/* Nothing is left to wait for: the process may end. */
bool drain_is_over(void);
void drain_close(void);

#endif
