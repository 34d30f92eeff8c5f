/*
 * Directories of the keeper: made so that a crash does not take them back.
 */
#ifndef SECRETS_DIRECTORY_H
#define SECRETS_DIRECTORY_H

/*
 * Make path (0700) where it is missing, durable in its parent, which must be
 * there. Returns 0, or -1 with errno.
 */
int directory_make(const char *path) __attribute__((warn_unused_result));

#endif
