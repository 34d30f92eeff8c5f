/*
 * What the user wants: the command line, and behind it the configuration
 * file.
 */
#include "token/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "token/options_file.h"
#include "token/since.h"

#define DEFAULT_LIMIT 25
#define LIMIT_MAX     1000000
#define SECONDS_MAX   86400

enum {
#define OPTIONS_NUMBER(kind, name, ...) OPTION_##name,
	OPTIONS_LIST(OPTIONS_NUMBER)
#undef OPTIONS_NUMBER
	    OPTION_COUNT,
	OPTION_BASE = 256,
	OPTION_NO_VERIFY = OPTION_BASE + OPTION_COUNT,
	OPTION_JSON,
	OPTION_SINCE,
	OPTION_LIMIT,
	OPTION_WATCH,
	OPTION_NO_FOLLOW,
	OPTION_NO_TLS,
	OPTION_TIMEOUT,
	OPTION_INTERVAL,
	OPTION_VERSION
};

static const struct option long_options[] = {
#define OPTIONS_LONG(kind, name, line, ...)                                    \
	{ line, required_argument, NULL, OPTION_BASE + OPTION_##name },
	OPTIONS_LIST(OPTIONS_LONG)
#undef OPTIONS_LONG
	    { "config", required_argument, NULL, 'c' },
	{ "no-verify", no_argument, NULL, OPTION_NO_VERIFY },
	{ "json", no_argument, NULL, OPTION_JSON },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "watch", no_argument, NULL, OPTION_WATCH },
	{ "no-follow", no_argument, NULL, OPTION_NO_FOLLOW },
	{ "no-tls", no_argument, NULL, OPTION_NO_TLS },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "interval", required_argument, NULL, OPTION_INTERVAL },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ NULL, 0, NULL, 0 },
};

static void
set_text(char **member, const char *value)
{
	free(*member);
	*member = strdup(value);
}

static char **
text_member(struct options *o, int number)
{
	char **members[] = {
#define OPTIONS_ADDRESS(kind, name, ...) &o->name,
		OPTIONS_LIST(OPTIONS_ADDRESS)
#undef OPTIONS_ADDRESS
	};

	return members[number];
}

static int
read_number(const char *text, unsigned long max, unsigned long *out)
{
	char *end;

	errno = 0;
	*out = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 ||
	    *out < 1 || *out > max)
		return -1;
	return 0;
}

static int
read_list_option(struct options *o, int option, int64_t now, struct problem *p)
{
	o->has_list = true;
	if (option == OPTION_LIMIT &&
	    read_number(optarg, LIMIT_MAX, &o->limit) != 0)
		return problem_set(p, PROBLEM_USAGE,
		    "--limit %s: give a number from 1 to %d", optarg,
		    LIMIT_MAX);
	if (option == OPTION_SINCE && since_read(optarg, now, &o->since) != 0)
		return problem_set(p, PROBLEM_USAGE,
		    "--since %s: give a date (2026-11-22), a time "
		    "(2026-11-22T08:00:00Z) or an age (90m, 12h, 3d)",
		    optarg);
	return OPTIONS_RUN;
}

static int
read_seconds(const char *option, unsigned long *out, struct problem *p)
{
	if (read_number(optarg, SECONDS_MAX, out) == 0)
		return OPTIONS_RUN;
	return problem_set(p, PROBLEM_USAGE,
	    "%s %s: give seconds, from 1 to %d", option, optarg, SECONDS_MAX);
}

static int
read_track_option(struct options *o, int option, struct problem *p)
{
	o->has_track = true;
	switch (option) {
	case OPTION_WATCH:
		o->watch = true;
		return OPTIONS_RUN;
	case OPTION_NO_FOLLOW:
		o->no_follow = true;
		return OPTIONS_RUN;
	case OPTION_NO_TLS:
		o->no_tls = true;
		return OPTIONS_RUN;
	case OPTION_TIMEOUT:
		return read_seconds("--timeout", &o->timeout, p);
	default:
		return read_seconds("--interval", &o->interval, p);
	}
}

static int
read_option(struct options *o, int option, int64_t now, struct problem *p)
{
	if (option >= OPTION_BASE && option < OPTION_BASE + OPTION_COUNT) {
		set_text(text_member(o, option - OPTION_BASE), optarg);
		return OPTIONS_RUN;
	}
	switch (option) {
	case 'c':
		set_text(&o->file, optarg);
		return OPTIONS_RUN;
	case OPTION_NO_VERIFY:
		o->no_verify = true;
		return OPTIONS_RUN;
	case OPTION_JSON:
		o->json = true;
		return OPTIONS_RUN;
	case OPTION_SINCE:
	case OPTION_LIMIT:
		return read_list_option(o, option, now, p);
	case OPTION_WATCH:
	case OPTION_NO_FOLLOW:
	case OPTION_NO_TLS:
	case OPTION_TIMEOUT:
	case OPTION_INTERVAL:
		return read_track_option(o, option, p);
	case 'h':
		return OPTIONS_HELP;
	default:
		return OPTIONS_VERSION;
	}
}

int
options_read_line(
    int argc, char **argv, int64_t now, struct options *o, struct problem *p)
{
	int option, action = OPTIONS_RUN;

	*o = (struct options){ .limit = DEFAULT_LIMIT,
		.timeout = OPTIONS_TIMEOUT };
	optind = 0;
	while (action <= OPTIONS_RUN &&
	    (option = getopt_long(argc, argv, ":c:h", long_options, NULL)) !=
		-1) {
		if (option == '?' || option == ':')
			problem_set(p, PROBLEM_USAGE,
			    "%s: %s; see waybill --help", argv[optind - 1],
			    option == ':' ? "its argument is missing"
					  : "unknown option");
		else
			action = read_option(o, option, now, p);
		if (p->exit != PROBLEM_NONE)
			action = -1;
	}
	o->words = argv + optind;
	o->word_count = argc - optind;
	return action;
}

static int
check_tracking(struct options *o, struct problem *p)
{
	bool offered = strcmp(o->track_tls, "offered") == 0;

	if (!offered && strcmp(o->track_tls, "required") != 0)
		return problem_set(p, PROBLEM_USAGE,
		    "track_tls = \"%s\": give required or offered",
		    o->track_tls);
	if (o->no_tls && !offered)
		return problem_set(p, PROBLEM_USAGE,
		    "--no-tls: the message's secret goes out in the clear only "
		    "where track_tls = \"offered\" says so too");
	return 0;
}

int
options_lack_user(const struct options *o, struct problem *p)
{
	return problem_set(p, PROBLEM_USAGE,
	    "who are you? Set user = \"...\" in %s, or give --user", o->file);
}

static int
check(struct options *o, bool login, struct problem *p)
{
	unsigned long port;

	if (strcmp(o->tls, "implicit") == 0)
		o->tls_implicit = true;
	else if (strcmp(o->tls, "starttls") != 0)
		return problem_set(p, PROBLEM_USAGE,
		    "tls = \"%s\": give starttls or implicit; a password never "
		    "goes out without TLS",
		    o->tls);
	o->port_number = o->tls_implicit ? 465 : 587;
	if (o->port != NULL) {
		if (read_number(o->port, 65535, &port) != 0)
			return problem_set(p, PROBLEM_USAGE,
			    "port = %s: give a number from 1 to 65535",
			    o->port);
		o->port_number = (unsigned)port;
	}
	if (login && o->user == NULL)
		return options_lack_user(o, p);
	return check_tracking(o, p);
}

int
options_complete(struct options *o, bool login, struct problem *p)
{
	return options_file_read(o, p) == 0 ? check(o, login, p) : -1;
}

void
options_usage(FILE *out)
{
#define OPTIONS_LINE(kind, name, line, argument, value, what)                  \
	fprintf(out, "  --%-28s %s\n", line " " argument, what);
	OPTIONS_LIST(OPTIONS_LINE)
#undef OPTIONS_LINE
}

void
options_free(struct options *o)
{
#define OPTIONS_FREE(kind, name, ...) free(o->name);
	OPTIONS_LIST(OPTIONS_FREE)
#undef OPTIONS_FREE
	free(o->file);
	*o = (struct options){ 0 };
}
