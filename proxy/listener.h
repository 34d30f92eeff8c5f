/*
 * The listening sockets that waybilld bound and every worker shares.
 */
#ifndef PROXY_LISTENER_H
#define PROXY_LISTENER_H

struct child_start;
struct worker;

/* Take the sockets "listen.TITLE" out of start; do not accept yet. */
void listener_take(struct worker *, struct child_start *);

/* Accept, and stop for ever. */
void listener_begin(struct worker *);
void listener_stop(void);

#endif
