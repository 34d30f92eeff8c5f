/*
 * The command line of waybill-feed.
 */
#include "track/feed_options.h"

#include <errno.h>
#include <getopt.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/keeper_messages.h"
#include "track/feed_print.h"

enum { WAIT_DEFAULT_MS = 60000, WAIT_MAX_S = 3600, DOOR_MAX = 107 };

enum option_number {
	OPTION_SOCKET = 1,
	OPTION_MSA,
	OPTION_FORMAT,
	OPTION_FILE,
	OPTION_STDIN,
	OPTION_JOURNAL,
	OPTION_STATE,
	OPTION_SYSLOG_NAME,
	OPTION_FILTER,
	OPTION_JOURNAL_USER,
	OPTION_WAIT,
	OPTION_ONCE,
	OPTION_PRINT,
	OPTION_QUIET,
	OPTION_HELP,
	OPTION_VERSION
};

static const struct option options[] = {
	{ "socket", required_argument, NULL, OPTION_SOCKET },
	{ "msa", required_argument, NULL, OPTION_MSA },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "file", required_argument, NULL, OPTION_FILE },
	{ "stdin", no_argument, NULL, OPTION_STDIN },
	{ "journal", no_argument, NULL, OPTION_JOURNAL },
	{ "state", required_argument, NULL, OPTION_STATE },
	{ "syslog-name", required_argument, NULL, OPTION_SYSLOG_NAME },
	{ "filter", required_argument, NULL, OPTION_FILTER },
	{ "journal-user", required_argument, NULL, OPTION_JOURNAL_USER },
	{ "wait", required_argument, NULL, OPTION_WAIT },
	{ "once", no_argument, NULL, OPTION_ONCE },
	{ "print", no_argument, NULL, OPTION_PRINT },
	{ "quiet", no_argument, NULL, OPTION_QUIET },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static const char help[] =
    "usage: waybill-feed --socket PATH --msa NAME\n"
    "           (--file PATH | --stdin | --journal) [options]\n"
    "       waybill-feed --print (--file PATH | --stdin | --journal)\n\n"
    "Follow a mail server's log, and tell Waybill what became of its "
    "messages.\n"
    "waybilld runs it by itself where msa has a section log.\n\n"
    "  --socket PATH        the keeper's feed door: keeper-feed in run_dir, "
    "or a\n"
    "                       socket that leads there (ssh -L)\n"
    "  --msa NAME           the title of section msa in waybill.conf\n"
    "  --format FORMAT      postfix (default), exim or json\n"
    "  --file PATH          follow this file, across its rotation\n"
    "  --stdin              read the log from standard input\n"
    "  --journal            read journalctl -o export from standard input\n"
    "  --journal-user USER  who the mail server runs as (postfix or "
    "Debian-exim)\n"
    "  --state PATH         keep there how far the log is read\n"
    "  --syslog-name NAME   how Postfix's programs are named (postfix)\n"
    "  --filter ADDRESS     a content filter, beside those of this machine\n"
    "  --wait SECONDS       for a queue id to become known (60)\n"
    "  --once               end when all that is there is read and accepted\n"
    "  --print              write JSON lines to standard output, send "
    "nothing\n"
    "  --quiet              no progress\n"
    "  --help, --version\n\n"
    "Exit status: 0 told to end, or done; 1 failed; 64 wrong options.\n";

static void
usage(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

static void
usage(const char *format, ...)
{
	va_list ap;

	fputs("waybill-feed: ", stderr);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputs("\nTry waybill-feed --help.\n", stderr);
	exit(FEED_EXIT_USAGE);
}

static enum log_format
read_format(const char *word)
{
	static const char *const words[] = { [LOG_FORMAT_POSTFIX] = "postfix",
		[LOG_FORMAT_EXIM] = "exim",
		[LOG_FORMAT_JSON] = "json" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return (enum log_format)i;
	usage("--format %s: it is postfix, exim or json", word);
}

static uint64_t
read_wait(const char *text)
{
	char *end;
	unsigned long seconds;

	errno = 0;
	seconds = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || end == text || text[0] == '-' ||
	    seconds > WAIT_MAX_S)
		usage("--wait %s: it takes seconds, at most %d", text,
		    WAIT_MAX_S);
	return seconds * 1000;
}

static void
add_filter(struct feed_command *c, const char *address)
{
	size_t count = 0;

	while (c->filters[count] != NULL)
		count++;
	if (count == FEED_FILTERS_MAX)
		usage("--filter: at most %d of them", FEED_FILTERS_MAX);
	c->filters[count] = address;
}

static const char *
read_path(const char *name, const char *path)
{
	if (path[0] == '\0')
		usage("--%s: it takes a path", name);
	return path;
}

static void
read_text_option(struct feed_command *c, int number, const char *text)
{
	switch (number) {
	case OPTION_SOCKET:
		c->feed.door = read_path("socket", text);
		break;
	case OPTION_MSA:
		c->feed.msa = text;
		break;
	case OPTION_FORMAT:
		c->feed.format = read_format(text);
		break;
	case OPTION_FILE:
		c->feed.path = read_path("file", text);
		break;
	case OPTION_STATE:
		c->state = read_path("state", text);
		break;
	case OPTION_SYSLOG_NAME:
		c->feed.syslog_name = text;
		break;
	case OPTION_FILTER:
		add_filter(c, text);
		break;
	case OPTION_JOURNAL_USER:
		c->journal_user = text;
		break;
	default:
		c->feed.wait = read_wait(text);
	}
}

static void
read_flag(struct feed_command *c, int number)
{
	switch (number) {
	case OPTION_STDIN:
		c->standard_input = true;
		break;
	case OPTION_JOURNAL:
		c->feed.journal = true;
		break;
	case OPTION_ONCE:
		c->feed.once = true;
		break;
	case OPTION_PRINT:
		c->print = true;
		break;
	case OPTION_QUIET:
		c->quiet = true;
		break;
	case OPTION_HELP:
		fputs(help, stdout);
		exit(0);
	case OPTION_VERSION:
		puts("waybill-feed " WAYBILL_VERSION);
		exit(0);
	default:
		fputs("Try waybill-feed --help.\n", stderr);
		exit(FEED_EXIT_USAGE);
	}
}

static void
check_input(const struct feed_command *c)
{
	int inputs =
	    (c->feed.path != NULL) + c->standard_input + c->feed.journal;

	if (inputs != 1)
		usage("one of --file, --stdin and --journal is needed");
	if (c->feed.journal && c->feed.format == LOG_FORMAT_JSON)
		usage("--journal goes with --format postfix or exim");
	if (c->journal_user != NULL && !c->feed.journal)
		usage("--journal-user goes with --journal");
	if (c->state != NULL && c->standard_input)
		usage("--state does not go with --stdin: what comes in again "
		      "counts once, whoever repeats it");
}

static void
check_output(const struct feed_command *c)
{
	if (c->print && (c->feed.door != NULL || c->state != NULL))
		usage("--print sends nothing: it goes without --socket and "
		      "--state");
	if (c->print)
		return;
	if (c->feed.door == NULL)
		usage("--socket is needed (or --print)");
	if (strlen(c->feed.door) > DOOR_MAX)
		usage("--socket: a socket's path has at most %d octets",
		    DOOR_MAX);
	if (c->feed.msa == NULL)
		usage("--msa is needed: the title of section msa in "
		      "waybill.conf");
	if (strlen(c->feed.msa) > MSA_NAME_MAX)
		usage("--msa: at most %d octets", MSA_NAME_MAX);
}

/* Root's entries count too, so that an unknown usual user is no mistake. */
static uid_t
find_journal_user(const struct feed_command *c)
{
	const char *usual =
	    c->feed.format == LOG_FORMAT_EXIM ? "Debian-exim" : "postfix";
	const char *name = c->journal_user != NULL ? c->journal_user : usual;
	const struct passwd *pw = getpwnam(name);

	if (pw == NULL && c->journal_user != NULL)
		usage("--journal-user: there is no user %s", name);
	return pw != NULL ? pw->pw_uid : 0;
}

void
feed_options_read(struct feed_command *c, int argc, char **argv)
{
	int number;

	*c = (struct feed_command){ .feed = { .wait = WAIT_DEFAULT_MS } };
	while ((number = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (optarg != NULL)
			read_text_option(c, number, optarg);
		else
			read_flag(c, number);
	}
	if (optind < argc)
		usage("%s: it takes options only", argv[optind]);
	check_input(c);
	check_output(c);
	c->feed.filters = c->filters;
	if (c->feed.journal)
		c->feed.journal_uid = find_journal_user(c);
	if (c->print)
		c->feed.print = feed_print;
}
