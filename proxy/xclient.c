/*
 * Telling the MSA who the client is: XCLIENT and XFORWARD command lines
 * (Postfix XCLIENT_README, XFORWARD_README), values as xtext (RFC 3461 4).
 */
#include "proxy/xclient.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "proxy/caps.h"

#define COMMAND	    "XCLIENT"
#define FORWARD	    "XFORWARD"
#define CRLF	    "\r\n"
#define UNAVAILABLE "[UNAVAILABLE]"

/* What attributes may take of one command; NUL included. */
#define ROOM (XCLIENT_LINE_MAX - sizeof(COMMAND CRLF) + 2)

/* NAME shares its command with the longest ADDR. */
#define NAME_ROOM (ROOM - sizeof(" NAME= ADDR=IPV6:") - 46)

/* Write " ATTR=xtext"; returns its length, or -1 where it does not fit. */
static long
attr_write(const char *attr, const char *value, char *out, size_t size)
{
	int n = snprintf(out, size, " %s=", attr);
	long len;

	if (n < 0 || (size_t)n >= size)
		return -1;
	len =
	    codec_xtext_encode(value, strlen(value), out + n, size - (size_t)n);
	return len < 0 ? -1 : n + len;
}

/* Put attributes behind the last command, or into a new one. */
static int
lines_add(struct xclient_lines *lines, const char *attrs)
{
	size_t len = 0, more = strlen(attrs);

	if (lines->count > 0)
		len = strlen(lines->line[lines->count - 1]);
	if (len == 0 || len + more + strlen(CRLF) > XCLIENT_LINE_MAX) {
		if (lines->count == XCLIENT_LINES)
			return -1;
		len = strlen(COMMAND);
		memcpy(lines->line[lines->count++], COMMAND, len);
	}
	memcpy(lines->line[lines->count - 1] + len, attrs, more + 1);
	return 0;
}

static int
add_text(struct xclient_lines *lines, const char *attr, const char *value)
{
	char text[ROOM];

	if (value == NULL)
		return 0;
	if (attr_write(attr, value, text, sizeof(text)) < 0)
		return -1;
	return lines_add(lines, text);
}

static int
add_port(struct xclient_lines *lines, const char *attr, uint16_t port)
{
	char text[8];

	if (port == 0)
		return 0;
	snprintf(text, sizeof(text), "%u", (unsigned)port);
	return add_text(lines, attr, text);
}

/* IPv6 is "IPV6:address"; a mapped address is the IPv4 that it maps. */
static int
addr_text(const char *addr, char *out, size_t size)
{
	static const char mapped[] = "::ffff:";
	const size_t prefix = sizeof(mapped) - 1;
	bool v6 = strchr(addr, ':') != NULL;
	int n;

	if (strncasecmp(addr, mapped, prefix) == 0 &&
	    strchr(addr, '.') != NULL) {
		addr += prefix;
		v6 = false;
	}
	n = snprintf(out, size, "%s%s", v6 ? "IPV6:" : "", addr);
	return n < 0 || (size_t)n >= size ? -1 : 0;
}

static int
add_dest_addr(struct xclient_lines *lines, const char *addr)
{
	char text[64];

	if (addr == NULL)
		return 0;
	if (addr_text(addr, text, sizeof(text)) < 0)
		return -1;
	return add_text(lines, "DESTADDR", text);
}

static int
add_helo(struct xclient_lines *lines, const char *helo)
{
	if (add_text(lines, "HELO", helo) == 0)
		return 0;
	return lines_add(lines, " HELO=" UNAVAILABLE);
}

/* One piece, so that a command never ends between the two. */
static int
add_name_and_addr(struct xclient_lines *lines, unsigned attrs,
    const struct xclient_client *client)
{
	char text[ROOM], addr[64];
	long name = 0;

	text[0] = '\0';
	if (attrs & ATTR_NAME) {
		if (client->name != NULL)
			name =
			    attr_write("NAME", client->name, text, NAME_ROOM);
		if (client->name == NULL || name < 0)
			name = snprintf(
			    text, sizeof(text), " NAME=%s", UNAVAILABLE);
	}
	if ((attrs & ATTR_ADDR) && client->addr != NULL) {
		if (addr_text(client->addr, addr, sizeof(addr)) < 0 ||
		    attr_write("ADDR", addr, text + name,
			sizeof(text) - (size_t)name) < 0)
			return -1;
	}
	return text[0] == '\0' ? 0 : lines_add(lines, text);
}

int
xclient_build(const struct xclient_client *client, unsigned attrs,
    struct xclient_lines *out)
{
	int rc = 0;

	out->count = 0;
	if (attrs & ATTR_PROTO)
		rc |= add_text(out, "PROTO", client->proto);
	if (attrs & ATTR_HELO)
		rc |= add_helo(out, client->helo);
	if (attrs & ATTR_LOGIN)
		rc |= add_text(out, "LOGIN", client->login);
	if (attrs & ATTR_DESTADDR)
		rc |= add_dest_addr(out, client->dest_addr);
	if (attrs & ATTR_DESTPORT)
		rc |= add_port(out, "DESTPORT", client->dest_port);
	if (attrs & ATTR_PORT)
		rc |= add_port(out, "PORT", client->port);
	rc |= add_name_and_addr(out, attrs, client);
	for (size_t i = 0; i < out->count; i++)
		memcpy(out->line[i] + strlen(out->line[i]), CRLF, sizeof(CRLF));
	return rc;
}

long
xforward_ident(const char *envid, char *out, size_t size)
{
	const size_t begin = strlen(FORWARD);
	long len;

	if (size > XCLIENT_LINE_MAX + 1)
		size = XCLIENT_LINE_MAX + 1;
	if (size < sizeof(FORWARD CRLF))
		return -1;
	memcpy(out, FORWARD, begin);
	len = attr_write(
	    "IDENT", envid, out + begin, size - begin - strlen(CRLF));
	if (len < 0)
		return -1;
	memcpy(out + begin + len, CRLF, sizeof(CRLF));
	return (long)begin + len + (long)strlen(CRLF);
}
