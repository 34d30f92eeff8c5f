/*
 * What became of a message, event by event (RFC 3886 3.3.3): how an event
 * stands in a message between processes, and in the vault.
 */
#include "common/history.h"

void
history_event_put(struct wire_out *out, const struct history_event *event)
{
	wire_put_u64(out, event->time);
	wire_put_u8(out, event->source);
	wire_put_u8(out, event->action);
	wire_put_text(out, event->status);
	wire_put_octets(out, event->original.data, event->original.len);
	wire_put_octets(out, event->recipient.data, event->recipient.len);
	wire_put_octets(out, event->remote_mta.data, event->remote_mta.len);
	wire_put_octets(
	    out, event->remote_address.data, event->remote_address.len);
	wire_put_octets(out, event->reply.data, event->reply.len);
	wire_put_octets(out, event->tls.data, event->tls.len);
	wire_put_u64(out, event->retry_until);
}

void
history_event_get(struct wire_in *in, struct history_event *event)
{
	event->time = wire_get_u64(in);
	event->source = wire_get_u8(in);
	event->action = wire_get_u8(in);
	if (event->source > SOURCE_CHAIN || event->action > ACTION_FAILED)
		in->failed = true;
	wire_get_text(in, event->status, sizeof(event->status));
	event->original = wire_get_octets(in, EVENT_ADDRESS_MAX);
	event->recipient = wire_get_octets(in, EVENT_ADDRESS_MAX);
	event->remote_mta = wire_get_octets(in, EVENT_HOST_MAX);
	event->remote_address = wire_get_octets(in, EVENT_HOST_MAX);
	event->reply = wire_get_octets(in, EVENT_TEXT_MAX);
	event->tls = wire_get_octets(in, EVENT_TLS_MAX);
	event->retry_until = wire_get_u64(in);
}
