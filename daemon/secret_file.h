/*
 * Memory that is handed to children as descriptors: keys drawn here, copies
 * of files that only waybilld can read, and what the proxies share.
 */
#ifndef DAEMON_SECRET_FILE_H
#define DAEMON_SECRET_FILE_H

#include <stddef.h>

/* A sealed memfd of len random octets; -1 with errno. */
int secret_file_random(const char *name, size_t len)
    __attribute__((warn_unused_result));

/* A memfd of len zeroes that can be written but not resized; -1 with errno. */
int secret_file_shared(const char *name, size_t len)
    __attribute__((warn_unused_result));

/* A sealed memfd copy of a file of at most 1 MiB; -1 with errno. */
int secret_file_copy(const char *name, const char *path)
    __attribute__((warn_unused_result));

#endif
