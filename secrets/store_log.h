/*
 * A strict reader of RocksDB's log files, for what its own recovery lets
 * pass: damage that looks like an early end of the log.
 */
#ifndef SECRETS_STORE_LOG_H
#define SECRETS_STORE_LOG_H

#include <stddef.h>
#include <stdint.h>

/* The tail of the newest log, where a crash tore it. */
struct store_log {
	uint64_t torn; /* octets that are not whole; 0: none */
	size_t at;     /* where they begin */
	char file[256];
};

/*
 * Check the log files of the store at path. A tail that is not whole is what
 * a crash leaves. Anything that is not whole with a whole record after it is
 * damage. Returns 0, or -1 with file, offset and cure in why.
 */
int
store_log_check(const char *path, struct store_log *, char *why, size_t size);

#endif
