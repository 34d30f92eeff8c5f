/*
 * waybill: the user's own messages and their secrets, asked for on the
 * submission port.
 */
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "token/commands.h"

/* Tokens pass through standard output: its buffer is ours, to be wiped. */
static char output[16384];

static void
print_help(void)
{
	puts("usage: waybill [options] command\n\nCommands:");
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %s %-*s  %s\n", c->name, (int)(10 - strlen(c->name)),
		    c->argument, c->what);
	puts("\nID is an envelope id, a Message-ID, or \"last\".\n\nOptions:");
	options_usage(stdout);
	puts("  --no-verify                    do not verify the server's "
	     "certificate (dangerous)\n"
	     "  --since TIME                   list: not older than a date, "
	     "a time, or an age as 12h or 3d\n"
	     "  --limit N                      list: at most so many (25)\n"
	     "  --json                         for programs\n"
	     "  -c, --config FILE              instead of "
	     "~/.config/waybill/waybill.conf\n"
	     "  -h, --help\n"
	     "  --version\n\n"
	     "Exit status: 0 done, 1 no such message or refused, 2 usage or\n"
	     "configuration, 3 server not reached, not trusted or no login.");
}

static const struct command *
find_command(const struct options *o, struct problem *p)
{
	const struct command *c;
	int wanted;

	if (o->word_count == 0) {
		problem_set(
		    p, PROBLEM_USAGE, "what shall I do? See waybill --help");
		return NULL;
	}
	c = command_find(o->words[0]);
	if (c == NULL) {
		problem_set(p, PROBLEM_USAGE,
		    "there is no command %s; see waybill --help", o->words[0]);
		return NULL;
	}
	wanted = c->argument[0] == '\0' ? 1 : 2;
	if (o->word_count < wanted)
		problem_set(p, PROBLEM_USAGE,
		    "%s of which message? Give an envelope id, a Message-ID or "
		    "\"last\"",
		    c->name);
	else if (o->word_count > wanted)
		problem_set(p, PROBLEM_USAGE,
		    "%s: what is %s? See waybill "
		    "--help",
		    c->name, o->words[wanted]);
	else if (o->has_list && c->run != command_list)
		problem_set(
		    p, PROBLEM_USAGE, "--since and --limit are for list only");
	return p->exit == PROBLEM_NONE ? c : NULL;
}

static void
run(const struct command *c, struct options *o, struct problem *p)
{
	static struct client client;
	struct command_run r = { .options = o,
		.client = &client,
		.problem = p,
		.id = c->argument[0] != '\0' ? o->words[1] : NULL };

	if (o->no_verify)
		fprintf(stderr,
		    "waybill: WARNING: the certificate of %s is not verified; "
		    "whoever is in between reads your password\n",
		    o->server);
	if (client_open(&client, o, p) == 0)
		c->run(&r);
	client_close(&client);
}

int
main(int argc, char **argv)
{
	struct options options;
	struct problem problem = { 0 };
	const struct command *command;
	int action;

	signal(SIGPIPE, SIG_IGN);
	setlocale(LC_TIME, "");
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	action = options_read_line(argc, argv, time(NULL), &options, &problem);
	if (action == OPTIONS_HELP) {
		print_help();
	} else if (action == OPTIONS_VERSION) {
		puts("waybill " WAYBILL_VERSION);
	} else if (action == OPTIONS_RUN) {
		command = find_command(&options, &problem);
		if (command != NULL &&
		    options_complete(&options, &problem) == 0)
			run(command, &options, &problem);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		problem_set(
		    &problem, PROBLEM_REFUSED, "cannot write the output");
	explicit_bzero(output, sizeof(output));
	if (problem.exit != PROBLEM_NONE)
		fprintf(stderr, "waybill: %s\n", problem.text);
	options_free(&options);
	return (int)problem.exit;
}
