/*
 * One proxy process: what all of its sessions share.
 */
#ifndef PROXY_WORKER_H
#define PROXY_WORKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event.h>
#include <openssl/ssl.h>

#include "common/status.h"
#include "conf/conf.h"
#include "proxy/ehlo.h"
#include "proxy/keeper.h"
#include "proxy/resolve.h"

struct penalties;
struct probe;
struct session;

enum { WORKER_BUCKETS = 4096 }; /* of the table of sessions */

LIST_HEAD(session_bucket, session);

struct worker {
	struct event_base *base;
	struct conf *conf;
	SSL_CTX *tls;	     /* towards clients */
	SSL_CTX *msa_tls;    /* towards the MSA, or NULL */
	struct resolve *msa; /* addresses of the MSA */
	struct probe *probe;
	struct msa_caps caps; /* of the MSA, as last seen */
	bool caps_known;
	char auth_path[128];   /* the door of waybill-auth */
	char mechanisms[1024]; /* what it offers under TLS */
	struct penalties *penalties;
	struct keeper keeper;
	struct status_view view; /* of who asks by XMTRK SHOW */
	struct session_bucket sessions[WORKER_BUCKETS];
	size_t session_count;
	uint64_t total_sessions;
	uint64_t total_messages;
	bool draining;
	bool more_comes; /* of a large message, of which this turn read much */
};

#endif
