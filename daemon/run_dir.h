/*
 * Directories that waybilld makes, and the locks in the run directory: one
 * waybilld at a time, and none beside the children of a dead one.
 */
#ifndef DAEMON_RUN_DIR_H
#define DAEMON_RUN_DIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct conf;
struct identity;

/*
 * Make run_dir if it is missing, and take waybilld.lock in it. One where
 * somebody else may write, or may put another directory in its place, is
 * refused. Returns the descriptor to keep open, or
 * -1 with what is wrong and its cure in why.
 */
int run_dir_claim(const char *run_dir, char *why, size_t size)
    __attribute__((warn_unused_result));

/*
 * Take children.lock, whose descriptor every child is given: it is free once
 * all children of an earlier waybilld have left. Waits wait_ms for that (it
 * logs that it does) and goes on without them then. SIGTERM and SIGINT, which
 * must be blocked, end the wait. Returns the descriptor, -1 with why, or -2
 * for the signal.
 */
int run_dir_wait_children(const char *run_dir, uint64_t wait_ms, char *why,
    size_t size) __attribute__((warn_unused_result));

/*
 * Make the directories of vault and keys, mode 0700 and the keeper's, where
 * they are missing. What fails is logged: the keeper will say the rest.
 */
void run_dir_make_vault(const struct conf *, const struct identity *keeper);

/*
 * Make the directory of the state of the feed, where conf has one, mode 0700
 * and the feed's, if it is missing. What fails is logged.
 */
void run_dir_make_feed(const struct conf *, const struct identity *feed);

/*
 * A listening Unix socket in run_dir, mode 0600 and owned by owner, who alone
 * may ask there. Returns the descriptor, or -1 with why.
 */
int run_dir_door(const char *run_dir, const char *name,
    const struct identity *owner, char *why, size_t size)
    __attribute__((warn_unused_result));

#endif
