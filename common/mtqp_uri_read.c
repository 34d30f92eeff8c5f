/*
 * Reads the mtqp URI by which a message can be tracked (RFC 3887 9).
 */
#include "common/mtqp_uri.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "common/mtqp_line.h"

#define SCHEME "mtqp://"
#define TRACK  "/track/"

enum { SECRET_MIN = 16 }; /* RFC 3885 3.1 */

static const char *const error_texts[] = {
	[MTQP_URI_OK] = "no error",
	[MTQP_URI_SCHEME] = "the URI does not begin with mtqp://",
	[MTQP_URI_AUTHORITY] = "the URI names no server, or an impossible port",
	[MTQP_URI_PATH] = "the URI does not go on with /track/ENVID/SECRET",
	[MTQP_URI_ENVID] = "the URI's envelope id is malformed",
	[MTQP_URI_SECRET] = "the URI's secret is malformed, too short or long",
};

struct part {
	const char *at;
	size_t len;
};

const char *
mtqp_uri_error_text(enum mtqp_uri_error error)
{
	return error_texts[error];
}

void
mtqp_uri_wipe(struct mtqp_uri_parsed *u)
{
	explicit_bzero(u, sizeof(*u));
}

static bool
is_host_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
	    c == '.' || c == '_';
}

/* Returns false for anything but a name or an IPv4 address. */
static bool
copy_name(struct part host, char *out, size_t size)
{
	if (host.len == 0 || host.len >= size)
		return false;
	for (size_t i = 0; i < host.len; i++) {
		char c = host.at[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (!is_host_char(c))
			return false;
		out[i] = c;
	}
	out[host.len] = '\0';
	return out[0] != '.' && out[0] != '-' && strstr(out, "..") == NULL;
}

static bool
copy_ipv6(struct part host, char *out, size_t size)
{
	struct in6_addr address;

	if (host.len == 0 || host.len >= size)
		return false;
	memcpy(out, host.at, host.len);
	out[host.len] = '\0';
	return strlen(out) == host.len &&
	    inet_pton(AF_INET6, out, &address) == 1;
}

/* ":" and digits, or nothing; RFC 3986 3.2.3 lets the digits be missing. */
static bool
read_port(struct part text, unsigned *port)
{
	*port = 0;
	if (text.len == 0)
		return true;
	if (text.at[0] != ':' || text.len > 6)
		return false;
	for (size_t i = 1; i < text.len; i++) {
		if (text.at[i] < '0' || text.at[i] > '9')
			return false;
		*port = *port * 10 + (unsigned)(text.at[i] - '0');
	}
	return text.len == 1 || (*port >= 1 && *port <= 65535);
}

static bool
read_authority(struct part text, struct mtqp_uri_parsed *out)
{
	struct part host = text, port;
	const char *end;
	bool good;

	if (text.len > 0 && text.at[0] == '[') {
		end = memchr(text.at, ']', text.len);
		if (end == NULL)
			return false;
		host.at++;
		host.len = (size_t)(end - host.at);
		good = copy_ipv6(host, out->server, sizeof(out->server));
		end++;
	} else {
		end = memchr(text.at, ':', text.len);
		if (end == NULL)
			end = text.at + text.len;
		host.len = (size_t)(end - text.at);
		good = copy_name(host, out->server, sizeof(out->server));
	}
	port.at = end;
	port.len = text.len - (size_t)(end - text.at);
	out->uri.server = out->server;
	return good && read_port(port, &out->uri.port);
}

/* Undo %HH. Returns the length, or -1 where it does not fit or is no URI. */
static long
unescape(struct part text, char *out, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.at[i];

		if (n == size || c <= ' ' || c >= 0x7f || c == '?' || c == '#')
			return -1;
		if (c == '%') {
			int hi = text.len - i > 2
			    ? codec_hex_value(text.at[i + 1])
			    : -1;
			int lo = hi >= 0 ? codec_hex_value(text.at[i + 2]) : -1;

			if (lo < 0)
				return -1;
			c = (char)(hi << 4 | lo);
			i += 2;
		}
		out[n++] = c;
	}
	return (long)n;
}

static bool
read_envid(struct part text, struct mtqp_uri_parsed *out)
{
	char plain[ENVID_MAX + 2];
	long len = unescape(text, plain, sizeof(plain));
	const char *start;
	size_t n;

	if (len < 0)
		return false;
	n = mtqp_envid_trim(plain, (size_t)len, &start);
	memcpy(out->envid, start, n);
	out->uri.envid = (struct octets){ (const uint8_t *)out->envid, n };
	return n > 0;
}

static bool
read_secret(struct part text, struct mtqp_uri_parsed *out)
{
	char plain[BASE64_LEN(SECRET_MAX)];
	long len = unescape(text, plain, sizeof(plain));

	if (len >= 0)
		len =
		    codec_base64_decode(plain, (size_t)len, true, out->secret);
	explicit_bzero(plain, sizeof(plain));
	if (len < SECRET_MIN || len > SECRET_MAX)
		return false;
	out->uri.secret = (struct octets){ out->secret, (size_t)len };
	return true;
}

/* Cut text at the first slash; false without one. */
static bool
cut_slash(struct part text, struct part *before, struct part *from)
{
	const char *slash =
	    text.len == 0 ? NULL : memchr(text.at, '/', text.len);

	if (slash == NULL)
		return false;
	*before = (struct part){ text.at, (size_t)(slash - text.at) };
	*from = (struct part){ slash, text.len - before->len };
	return true;
}

static bool
skip(struct part *text, const char *prefix)
{
	size_t len = strlen(prefix);

	if (text->len < len || strncasecmp(text->at, prefix, len) != 0)
		return false;
	text->at += len;
	text->len -= len;
	return true;
}

static enum mtqp_uri_error
read_parts(struct part text, struct mtqp_uri_parsed *out)
{
	struct part authority, path, envid, secret;

	if (!skip(&text, SCHEME))
		return MTQP_URI_SCHEME;
	if (!cut_slash(text, &authority, &path))
		return read_authority(text, out) ? MTQP_URI_PATH
						 : MTQP_URI_AUTHORITY;
	if (!read_authority(authority, out))
		return MTQP_URI_AUTHORITY;
	if (!skip(&path, TRACK) || !cut_slash(path, &envid, &secret))
		return MTQP_URI_PATH;
	secret.at++;
	secret.len--;
	if (memchr(secret.at, '/', secret.len) != NULL)
		return MTQP_URI_PATH;
	if (!read_envid(envid, out))
		return MTQP_URI_ENVID;
	return read_secret(secret, out) ? MTQP_URI_OK : MTQP_URI_SECRET;
}

enum mtqp_uri_error
mtqp_uri_read(const char *text, size_t len, struct mtqp_uri_parsed *out)
{
	enum mtqp_uri_error error;

	memset(out, 0, sizeof(*out));
	error = read_parts((struct part){ text, len }, out);
	if (error != MTQP_URI_OK)
		mtqp_uri_wipe(out);
	return error;
}
