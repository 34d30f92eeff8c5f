/*
 * The commands of waybill, each a row of a table.
 */
#include "token/commands.h"

#include <string.h>

const struct command commands[] = {
	{ "list", "", "your messages, newest first", command_list },
	{ "show", "ID", "what is known of one message", command_show },
	{ "token", "ID", "its envelope id, secret, certifier and mtqp URI",
	    command_token },
	{ "delegate", "ID", "the mtqp URI alone, to hand to somebody",
	    command_delegate },
	{ NULL, NULL, NULL, NULL },
};

const struct command *
command_find(const char *name)
{
	for (const struct command *c = commands; c->name != NULL; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}
