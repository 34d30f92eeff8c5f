/*
 * What proxy and waybill-auth say to each other about one SASL exchange.
 */
#ifndef COMMON_AUTH_MESSAGES_H
#define COMMON_AUTH_MESSAGES_H

#include "common/ticket.h"
#include "common/wire.h"

enum {
	AUTH_RESPONSE_MAX = 12288, /* decoded octets; RFC 4954 4 */
	AUTH_MECHANISM_MAX = 20	   /* RFC 4422 3.1 */
};

struct auth_begin {
	uint64_t session;
	char mechanism[AUTH_MECHANISM_MAX + 1];
	uint8_t tls;	 /* 1: the client's connection has TLS */
	char client[64]; /* address;port as libsasl2 wants it */
	char server[64];
	uint8_t has_initial; /* 1: initial is there, maybe empty */
	struct octets initial;
};

enum auth_result {
	AUTH_OK = 0,
	AUTH_BAD_CREDENTIALS, /* 535 5.7.8 */
	AUTH_BAD_MECHANISM,   /* 504 5.5.4: not offered */
	AUTH_TOO_WEAK,	      /* 534 5.7.9 */
	AUTH_MALFORMED,	      /* 501 5.5.2 */
	AUTH_TEMPORARY,	      /* 454 4.7.0 */
	AUTH_TRANSITION	      /* 432 4.7.12 */
};

struct auth_verdict {
	uint8_t result;		     /* enum auth_result */
	char login[ACCOUNT_MAX + 1]; /* name tried, for the log; may be "" */
	char reason[256];	     /* libsasl2's words, for the log */
	struct octets last;	     /* data that comes with success, or none */
	struct ticket ticket;	     /* with AUTH_OK */
};

void auth_begin_put(struct wire_out *, const struct auth_begin *);
void auth_begin_get(struct wire_in *, struct auth_begin *);
void auth_verdict_put(struct wire_out *, const struct auth_verdict *);
void auth_verdict_get(struct wire_in *, struct auth_verdict *);

#endif
