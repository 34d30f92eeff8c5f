/*
 * The mtqp URI by which a message can be tracked (RFC 3887 9).
 */
#include "common/mtqp_uri.h"

#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/keeper_messages.h"

struct writer {
	char *out;
	size_t len;
	size_t size;
	bool full;
};

static void
put(struct writer *w, char c)
{
	if (w->len + 1 >= w->size) {
		w->full = true;
		return;
	}
	w->out[w->len++] = c;
}

static void
put_text(struct writer *w, const char *text)
{
	while (*text != '\0')
		put(w, *text++);
}

/* pchar of RFC 3986 3.3, without "%". */
static bool
is_plain(unsigned char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("-._~!$&'()*+,;=:@", c) != NULL;
}

static void
put_segment(struct writer *w, const void *text, size_t len)
{
	static const char hex[] = "0123456789ABCDEF";
	const unsigned char *c = text;

	for (; len > 0; len--, c++) {
		if (is_plain(*c)) {
			put(w, (char)*c);
			continue;
		}
		put(w, '%');
		put(w, hex[*c >> 4]);
		put(w, hex[*c & 15]);
	}
}

static void
put_authority(struct writer *w, const struct mtqp_uri *uri)
{
	bool bare_ipv6 =
	    strchr(uri->server, ':') != NULL && uri->server[0] != '[';
	char port[16];

	put_text(w, bare_ipv6 ? "[" : "");
	put_text(w, uri->server);
	put_text(w, bare_ipv6 ? "]" : "");
	if (uri->port != 0 && uri->port != MTQP_PORT) {
		snprintf(port, sizeof(port), ":%u", uri->port);
		put_text(w, port);
	}
}

long
mtqp_uri_write(const struct mtqp_uri *uri, char *out, size_t size)
{
	struct writer w = { out, 0, size, size == 0 };
	char secret[BASE64_LEN(SECRET_MAX) + 1];
	size_t len;

	if (uri->secret.len > SECRET_MAX || w.full)
		return -1;
	put_text(&w, "mtqp://");
	put_authority(&w, uri);
	put_text(&w, "/track/");
	put_segment(&w, uri->envid.data, uri->envid.len);
	put(&w, '/');
	len = codec_base64_encode(
	    uri->secret.data, uri->secret.len, true, secret);
	put_segment(&w, secret, len);
	explicit_bzero(secret, sizeof(secret));
	if (w.full) {
		explicit_bzero(out, size);
		return -1;
	}
	out[w.len] = '\0';
	return (long)w.len;
}
