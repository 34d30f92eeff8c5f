/*
 * Which hosts are the operator's own, by network and by domain (RFC 3886
 * 4.2): addresses are compared as IPv6, IPv4 mapped into it (RFC 4291 2.5.5).
 */
#include "common/inner_host.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
	ADDRESS_LEN = 16,
	ADDRESS_BITS = 128,
	MAPPED_BITS = 96, /* what stands before a mapped IPv4 address */
	NAME_MAX_LEN = 253,
	LABEL_MAX_LEN = 63
};

struct network {
	uint8_t address[ADDRESS_LEN];
	unsigned bits;
};

struct inner_hosts {
	struct network *networks;
	size_t network_count;
	char **names; /* without the last dot */
	size_t name_count;
};

/* Returns 0, or -1 where text is no address. */
static int
read_address(const char *text, uint8_t out[ADDRESS_LEN], bool *is_ipv4)
{
	static const uint8_t mapped[] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff,
		0xff };

	*is_ipv4 = inet_pton(AF_INET, text, out + sizeof(mapped)) == 1;
	if (*is_ipv4) {
		memcpy(out, mapped, sizeof(mapped));
		return 0;
	}
	return inet_pton(AF_INET6, text, out) == 1 ? 0 : -1;
}

/* Returns 0, or -1 where text is no number from 0 to max. */
static int
read_prefix(const char *text, unsigned max, unsigned *bits)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return -1;
	*bits = (unsigned)strtoul(text, NULL, 10);
	return *bits <= max ? 0 : -1;
}

static int
read_network(const char *item, struct network *out)
{
	char text[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(item, '/');
	size_t len = (size_t)(slash - item);
	bool is_ipv4;

	if (len >= sizeof(text))
		return -1;
	memcpy(text, item, len);
	text[len] = '\0';
	if (read_address(text, out->address, &is_ipv4) != 0)
		return -1;
	out->bits = ADDRESS_BITS;
	if (*slash == '\0')
		return 0;
	if (read_prefix(slash + 1, is_ipv4 ? 32 : ADDRESS_BITS, &out->bits))
		return -1;
	out->bits += is_ipv4 ? MAPPED_BITS : 0;
	return 0;
}

static bool
is_label_octet(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || (c & 0x80) != 0;
}

/*
 * Is it a domain name? One whose last label is a number is a mistyped address
 * (RFC 1123 2.1).
 */
static bool
is_name(const char *text, size_t len)
{
	bool number = true;
	size_t label = 0;

	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '.') {
			if (label == 0)
				return false;
			label = 0;
			number = true;
			continue;
		}
		if (!is_label_octet(text[i]) || ++label > LABEL_MAX_LEN)
			return false;
		number = number && text[i] >= '0' && text[i] <= '9';
	}
	return label > 0 && !number;
}

static int
add_item(struct inner_hosts *h, const char *item)
{
	size_t len = strlen(item);

	if (read_network(item, &h->networks[h->network_count]) == 0) {
		h->network_count++;
		return 0;
	}
	if (len > 0 && item[len - 1] == '.')
		len--;
	if (!is_name(item, len)) {
		errno = EINVAL;
		return -1;
	}
	h->names[h->name_count] = strndup(item, len);
	if (h->names[h->name_count] == NULL)
		return -1;
	h->name_count++;
	return 0;
}

struct inner_hosts *
inner_hosts_new(char *const *items, size_t count)
{
	struct inner_hosts *h;
	int error;

	if (count > INNER_HOSTS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	/* One too many, so that an empty list is no failure. */
	h->networks = calloc(count + 1, sizeof(*h->networks));
	h->names = calloc(count + 1, sizeof(*h->names));
	if (h->networks == NULL || h->names == NULL)
		goto fail;
	for (size_t i = 0; i < count; i++)
		if (add_item(h, items[i]) != 0)
			goto fail;
	return h;
fail:
	error = errno;
	inner_hosts_free(h);
	errno = error;
	return NULL;
}

void
inner_hosts_free(struct inner_hosts *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->name_count; i++)
		free(h->names[i]);
	free(h->names);
	free(h->networks);
	free(h);
}

static bool
is_in_network(const struct network *n, const uint8_t address[ADDRESS_LEN])
{
	size_t whole = n->bits / 8;
	unsigned rest = n->bits % 8;

	if (memcmp(n->address, address, whole) != 0)
		return false;
	return rest == 0 ||
	    ((n->address[whole] ^ address[whole]) >> (8 - rest)) == 0;
}

/* Is text ("192.0.2.1", without what a literal has around it) in a network? */
static bool
match_address(const struct inner_hosts *h, const char *text)
{
	uint8_t address[ADDRESS_LEN];
	bool is_ipv4;

	if (read_address(text, address, &is_ipv4) != 0)
		return false;
	for (size_t i = 0; i < h->network_count; i++)
		if (is_in_network(&h->networks[i], address))
			return true;
	return false;
}

static bool
match_name(const struct inner_hosts *h, const char *text)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '.')
		len--;
	for (size_t i = 0; i < h->name_count; i++) {
		size_t tail = strlen(h->names[i]);

		if (len >= tail &&
		    strncasecmp(text + len - tail, h->names[i], tail) == 0 &&
		    (len == tail || text[len - tail - 1] == '.'))
			return true;
	}
	return false;
}

/* Brackets, the tag of RFC 5321 4.1.3 and a zone (RFC 4007 11) go. */
static void
strip_literal(char *text)
{
	size_t len = strlen(text);

	if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
		text[len - 1] = '\0';
		memmove(text, text + 1, len - 1);
	}
	if (strncasecmp(text, "IPv6:", 5) == 0)
		memmove(text, text + 5, strlen(text + 5) + 1);
	text[strcspn(text, "%")] = '\0';
}

static bool
match_text(const struct inner_hosts *h, struct octets host)
{
	char text[NAME_MAX_LEN + 16];

	if (host.len == 0)
		return false;
	if (host.data[0] == '/')
		return true;
	if (host.len >= sizeof(text) ||
	    memchr(host.data, '\0', host.len) != NULL)
		return false;
	memcpy(text, host.data, host.len);
	text[host.len] = '\0';
	if (match_name(h, text))
		return true;
	strip_literal(text);
	return match_address(h, text);
}

bool
inner_host_match(void *inner_hosts, struct octets host, struct octets address)
{
	const struct inner_hosts *h = inner_hosts;

	return match_text(h, host) || match_text(h, address);
}
