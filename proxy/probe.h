/*
 * What the MSA can do, asked at start, again now and then, and learnt from
 * every connection to it (rule: advertise only what the MSA has).
 */
#ifndef PROXY_PROBE_H
#define PROXY_PROBE_H

struct msa_caps;
struct probe;
struct worker;

/* Ask now, and every msa probe_interval. */
struct probe *probe_start(struct worker *);

/* A connection saw these: keep them, and log a change. */
void probe_note(struct worker *, const struct msa_caps *);

void probe_stop(struct probe *);

#endif
