/*
 * The listening TCP sockets of a process: lets clients in, some a turn, and
 * waits where there is no descriptor for the next one; some are left free
 * for what those are served with.
 */
#ifndef COMMON_CLIENTS_H
#define COMMON_CLIENTS_H

#include <sys/socket.h>

struct event_base;

enum { CLIENTS_SOCKETS_MAX = 100 };

/* A client connected: fd, which does not block, is the callee's. */
typedef void clients_fn(void *arg, int fd, const struct sockaddr_storage *peer);

/* Take over fd, a listening socket; do not accept yet. */
void clients_listen(struct event_base *, int fd, clients_fn *, void *arg);

/* As many descriptors as the system lets this process have. */
void clients_open_files(void);

/* Accept on all of them, and stop for ever. */
void clients_begin(void);
void clients_stop(void);

#endif
