/*
 * SIGHUP: a new generation beside the old one, which leaves only when the new
 * one serves. A bad configuration changes nothing.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

#include <stdbool.h>

struct generation;
struct supervisor;

/*
 * Read the configuration and start a generation from it. The outcome is
 * logged and told to operators that wait for it.
 */
void reload_begin(struct supervisor *);

/* A process serves: is the new generation complete? */
void reload_proceed(struct supervisor *);

/* A process of this generation ended for good. */
void reload_lost(struct supervisor *, const struct generation *);

/* Is that the generation of a reload that is under way? */
bool reload_is_of(const struct supervisor *, const struct generation *);

/* Give up a reload that is under way, if one is. */
void reload_abandon(struct supervisor *, const char *why);

#endif
