/*
 * The bodies that proxy and waybill-auth exchange (RFC 4954, RFC 4422).
 */
#include "common/auth_messages.h"

#include <string.h>

void
auth_begin_put(struct wire_out *out, const struct auth_begin *begin)
{
	wire_put_u64(out, begin->session);
	wire_put_text(out, begin->mechanism);
	wire_put_u8(out, begin->tls);
	wire_put_text(out, begin->client);
	wire_put_text(out, begin->server);
	wire_put_u8(out, begin->has_initial);
	wire_put_octets(out, begin->initial.data, begin->initial.len);
}

void
auth_begin_get(struct wire_in *in, struct auth_begin *begin)
{
	begin->session = wire_get_u64(in);
	wire_get_text(in, begin->mechanism, sizeof(begin->mechanism));
	begin->tls = wire_get_u8(in);
	wire_get_text(in, begin->client, sizeof(begin->client));
	wire_get_text(in, begin->server, sizeof(begin->server));
	begin->has_initial = wire_get_u8(in);
	begin->initial = wire_get_octets(in, AUTH_RESPONSE_MAX);
	if (begin->tls > 1 || begin->has_initial > 1 ||
	    (begin->has_initial == 0 && begin->initial.len > 0))
		in->failed = true;
}

void
auth_verdict_put(struct wire_out *out, const struct auth_verdict *verdict)
{
	wire_put_u8(out, verdict->result);
	wire_put_text(out, verdict->login);
	wire_put_text(out, verdict->reason);
	wire_put_octets(out, verdict->last.data, verdict->last.len);
	if (verdict->result == AUTH_OK)
		ticket_put(out, &verdict->ticket);
}

void
auth_verdict_get(struct wire_in *in, struct auth_verdict *verdict)
{
	/* All of a verdict stays within its bound; see AUTH_VERDICT. */
	enum { LAST_MAX = 2048 };

	verdict->result = wire_get_u8(in);
	wire_get_text(in, verdict->login, sizeof(verdict->login));
	wire_get_text(in, verdict->reason, sizeof(verdict->reason));
	verdict->last = wire_get_octets(in, LAST_MAX);
	memset(&verdict->ticket, 0, sizeof(verdict->ticket));
	if (verdict->result > AUTH_TRANSITION)
		in->failed = true;
	if (!in->failed && verdict->result == AUTH_OK)
		ticket_get(in, &verdict->ticket);
}
