/*
 * The export format of systemd's journal (journalctl -o export): fields that
 * the journal itself vouches for begin with "_", so that here, other than in
 * a file, no user can speak for the MSA.
 */
#ifndef TRACK_JOURNAL_H
#define TRACK_JOURNAL_H

#include <stddef.h>
#include <sys/types.h>

#include "common/wire.h"
#include "track/follow_record.h"
#include "track/syslog_line.h"

enum { JOURNAL_FIELD_MAX = 65536 };

struct journal;

/* One entry; its texts live as long as the call. */
typedef void
journal_entry(void *, const struct syslog_line *, const char *cursor);

/*
 * Entries count only from processes of root and of uid (the MSA's). NULL
 * without memory.
 */
struct journal *journal_new(uid_t uid, journal_entry *, void *)
    __attribute__((warn_unused_result));
void journal_free(struct journal *);

/*
 * Take one field, or the end of an entry, from what was read: returns the
 * octets it took, 0 where more is needed first. It never needs more than
 * JOURNAL_FIELD_MAX and some.
 */
size_t journal_take(struct journal *, struct octets);

/* Entries of other users, and ones without what a line of a log has. */
uint64_t journal_refused(const struct journal *);

#endif
