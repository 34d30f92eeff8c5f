/*
 * The commands of waybill, each a row of a table.
 */
#ifndef TOKEN_COMMANDS_H
#define TOKEN_COMMANDS_H

#include <stdbool.h>

#include "token/client.h"

/* What a command runs with. */
struct command_run {
	const struct options *options;
	struct client *client;
	struct problem *problem;
	char *id;   /* its argument: which message; NULL where there is none */
	bool own;   /* out: SHOW of the own server knows the message, too */
	int status; /* to exit with where nothing went wrong */
};

enum command_flag {
	COMMAND_LOGIN = 1,    /* runs with client logged in */
	COMMAND_OPTIONAL = 2, /* may go without its argument */
	COMMAND_TRACK = 4     /* takes track's options, has its exit statuses */
};

struct command {
	const char *name;
	const char *argument; /* for --help; "" where it takes none */
	const char *what;
	/* Returns 0, or -1 with the problem set. Writes to standard output. */
	int (*run)(struct command_run *);
	unsigned flags; /* enum command_flag */
};

/* Ends with a name of NULL. */
extern const struct command commands[];

/* The command of that name, or NULL. */
const struct command *command_find(const char *name);

/* One for each row. */
int command_list(struct command_run *);
int command_show(struct command_run *);
int command_token(struct command_run *);
int command_delegate(struct command_run *);
int command_revoke(struct command_run *);
int command_track(struct command_run *);

#endif
