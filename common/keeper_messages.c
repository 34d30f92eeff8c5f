/*
 * The bodies that proxy and keeper exchange about one message (RFC 3885).
 */
#include "common/keeper_messages.h"

#include <stdlib.h>
#include <string.h>

static void
put_run(struct wire_out *out, struct octets run)
{
	wire_put_octets(out, run.data, run.len);
}

static uint8_t
get_flag(struct wire_in *in)
{
	uint8_t flag = wire_get_u8(in);

	if (flag > 1)
		in->failed = true;
	return flag;
}

static uint8_t
get_status(struct wire_in *in)
{
	uint8_t status = wire_get_u8(in);

	if (status > KEEPER_NO_SECRET)
		in->failed = true;
	return status;
}

void
mint_put(struct wire_out *out, const struct mint *mint)
{
	ticket_put(out, &mint->ticket);
	put_run(out, mint->envid);
	wire_put_u8(out, mint->untracked);
	wire_put_u8(out, mint->own_certifier);
	wire_put_raw(out, mint->certifier, sizeof(mint->certifier));
	wire_put_u32(out, mint->timeout);
}

void
mint_get(struct wire_in *in, struct mint *mint)
{
	ticket_get(in, &mint->ticket);
	mint->envid = wire_get_octets(in, ENVID_MAX);
	mint->untracked = get_flag(in);
	mint->own_certifier = get_flag(in);
	wire_get_raw(in, mint->certifier, sizeof(mint->certifier));
	mint->timeout = wire_get_u32(in);
}

void
minted_put(struct wire_out *out, const struct minted *minted)
{
	wire_put_u8(out, minted->status);
	wire_put_raw(out, minted->handle, sizeof(minted->handle));
	wire_put_text(out, minted->envid);
	wire_put_text(out, minted->certifier);
	wire_put_u32(out, minted->timeout);
}

void
minted_get(struct wire_in *in, struct minted *minted)
{
	minted->status = get_status(in);
	wire_get_raw(in, minted->handle, sizeof(minted->handle));
	wire_get_text(in, minted->envid, sizeof(minted->envid));
	wire_get_text(in, minted->certifier, sizeof(minted->certifier));
	minted->timeout = wire_get_u32(in);
}

static void
recipients_put(
    struct wire_out *out, const struct mail_record *record, bool terse)
{
	struct octets none = { NULL, 0 };

	wire_put_u32(out, record->recipient_count);
	for (uint32_t i = 0; i < record->recipient_count; i++) {
		put_run(out, record->recipients[i].address);
		wire_put_u16(out, record->recipients[i].code);
		put_run(out, terse ? none : record->recipients[i].reply);
	}
}

static void
recipients_get(struct wire_in *in, struct mail_record *record)
{
	/* What a recipient takes at least: two lengths and a code. */
	enum { LEAST = 4 + 2 + 4 };
	uint32_t count = wire_get_u32(in);

	record->recipient_count = 0;
	record->recipients = NULL;
	if (in->failed || count > RECORD_RECIPIENTS_MAX ||
	    count > (size_t)(in->end - in->next) / LEAST) {
		in->failed = true;
		return;
	}
	if (count == 0)
		return;
	record->recipients = calloc(count, sizeof(*record->recipients));
	if (record->recipients == NULL) {
		in->failed = true;
		return;
	}
	record->recipient_count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct mail_recipient *to = &record->recipients[i];

		to->address = wire_get_octets(in, ADDRESS_MAX);
		to->code = wire_get_u16(in);
		to->reply = wire_get_octets(in, REPLY_TEXT_MAX);
	}
}

static void
body_put(struct wire_out *out, const struct mail_record *record, bool terse)
{
	wire_put_raw(out, record->handle, sizeof(record->handle));
	put_run(out, record->envid);
	/* Records of before there was a msa_host go on being read. */
	wire_put_u8(out,
	    record->msa_host.len == 0 ? record->flags
				      : record->flags | MAIL_MSA_HOST);
	wire_put_raw(out, record->certifier, sizeof(record->certifier));
	wire_put_u32(out, record->timeout);
	wire_put_u8(out, record->outcome);
	wire_put_u64(out, record->time);
	put_run(out, record->sender);
	put_run(out, record->message_id);
	put_run(out, record->subject);
	wire_put_u64(out, record->size);
	put_run(out, record->msa);
	if (record->msa_host.len != 0)
		put_run(out, record->msa_host);
	wire_put_u16(out, record->code);
	put_run(out, record->reply);
	put_run(out, record->queue_id);
	recipients_put(out, record, terse);
}

void
mail_body_put(struct wire_out *out, const struct mail_record *record)
{
	body_put(out, record, false);
}

void
mail_body_get(struct wire_in *in, struct mail_record *record)
{
	enum {
		FLAGS = MAIL_MTRK_SENT | MAIL_ENVID_SENT | MAIL_CLIENT_ENVID |
		    MAIL_CLIENT_MTRK | MAIL_UNTRACKED | MAIL_MSA_HOST
	};

	memset(&record->ticket, 0, sizeof(record->ticket));
	wire_get_raw(in, record->handle, sizeof(record->handle));
	record->envid = wire_get_octets(in, ENVID_MAX);
	record->flags = wire_get_u8(in);
	wire_get_raw(in, record->certifier, sizeof(record->certifier));
	record->timeout = wire_get_u32(in);
	record->outcome = wire_get_u8(in);
	record->time = wire_get_u64(in);
	record->sender = wire_get_octets(in, ADDRESS_MAX);
	record->message_id = wire_get_octets(in, MESSAGE_ID_MAX);
	record->subject = wire_get_octets(in, SUBJECT_MAX);
	record->size = wire_get_u64(in);
	record->msa = wire_get_octets(in, MSA_NAME_MAX);
	record->msa_host = (struct octets){ NULL, 0 };
	if ((record->flags & MAIL_MSA_HOST) != 0) {
		record->msa_host = wire_get_octets(in, MSA_NAME_MAX);
		if (record->msa_host.len == 0)
			in->failed = true;
	}
	record->code = wire_get_u16(in);
	record->reply = wire_get_octets(in, REPLY_TEXT_MAX);
	record->queue_id = wire_get_octets(in, QUEUE_ID_MAX);
	if ((record->flags & ~FLAGS) != 0 || record->outcome > OUTCOME_ACCEPTED)
		in->failed = true;
	record->flags &= (uint8_t)~MAIL_MSA_HOST;
	recipients_get(in, record);
}

void
mail_record_put(struct wire_out *out, const struct mail_record *record)
{
	size_t start = out->len;

	if (out->failed)
		return;
	for (int terse = 0; terse < 2; terse++) {
		out->len = start;
		ticket_put(out, &record->ticket);
		body_put(out, record, terse != 0);
		if (out->len - start <= MAIL_RECORD_MAX && !out->failed)
			return;
		out->failed = false;
	}
	out->failed = true;
}

void
mail_record_get(struct wire_in *in, struct mail_record *record)
{
	struct ticket ticket;

	if ((size_t)(in->end - in->next) > MAIL_RECORD_MAX)
		in->failed = true;
	ticket_get(in, &ticket);
	mail_body_get(in, record);
	record->ticket = ticket;
}

void
mail_record_free(struct mail_record *record)
{
	free(record->recipients);
	record->recipients = NULL;
	record->recipient_count = 0;
}

void
list_query_put(struct wire_out *out, const struct list_query *query)
{
	ticket_put(out, &query->ticket);
	wire_put_u64(out, query->since);
	wire_put_u16(out, query->limit);
	put_run(out, query->after);
}

void
list_query_get(struct wire_in *in, struct list_query *query)
{
	ticket_get(in, &query->ticket);
	query->since = wire_get_u64(in);
	query->limit = wire_get_u16(in);
	query->after = wire_get_octets(in, ENVID_MAX);
	if (query->limit < 1 || query->limit > LIST_LIMIT_MAX)
		in->failed = true;
}

void
list_row_put(struct wire_out *out, const struct list_row *row)
{
	put_run(out, row->envid);
	wire_put_u64(out, row->time);
	put_run(out, row->message_id);
	put_run(out, row->recipient);
	wire_put_u32(out, row->recipient_count);
	put_run(out, row->subject);
	wire_put_u64(out, row->size);
	wire_put_u8(out, row->outcome);
}

void
list_row_get(struct wire_in *in, struct list_row *row)
{
	row->envid = wire_get_octets(in, ENVID_MAX);
	row->time = wire_get_u64(in);
	row->message_id = wire_get_octets(in, MESSAGE_ID_MAX);
	row->recipient = wire_get_octets(in, ADDRESS_MAX);
	row->recipient_count = wire_get_u32(in);
	row->subject = wire_get_octets(in, SUBJECT_MAX);
	row->size = wire_get_u64(in);
	row->outcome = wire_get_u8(in);
	if (row->outcome > OUTCOME_ACCEPTED)
		in->failed = true;
}

void
one_query_put(struct wire_out *out, const struct one_query *query)
{
	ticket_put(out, &query->ticket);
	put_run(out, query->id);
	put_run(out, query->client);
}

void
one_query_get(struct wire_in *in, struct one_query *query)
{
	ticket_get(in, &query->ticket);
	query->id = wire_get_octets(in, MESSAGE_ID_MAX);
	query->client = wire_get_octets(in, CLIENT_TEXT_MAX);
}

void
revoke_answer_put(struct wire_out *out, const struct revoke_answer *answer)
{
	wire_put_u8(out, answer->status);
	put_run(out, answer->envid);
	wire_put_u8(out, answer->mtrk_sent);
}

void
revoke_answer_get(struct wire_in *in, struct revoke_answer *answer)
{
	answer->status = get_status(in);
	answer->envid = wire_get_octets(in, ENVID_MAX);
	answer->mtrk_sent = get_flag(in);
}

void
token_answer_put(struct wire_out *out, const struct token_answer *answer)
{
	wire_put_u8(out, answer->status);
	wire_put_u8(out, answer->revoked);
	put_run(out, answer->envid);
	put_run(out, answer->secret);
	wire_put_text(out, answer->certifier);
	wire_put_u64(out, answer->expires);
}

void
token_answer_get(struct wire_in *in, struct token_answer *answer)
{
	answer->status = get_status(in);
	answer->revoked = get_flag(in);
	answer->envid = wire_get_octets(in, ENVID_MAX);
	answer->secret = wire_get_octets(in, SECRET_MAX);
	wire_get_text(in, answer->certifier, sizeof(answer->certifier));
	answer->expires = wire_get_u64(in);
}
