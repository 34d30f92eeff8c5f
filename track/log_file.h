/*
 * Which file a log is: known again after rotation by rename, by copy and
 * truncation, and while nobody looked.
 */
#ifndef TRACK_LOG_FILE_H
#define TRACK_LOG_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "track/follow_record.h"

struct log_file {
	int fd;			 /* -1: none */
	bool current;		 /* it has the log's own name */
	struct follow_record at; /* but for offset and cursor */
};

/*
 * Open the file that a record speaks of: the log itself, or what it was
 * rotated to (its name with a suffix of digits, ".", "-"), if that is not
 * compressed. If there is none any more, the oldest of these from its start;
 * with a zero record the log itself: *found is false. fd stays -1 where there
 * is nothing.
 */
void log_file_open(const char *path, const struct follow_record *,
    struct log_file *, bool *found);

/*
 * Open what was written after a file that is read to its end: the next of
 * those it was rotated among, or the log itself.
 */
void
log_file_next(const char *path, const struct log_file *, struct log_file *next);

/* Is another file under the log's own name than this one? */
bool log_file_is_replaced(const char *path, const struct log_file *);

/*
 * Is its start still what it was, and is it as long as offset? Learns what
 * its first line is as soon as that is whole.
 */
bool log_file_is_same(struct log_file *, uint64_t offset);

void log_file_close(struct log_file *);

#endif
