/*
 * Fuzzes the server's side of MTQP (RFC 3887): the first octet says where to
 * split, the second how the process answers; splitting must make no
 * difference, and every answer must be one that our client can read.
 */
#include "track/mtqp_session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static const char body[] = "Content-Type: x\r\n\r\n.\r\n..dots\r\n";

/* What is looked up was well-formed, and short enough. */
static void
check_look_up(const struct mtqp_session *s)
{
	const char *start;

	MUST(strlen(s->envid) <= ENVID_MAX);
	MUST(mtqp_envid_trim(s->envid, strlen(s->envid), &start) > 0);
	MUST(s->security != MTQP_WEAK);
	MUST(s->security == MTQP_SECURE || !s->rules->tls_required);
}

static void
answer_look_up(struct mtqp_session *s, unsigned how)
{
	check_look_up(s);
	if (how % 3 == 0)
		mtqp_session_found(s, body, sizeof(body) - 1);
	else
		mtqp_session_refuse(
		    s, how % 3 == 1 ? MTQP_NOINFO : MTQP_TEMPORARY);
}

static void
answer_tls(struct mtqp_session *s, unsigned how, size_t unread)
{
	MUST(mtqp_is_domain(s->domain, strlen(s->domain)));
	MUST(s->security == MTQP_CLEAR && s->rules->tls);
	if (how % 4 == 3)
		mtqp_session_tls_refuse(s);
	else if (mtqp_session_tls_begin(s, how & 8 ? 0 : unread) == 0)
		mtqp_session_tls_done(s, how % 2 == 0);
}

static void
play(struct mtqp_session *s, const uint8_t *in, size_t len, size_t split,
    unsigned how)
{
	size_t used = 0;

	while (used < len && s->effect != MTQP_CLOSE) {
		size_t end = used < split ? split : len;

		used += mtqp_session_feed(s, in + used, end - used);
		if (s->effect == MTQP_LOOK_UP)
			answer_look_up(s, how);
		else if (s->effect == MTQP_START_TLS)
			answer_tls(s, how >> 2, len - used);
		else
			MUST(used == end || s->effect == MTQP_CLOSE);
	}
}

static void
check_answers(const struct buffer *out)
{
	const uint8_t *at = buffer_at(out);
	size_t len = buffer_len(out);

	while (len > 0) {
		struct mtqp_response r;
		size_t used;

		mtqp_response_init(&r, sizeof(body));
		used = mtqp_response_feed(&r, at, len);
		MUST(r.complete && r.error == MTQP_RESPONSE_OK);
		at += used;
		len -= used;
		mtqp_response_free(&r);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtqp_rules rules = { .hostname = "t.example", .bad_max = 40 };
	struct mtqp_session whole, parts;
	unsigned how;

	if (size < 3)
		return 0;
	how = data[1];
	rules.tls = (data[2] & 1) != 0;
	rules.tls_required = (data[2] & 2) != 0;
	rules.commands_max = data[2] >> 4;
	mtqp_session_start(&whole, &rules, NULL);
	mtqp_session_start(&parts, &rules, NULL);
	play(&whole, data + 3, size - 3, 0, how);
	play(&parts, data + 3, size - 3, data[0] < size - 3 ? data[0] : 0, how);
	MUST(whole.effect == parts.effect);
	MUST(whole.security == parts.security);
	MUST(buffer_len(&whole.out) == buffer_len(&parts.out));
	MUST(memcmp(buffer_at(&whole.out), buffer_at(&parts.out),
		 buffer_len(&whole.out)) == 0);
	check_answers(&whole.out);
	mtqp_session_free(&whole);
	mtqp_session_free(&parts);
	return 0;
}
