/*
 * The commands of waybill, each a row of a table.
 */
#include "token/commands.h"

#include <string.h>

const struct command commands[] = {
	{ "list", "", "your messages, newest first", command_list,
	    COMMAND_LOGIN },
	{ "show", "ID", "what is known of one message", command_show,
	    COMMAND_LOGIN },
	{ "token", "ID", "its envelope id, secret, certifier and mtqp URI",
	    command_token, COMMAND_LOGIN },
	{ "delegate", "ID", "the mtqp URI alone, to hand to somebody",
	    command_delegate, COMMAND_LOGIN },
	{ "revoke", "ID", "no more tracking with its secret or its URI",
	    command_revoke, COMMAND_LOGIN },
	{ "track", "[ID|URI|-]",
	    "what became of it, asked of its tracking servers", command_track,
	    COMMAND_OPTIONAL | COMMAND_TRACK },
	{ NULL, NULL, NULL, NULL, 0 },
};

const struct command *
command_find(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
