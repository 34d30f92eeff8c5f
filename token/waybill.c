/*
 * waybill: the user's own messages and their secrets, asked for on the
 * submission port, and what became of them.
 */
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "token/commands.h"

/* Tokens pass through standard output: its buffer is ours, to be wiped. */
static char output[16384];

/* Exit statuses of track where it cannot say what became of a message. */
enum { TRACK_UNKNOWN = 3, TRACK_USAGE = 64 };

static void
print_help(void)
{
	puts("usage: waybill [options] command\n\nCommands:");
	for (const struct command *c = commands; c->name != NULL; c++)
		printf("  %-8s %-10s  %s\n", c->name, c->argument, c->what);
	puts("\nID is an envelope id, a Message-ID, or \"last\"; URI is what "
	     "delegate prints.\n\nOptions:");
	options_usage(stdout);
	puts("  --no-verify                    do not verify any server's "
	     "certificate (dangerous)\n"
	     "  --since TIME                   list: not older than a date, "
	     "a time, or an age as 12h or 3d\n"
	     "  --limit N                      list: at most so many (25)\n"
	     "  --watch                        track: until every recipient "
	     "is settled\n"
	     "  --interval SECONDS             track: between two looks "
	     "(5, and longer with time)\n"
	     "  --timeout SECONDS              track: for each server (180)\n"
	     "  --no-follow                    track: ask the first server "
	     "only\n"
	     "  --no-tls                       track: in the clear; wants "
	     "--track-tls offered\n"
	     "  --json                         for programs\n"
	     "  -c, --config FILE              instead of "
	     "~/.config/waybill/waybill.conf\n"
	     "  -h, --help\n"
	     "  --version\n\n"
	     "Exit status: 0 done, 1 no such message or refused, 2 usage or\n"
	     "configuration, 3 server not reached, not trusted or no login.\n"
	     "Of track: 0 delivered or relayed, 1 failed, 2 still under way,\n"
	     "3 unknown, 64 usage or configuration.");
}

/* A URI holds a secret, which no message to the user may show. */
static bool
is_uri(const char *word)
{
	return strncasecmp(word, "mtqp:", 5) == 0;
}

static int
check_words(const struct command *c, const struct options *o, struct problem *p)
{
	int most = c->argument[0] == '\0' ? 1 : 2;
	int least = (c->flags & COMMAND_OPTIONAL) != 0 ? 1 : most;

	if (o->word_count < least)
		return problem_set(p, PROBLEM_USAGE,
		    "%s of which message? Give an envelope id, a Message-ID or "
		    "\"last\"",
		    c->name);
	if (o->word_count > most)
		return problem_set(p, PROBLEM_USAGE,
		    "%s: what is %s? See waybill --help", c->name,
		    is_uri(o->words[most]) ? "that URI" : o->words[most]);
	if (o->word_count == 2 && is_uri(o->words[1]) &&
	    (c->flags & COMMAND_TRACK) == 0)
		return problem_set(p, PROBLEM_USAGE,
		    "%s takes no URI; only waybill track does", c->name);
	if (o->has_list && c->run != command_list)
		return problem_set(
		    p, PROBLEM_USAGE, "--since and --limit are for list only");
	if (o->has_track && (c->flags & COMMAND_TRACK) == 0)
		return problem_set(p, PROBLEM_USAGE,
		    "--watch, --interval, --timeout, --no-follow and --no-tls "
		    "are for track only");
	return 0;
}

static const struct command *
find_command(const struct options *o, struct problem *p)
{
	const struct command *c;

	if (o->word_count == 0) {
		problem_set(
		    p, PROBLEM_USAGE, "what shall I do? See waybill --help");
		return NULL;
	}
	c = command_find(o->words[0]);
	if (c == NULL && is_uri(o->words[0]))
		problem_set(p, PROBLEM_USAGE,
		    "what about that URI? See waybill track in waybill --help");
	else if (c == NULL)
		problem_set(p, PROBLEM_USAGE,
		    "there is no command %s; see waybill --help", o->words[0]);
	else
		check_words(c, o, p);
	return c;
}

static void
warn_unverified(const struct command *c, const struct options *o)
{
	if ((c->flags & COMMAND_LOGIN) != 0)
		fprintf(stderr,
		    "waybill: WARNING: the certificate of %s is not verified; "
		    "whoever is in between reads your password\n",
		    o->server);
	else
		fputs("waybill: WARNING: no certificate is verified; whoever "
		      "is in between reads the secret of the message\n",
		    stderr);
}

/* Returns the exit status of a run in which nothing went wrong. */
static int
run(const struct command *c, struct options *o, struct problem *p)
{
	static struct client client;
	struct command_run r = { .options = o,
		.client = &client,
		.problem = p,
		.id = o->word_count > 1 ? o->words[1] : NULL };

	if (o->no_verify)
		warn_unverified(c, o);
	if ((c->flags & COMMAND_LOGIN) == 0) {
		c->run(&r);
		return r.status;
	}
	if (client_open(&client, o, p) == 0)
		c->run(&r);
	client_close(&client);
	return r.status;
}

/* track says 1 and 2 of messages, not of problems. */
static int
exit_status(const struct command *c, enum problem_exit why)
{
	if (c == NULL || (c->flags & COMMAND_TRACK) == 0)
		return (int)why;
	return why == PROBLEM_USAGE ? TRACK_USAGE : TRACK_UNKNOWN;
}

int
main(int argc, char **argv)
{
	struct options options;
	struct problem problem = { 0 };
	const struct command *command = NULL;
	int action, status = 0;

	signal(SIGPIPE, SIG_IGN);
	setlocale(LC_TIME, "");
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	action = options_read_line(argc, argv, time(NULL), &options, &problem);
	if (action == OPTIONS_HELP) {
		print_help();
	} else if (action == OPTIONS_VERSION) {
		puts("waybill " WAYBILL_VERSION);
	} else {
		command = find_command(&options, &problem);
		if (problem.exit == PROBLEM_NONE &&
		    options_complete(&options,
			(command->flags & COMMAND_LOGIN) != 0, &problem) == 0)
			status = run(command, &options, &problem);
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		problem_set(
		    &problem, PROBLEM_REFUSED, "cannot write the output");
	explicit_bzero(output, sizeof(output));
	if (problem.exit != PROBLEM_NONE) {
		fprintf(stderr, "waybill: %s\n", problem.text);
		status = exit_status(command, problem.exit);
	}
	options_free(&options);
	return status;
}
