/*
 * DATA (RFC 5321 4.1.1.4): the message through scanner, header and stuffing
 * to the MSA, its end, the reply to it, and the line in the log.
 */
#include "proxy/message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/log.h"
#include "proxy/msa.h"
#include "proxy/received.h"
#include "proxy/session.h"
#include "proxy/worker.h"

enum { LARGE_READ = 16 * 1024 }; /* a full record of TLS (RFC 8446 5.1) */

/*
 * What stands behind DATA before its reply would be commands if the reply is
 * no 354, and nobody knows who wrote them (RFC 2920 3.1: DATA comes last).
 */
bool
message_is_pipelined(struct session *s)
{
	struct log_line l;
	size_t behind;

	stream_input(s->client, &behind);
	if (behind == 0)
		return false;
	log_begin(&l, LOG_IS_WARNING, "pipelining");
	log_session(&l, s->id);
	log_text(&l, "user", s->ticket.account);
	log_text(&l, "client", s->address);
	log_text(&l, "reason", "octets behind DATA before its reply");
	log_end(&l);
	upstream_drop(s);
	session_bye(s, "554 5.5.0 Data sent before the reply to DATA");
	return true;
}

void
message_data(struct session *s, const char *args, size_t len)
{
	static const char need_rcpt[] = "503 5.5.1 Need RCPT first\r\n";
	static const char broken[] = "451 4.4.2 The mail server was lost, "
				     "start over with RSET\r\n";

	(void)args;
	(void)len;
	if (s->state == SESSION_BROKEN) {
		replies_own(&s->replies, s->client, broken, sizeof(broken) - 1);
	} else if (s->mail->rcpt_count == 0) {
		replies_own(
		    &s->replies, s->client, need_rcpt, sizeof(need_rcpt) - 1);
		s->bad_commands++;
	} else {
		session_enter(s, SESSION_DATA_ASKED);
		upstream_send(s, REPLY_TO_DATA, "DATA\r\n", 6);
	}
}

static void
message_put_received(struct session *s)
{
	const struct conf_msa *conf = &s->w->conf->msa;
	SSL *ssl = stream_ssl(s->client);
	char field[RECEIVED_MAX + 1];
	struct received_info info = {
		.helo = s->helo,
		.addr = s->address,
		.login = conf->show_login ? s->ticket.account : NULL,
		.hostname = s->w->conf->hostname,
		.cipher = ssl == NULL
		    ? NULL
		    : SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)),
		.envid = s->mail->envid[0] == '\0' ? NULL : s->mail->envid,
		.authenticated = true,
		.smtputf8 = (s->mail->params.given & PARAM_SMTPUTF8) != 0,
		.when = time(NULL),
	};

	/* With XCLIENT the MSA writes the field as if the client were ours. */
	if (conf->identity != CONF_IDENTITY_NONE)
		return;
	stream_write(msa_stream(s->msa), field, received_write(&info, field));
}

static const char *
message_make_id(void *arg)
{
	struct session *s = arg;
	struct transaction_body *b = s->mail->body;
	unsigned char drawn[15]; /* no secret */
	char text[BASE64_LEN(sizeof(drawn)) + 1];

	if (RAND_bytes(drawn, sizeof(drawn)) != 1)
		fatal("the system has no random octets");
	codec_base64url_encode(drawn, sizeof(drawn), text);
	snprintf(b->message_id, sizeof(b->message_id),
	    "Message-ID: <%s@%s>\r\n", text, s->w->conf->hostname);
	return b->message_id;
}

void
message_begin(struct session *s)
{
	struct transaction_body *b = transaction_begin_body(s->mail);

	b->since = clock_ms();
	session_enter(s, SESSION_DATA);
	data_scan_init(&b->scan);
	data_stuff_init(&b->stuff);
	b->message_id[0] = '\0';
	header_init(&b->header, message_make_id, s);
	message_put_received(s);
}

/* Canonical text: through the header, stuffed, to the MSA. */
static void
message_pass(struct session *s, struct data_span *text)
{
	struct transaction_body *b = s->mail->body;
	struct stream *msa = msa_stream(s->msa);
	struct data_span part;

	while (header_next(&b->header, text, &part)) {
		if (data_wants_dot(&b->stuff, part.at, part.len))
			stream_write(msa, ".", 1);
		stream_write(msa, part.at, part.len);
	}
}

/* Make a string in to of as much of text as size has room for. */
static void
message_keep(char *to, size_t size, const char *text, size_t len)
{
	len = strnlen(text, len < size ? len : size - 1);
	memcpy(to, text, len);
	to[len] = '\0';
}

/* The id a user will look for: the client's, or the one we added. */
static void
message_note_id(struct transaction *t)
{
	struct transaction_body *b = t->body;
	const char *ours = strchr(b->message_id, '<');

	if (ours == NULL)
		message_keep(t->message_id, sizeof(t->message_id),
		    b->header.message_id.text, b->header.message_id.len);
	else
		message_keep(t->message_id, sizeof(t->message_id), ours,
		    strcspn(ours, "\r"));
}

/* CRLF.CRLF came: the message is whole, and so shall the MSA have it. */
static void
message_ended(struct session *s)
{
	static const char bare[] = "550 5.6.0 Bare CR or LF in the message\r\n";
	struct transaction_body *b = s->mail->body;
	struct data_span rest = { NULL, 0 };
	struct stream *msa = msa_stream(s->msa);

	if (b->scan.saw_bare &&
	    s->w->conf->limits.bare_newline == CONF_BARE_NEWLINE_REJECT) {
		upstream_drop(s);
		message_refuse(s, bare, sizeof(bare) - 1);
		return;
	}
	header_finish(&b->header);
	message_pass(s, &rest);
	message_note_id(s->mail);
	stream_commit(
	    msa, data_stuff_end(&b->stuff, stream_reserve(msa, DATA_END_MAX)));
	tracking_describe(s);
	session_enter(s, SESSION_ENDED);
	replies_expect(&s->replies, REPLY_TO_END);
	msa_wait(s->msa, (uint64_t)s->w->conf->msa.end_timeout);
}

static void
message_log(const struct session *s, const char *event, bool stored)
{
	const struct transaction *t = s->mail;
	struct log_line l;

	log_begin(&l, LOG_IS_INFO, event);
	log_session(&l, s->id);
	log_text(&l, "user", s->ticket.account);
	log_text(&l, "client", s->address);
	log_text(&l, "tls", s->tls);
	log_octets(&l, "from",
	    (struct octets){ (const uint8_t *)t->params.from.whole.at,
		t->params.from.whole.len });
	log_number(&l, "accepted", (int64_t)t->accepted);
	log_number(&l, "refused", (int64_t)(t->rcpt_count - t->accepted));
	log_number(&l, "size", (int64_t)t->body->scan.out);
	log_text(&l, "envid", t->envid);
	log_text(&l, "message_id", t->message_id);
	log_text(&l, "mtrk", t->mtrk_sent ? "yes" : "no");
	log_text(&l, "vault", stored ? "stored" : "no");
	log_number(&l, "code", t->code);
	log_text(&l, "reply", t->reply_text);
	log_text(&l, "queue_id", t->queue_id);
	log_end(&l);
}

void
message_cut(struct session *s, const char *why)
{
	struct transaction *t = s->mail;

	t->code = 0;
	snprintf(t->reply_text, sizeof(t->reply_text), "client: %s", why);
	message_log(s, "message_cut", false);
}

/* What is left of a refused message is eaten; then its reply leaves. */
static void
message_discarded(struct session *s)
{
	struct transaction *t = s->mail;

	message_log(s, "message", false);
	replies_own(&s->replies, s->client, t->early, t->early_len);
	envelope_abandon(s);
	session_enter(s, SESSION_IDLE);
}

void
message_refuse(struct session *s, const char *text, size_t len)
{
	struct transaction *t = s->mail;

	if ((t->early = strndup(text, len)) == NULL)
		fatal("out of memory");
	t->early_len = len;
	reply_stay(t->early);
	t->code = (uint16_t)strtoul(t->early, NULL, 10);
	message_keep(t->reply_text, sizeof(t->reply_text), t->early + 4,
	    strcspn(t->early + 4, "\r\n"));
	upstream_drop(s);
	session_enter(s, SESSION_DISCARD);
	stream_resume(s->client);
	if (t->body->scan.state == DATA_ENDED)
		message_discarded(s);
	else
		session_process(s);
}

/* The MSA takes it too slowly: read no more than it writes. */
static void
message_hold(struct session *s)
{
	stream_pause(s->client);
	stream_set_timeout(s->client, 0);
	msa_wait(s->msa, (uint64_t)s->w->conf->msa.block_timeout);
}

void
message_input(struct session *s)
{
	struct transaction_body *b = s->mail->body;
	struct data_span in, text;
	size_t len;

	in.at = stream_input(s->client, &len);
	in.len = len;
	if (len == 0)
		return;
	if (session_message_left(s) <= 1) {
		session_bye(s, "421 4.4.2 The message takes too long");
		return;
	}
	session_arm(s);
	while (data_scan_next(&b->scan, &in, &text)) {
		if (s->state == SESSION_DATA)
			message_pass(s, &text);
	}
	stream_consume(s->client, len - in.len);
	if (b->scan.state == DATA_ENDED && s->state == SESSION_DATA)
		message_ended(s);
	else if (b->scan.state == DATA_ENDED)
		message_discarded(s);
	else if (s->state == SESSION_DATA &&
	    stream_output_len(msa_stream(s->msa)) >= STREAM_HIGH)
		message_hold(s);
	else if (len >= LARGE_READ)
		s->w->more_comes = true;
}

void
message_replied(struct session *s, const struct reply *reply)
{
	struct transaction *t = s->mail;
	size_t len;
	const char *text = reply_last_text(reply, &len);

	t->code = (uint16_t)reply->code;
	message_keep(t->reply_text, sizeof(t->reply_text), text, len);
	reply_queue_id(reply, t->queue_id, sizeof(t->queue_id));
	t->reply_len = reply->len;
	if ((t->reply = malloc(reply->len + ENVID_MAX + 8)) == NULL)
		fatal("out of memory");
	memcpy(t->reply, reply->text, reply->len + 1);
	reply_stay(t->reply);
	if (reply->code / 100 == 2 && t->envid[0] != '\0' &&
	    t->mint == MINT_DONE && s->w->conf->tracking.announce)
		t->reply_len = reply_append_envid(
		    reply, t->envid, t->reply, reply->len + ENVID_MAX + 8);
	/* Its place in the queue is free: it leaves when it is settled. */
	replies_answer(&s->replies, NULL, NULL, 0);
	session_enter(s, SESSION_SETTLING);
	if (reply->code / 100 == 2 && tracking_settle(s, true))
		return;
	message_finish(s, false);
}

void
message_finish(struct session *s, bool stored)
{
	struct transaction *t = s->mail;

	message_log(s, "message", stored);
	s->w->total_messages++;
	/* Only a 4xx or a 5xx forgets; a lost answer (0) does not. */
	if (t->code >= 400)
		tracking_forget(s);
	else if (t->code != 0)
		s->bad_commands = 0;
	replies_own(&s->replies, s->client, t->reply, t->reply_len);
	transaction_free(t);
	s->mail = NULL;
	if (s->client == NULL) {
		session_free(s);
		return;
	}
	session_enter(s, SESSION_IDLE);
	upstream_arm(s);
	session_process(s);
}
