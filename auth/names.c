/*
 * The user names in what a client says first.
 */
#include "auth/names.h"

#include <string.h>
#include <strings.h>

#include "common/ticket.h"

/* With a letter of SCRAM before it, and each octet written as "=2C". */
enum { NAMES_SCRAM_MAX = 2 + 3 * ACCOUNT_MAX };

static bool
is_blank(struct octets name)
{
	for (size_t i = 0; i < name.len; i++)
		if (strchr(" \t\r\n\v\f", name.data[i]) == NULL)
			return false;
	return true;
}

/* What stands before the first end, which is taken out of text too. */
static struct octets
cut(struct octets *text, uint8_t end)
{
	const uint8_t *at = memchr(text->data, end, text->len);
	struct octets part = *text;

	if (at != NULL)
		part.len = (size_t)(at - text->data);
	text->data += part.len + (at != NULL);
	text->len -= part.len + (at != NULL);
	return part;
}

static bool
plain_is_sane(struct octets response)
{
	struct octets authorize, login;

	if (response.len == 0)
		return true;
	authorize = cut(&response, '\0');
	if (authorize.len > ACCOUNT_MAX)
		return false;
	if (response.len == 0)
		return true;
	login = cut(&response, '\0');
	return login.len <= ACCOUNT_MAX && !is_blank(login);
}

static bool
scram_is_sane(struct octets response)
{
	struct octets part;

	while (response.len > 0) {
		part = cut(&response, ',');
		if (part.len > NAMES_SCRAM_MAX)
			return false;
		if (part.len < 2 || memcmp(part.data, "n=", 2) != 0)
			continue;
		part.data += 2;
		part.len -= 2;
		if (is_blank(part))
			return false;
	}
	return true;
}

bool
names_are_sane(const char *mechanism, struct octets response)
{
	if (strcasecmp(mechanism, "PLAIN") == 0)
		return plain_is_sane(response);
	if (strcasecmp(mechanism, "LOGIN") == 0)
		return response.len <= ACCOUNT_MAX && !is_blank(response);
	if (strncasecmp(mechanism, "SCRAM-", 6) == 0)
		return scram_is_sane(response);
	return true;
}
