/*
 * Words and codes of the states of a recipient (RFC 3886 3.3.3, RFC 3463 2).
 */
#include "common/status.h"

#include <string.h>
#include <strings.h>

#define ACTIONS (ACTION_FAILED + 1)

static const struct {
	const char *name;
	const char *words;
} actions[ACTIONS] = {
	[ACTION_OPAQUE] = { "opaque", "unknown" },
	[ACTION_DELAYED] = { "delayed", "waiting to be tried again" },
	[ACTION_RELAYED] = { "relayed", "accepted by the recipient's server" },
	[ACTION_TRANSFERRED] = { "transferred",
	    "passed to a server that can be asked" },
	[ACTION_DELIVERED] = { "delivered", "delivered to the mailbox" },
	[ACTION_EXPANDED] = { "expanded", "forwarded to several addresses" },
	[ACTION_FAILED] = { "failed", "not delivered" },
};

const char *
status_words(uint8_t action, bool attempted)
{
	if (action == ACTION_DELAYED && !attempted)
		return "accepted by the mail server, no attempt known";
	return actions[action < ACTIONS ? action : ACTION_OPAQUE].words;
}

const char *
status_action_name(uint8_t action)
{
	return actions[action < ACTIONS ? action : ACTION_OPAQUE].name;
}

int
status_action_read(const char *word, size_t len)
{
	for (int i = 0; i < ACTIONS; i++)
		if (strlen(actions[i].name) == len &&
		    strncasecmp(actions[i].name, word, len) == 0)
			return i;
	return -1;
}

/* Past one to max digits without a leading zero, or NULL. */
static const char *
skip_number(const char *at, size_t max)
{
	size_t digits = strspn(at, "0123456789");

	if (digits == 0 || digits > max || (digits > 1 && at[0] == '0'))
		return NULL;
	return at + digits;
}

bool
status_code_is_valid(const char *code)
{
	const char *at = code;

	if (*at != '2' && *at != '4' && *at != '5')
		return false;
	at++;
	for (int i = 0; i < 2; i++) {
		if (*at != '.')
			return false;
		at = skip_number(at + 1, 3);
		if (at == NULL)
			return false;
	}
	return *at == '\0';
}
