/*
 * Failed logins for each client address (/64 for IPv6), in memory that all
 * workers of all generations share: who keeps failing is made to wait. Never
 * counted for an account, which others could then lock.
 */
#ifndef PROXY_PENALTIES_H
#define PROXY_PENALTIES_H

#include <stdint.h>

struct penalties;

/* Map fd, a memfd that began as zeros. Returns NULL with errno set. */
struct penalties *penalties_open(int fd);
void penalties_close(struct penalties *);

/* One more failure of address key (addresses_key()); returns how many. */
unsigned penalties_fail(struct penalties *, uint64_t key);

/*
 * How long this address has to wait before it may try, in ms, at most max_ms:
 * nothing for the first two failures, then 500 ms, doubled with each. A
 * failure is forgotten every PENALTIES_FORGET_S seconds.
 */
uint64_t penalties_delay(struct penalties *, uint64_t key, uint64_t max_ms);

enum { PENALTIES_FORGET_S = 60 };

#endif
