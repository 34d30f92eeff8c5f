/*
 * Where the reading of a log stands, kept durably: written, synced and put in
 * place at once, so that whoever is killed goes on where this says.
 */
#ifndef TRACK_FOLLOW_RECORD_H
#define TRACK_FOLLOW_RECORD_H

#include <stdbool.h>
#include <stdint.h>

enum { FOLLOW_FINGERPRINT = 32, FOLLOW_CURSOR_MAX = 512 };

/* Zero is the start of whatever is there. */
struct follow_record {
	uint64_t device;
	uint64_t inode;
	uint64_t offset; /* of the first line that was not done with */
	bool has_first;	 /* a first line has been seen whole */
	uint8_t first[FOLLOW_FINGERPRINT];  /* SHA-256 of it */
	char cursor[FOLLOW_CURSOR_MAX + 1]; /* of the journal, or "" */
};

/* Returns 0, or -1 with errno; what was there stays if it fails. */
int follow_record_write(const char *path, const struct follow_record *)
    __attribute__((warn_unused_result));

/*
 * Returns 0, with a zero record where there is no file, or -1 with errno:
 * EBADMSG for a file that is no record.
 */
int follow_record_read(const char *path, struct follow_record *)
    __attribute__((warn_unused_result));

#endif
