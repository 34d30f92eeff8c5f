/*
 * How far a feed is, on a terminal.
 */
#include "track/feed_progress.h"

#include <inttypes.h>
#include <stdio.h>

enum { EVERY_MS = 500 };

static size_t
add_number(char *out, size_t at, const char *name, uint64_t number)
{
	static const char *const units[] = { "", "k", "M", "G" };
	double shown = (double)number;
	size_t unit = 0;

	for (; shown >= 100000 && unit < 3; unit++)
		shown /= 1000;
	return at +
	    (size_t)snprintf(out + at, FEED_PROGRESS_MAX - at, "  %.0f%s %s",
		shown, units[unit], name);
}

static void
measure(struct feed_progress *p, uint64_t lines, uint64_t ticks)
{
	double passed = (double)(ticks - p->shown) / 1000;

	p->rate = p->shown != 0 ? (double)(lines - p->lines) / passed : 0;
	p->lines = lines;
	p->shown = ticks;
}

static const char *
state_of(const struct feed_counts *c)
{
	static const char *const texts[] = {
		[FEED_KEEPER_AWAY] = "  waits for the keeper",
		[FEED_KEEPER_SILENT] = "",
		[FEED_KEEPER_SHUTS] = "  not let in",
		[FEED_KEEPER_BUSY] = "  the keeper is busy",
		[FEED_KEEPER_WELL] = "",
	};

	return texts[c->keeper];
}

size_t
feed_progress_line(struct feed_progress *p, const struct feed_counts *c,
    uint64_t ticks, char out[FEED_PROGRESS_MAX])
{
	size_t at = 0;

	if (p->shown != 0 && ticks - p->shown < EVERY_MS)
		return 0;
	measure(p, c->lines, ticks);
	if (c->size > 0)
		at = (size_t)snprintf(out, FEED_PROGRESS_MAX, "%3.0f %%",
		    100 * (double)c->done / (double)c->size);
	at = add_number(out, at, "lines", c->lines);
	at = add_number(out, at, "lines/s", (uint64_t)p->rate);
	at = add_number(out, at, "ours", c->queue.stored + c->queue.full);
	at = add_number(out, at, "not ours", c->queue.foreign);
	at = add_number(out, at, "waiting", c->queue.waiting);
	at = add_number(out, at, "octets behind", c->behind);
	return at +
	    (size_t)snprintf(
		out + at, FEED_PROGRESS_MAX - at, "%s", state_of(c));
}
