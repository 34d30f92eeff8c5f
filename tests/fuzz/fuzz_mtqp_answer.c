/*
 * Fuzzes what the tracking client reads of a server (RFC 3887 2.3, 3, 9):
 * responses, where splitting must make no difference, options, and URIs.
 */
#include "common/mtqp_line.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mtqp_uri.h"
#include "tests/fuzz/fuzz.h"

enum { BODY_MAX = 2048 };

static void
check_body(const struct buffer *b)
{
	const uint8_t *at = buffer_at(b);
	size_t len = buffer_len(b), line = 0;

	MUST(len <= BODY_MAX);
	for (size_t i = 0; i < len; i++) {
		MUST(at[i] != '\0');
		if (at[i] == '\n') {
			MUST(i > 0 && at[i - 1] == '\r');
			MUST(i - line <= MTQP_LINE_MAX + 1);
			line = i + 1;
		}
	}
	MUST(line == len);
}

/* A body that was read can be sent again, and is the same. */
static void
check_again(const struct mtqp_response *r)
{
	struct buffer out = { 0 };
	struct mtqp_response again;

	buffer_append(&out, "+OK+\r\n", 6);
	mtqp_stuff(&out, buffer_at(&r->body), buffer_len(&r->body));
	mtqp_response_init(&again, 2 * BODY_MAX);
	MUST(mtqp_response_feed(&again, buffer_at(&out), buffer_len(&out)) ==
	    buffer_len(&out));
	MUST(again.complete);
	MUST(buffer_len(&again.body) >= buffer_len(&r->body));
	mtqp_response_free(&again);
	buffer_free(&out);
}

static void
check_response(const struct mtqp_response *r)
{
	struct octets tls;

	check_body(&r->body);
	if (!r->has_status)
		return;
	MUST(r->status.tokens.len + r->status.text.len <= MTQP_LINE_MAX);
	mtqp_status_has(&r->status, "noinfo");
	MUST(!mtqp_status_has(&r->status, ""));
	tls = mtqp_option_find(r, "STARTTLS");
	mtqp_option_has(tls, "required");
	if (r->complete)
		check_again(r);
}

static void
check_uri(const char *text, size_t len)
{
	struct mtqp_uri_parsed got, again;
	char out[1024];
	long n;

	if (mtqp_uri_read(text, len, &got) != MTQP_URI_OK)
		return;
	MUST(got.uri.secret.len >= 16 && got.uri.secret.len <= SECRET_MAX);
	n = mtqp_uri_write(&got.uri, out, sizeof(out));
	MUST(n > 0);
	MUST(mtqp_uri_read(out, (size_t)n, &again) == MTQP_URI_OK);
	MUST(strcmp(again.server, got.server) == 0);
	MUST(again.uri.envid.len == got.uri.envid.len);
	MUST(memcmp(again.envid, got.envid, got.uri.envid.len) == 0);
	MUST(again.uri.secret.len == got.uri.secret.len);
	MUST(memcmp(again.secret, got.secret, got.uri.secret.len) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct mtqp_response whole, parts;
	size_t split, used;

	if (size < 1)
		return 0;
	split = data[0];
	data++;
	size--;
	if (split > size)
		split = size;
	check_uri((const char *)data, size);
	mtqp_response_init(&whole, BODY_MAX);
	mtqp_response_init(&parts, BODY_MAX);
	used = mtqp_response_feed(&whole, data, size);
	MUST(used <= size);
	check_response(&whole);
	if (mtqp_response_feed(&parts, data, split) == split)
		mtqp_response_feed(&parts, data + split, size - split);
	MUST(whole.complete == parts.complete);
	MUST(whole.error == parts.error);
	MUST(buffer_len(&whole.body) == buffer_len(&parts.body));
	if (buffer_len(&whole.body) > 0)
		MUST(memcmp(buffer_at(&whole.body), buffer_at(&parts.body),
			 buffer_len(&whole.body)) == 0);
	mtqp_response_free(&whole);
	mtqp_response_free(&parts);
	return 0;
}
