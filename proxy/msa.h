/*
 * One connection to the MSA (RFC 5321 3): from TCP over TLS, EHLO and the
 * client's identity to the point where it takes MAIL, and its replies then.
 */
#ifndef PROXY_MSA_H
#define PROXY_MSA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proxy/ehlo.h"
#include "proxy/reply.h"
#include "proxy/xclient.h"

struct msa;
struct stream;
struct worker;

enum msa_event {
	MSA_READY,   /* it takes commands */
	MSA_REPLY,   /* msa_reply() is complete */
	MSA_DRAINED, /* it took what was waiting: STREAM_DRAINED */
	MSA_LATE,    /* the time of msa_wait() is over */
	MSA_LOST     /* it failed us: msa_trouble(); last event */
};

typedef void msa_fn(void *arg, enum msa_event);

/*
 * Dial. client is who the MSA shall take us for (identity "xclient"), and
 * lives as long as the connection; NULL: ourselves. Returns NULL where no
 * address is known or no socket can be had.
 */
struct msa *msa_dial(
    struct worker *, const struct xclient_client *client, msa_fn *, void *arg);

bool msa_is_ready(const struct msa *);
/* What it offers now, and what it offered before it heard of the client. */
const struct msa_caps *msa_caps(const struct msa *);
const struct msa_caps *msa_announced(const struct msa *);
const struct reply *msa_reply(const struct msa *);
const char *msa_trouble(const struct msa *);
/* Where trouble begins with it, the MSA does not take us for the client. */
#define MSA_NO_IDENTITY "identity"

/* Where commands and the message are written to. */
struct stream *msa_stream(struct msa *);

/* MSA_LATE comes ms from now; 0: never. */
void msa_wait(struct msa *, uint64_t ms);

/* End it: with QUIT, or at once, so that an open DATA stays unfinished. */
void msa_quit(struct msa *);
void msa_drop(struct msa *);

#endif
