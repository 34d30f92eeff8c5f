/*
 * Time that never runs back, for ENVIDs that never repeat (RFC 3885 3.2).
 */
#include "secrets/timeline.h"

void
timeline_start(
    struct timeline *tl, uint64_t reserved, bool doubted, uint64_t now)
{
	tl->time = reserved;
	tl->counter = TIMELINE_COUNTERS - 1;
	tl->reserved = reserved;
	tl->seen = reserved != 0 ? reserved : now;
	tl->doubted = doubted;
	timeline_watch(tl, now);
}

void
timeline_next(struct timeline *tl, uint64_t now)
{
	if (now > tl->time) {
		tl->time = now;
		tl->counter = 0;
	} else if (tl->counter + 1 < TIMELINE_COUNTERS) {
		tl->counter++;
	} else {
		tl->time++;
		tl->counter = 0;
	}
}

bool
timeline_covers(const struct timeline *tl, uint64_t time)
{
	return time <= tl->reserved;
}

uint64_t
timeline_wants(const struct timeline *tl, uint64_t now)
{
	uint64_t highest = now > tl->time ? now : tl->time;

	if (highest + TIMELINE_AHEAD_MS / 2 <= tl->reserved)
		return 0;
	return highest + TIMELINE_AHEAD_MS;
}

void
timeline_reserve(struct timeline *tl, uint64_t reserved)
{
	if (reserved > tl->reserved)
		tl->reserved = reserved;
}

bool
timeline_watch(struct timeline *tl, uint64_t now)
{
	bool leapt = now > tl->seen + TIMELINE_DAY_MS && !tl->doubted;

	if (leapt)
		tl->doubted = true;
	if (now > tl->seen)
		tl->seen = now;
	return leapt;
}
