/*
 * waybillctl: the operator's questions to a running waybilld.
 */
#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/child.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "conf/conf.h"
#include "daemon/status_table.h"

enum { EXIT_REFUSED = 1, EXIT_USAGE = 2 };

static const char usage[] =
    "usage: waybillctl [-c FILE | -d RUN_DIR] [--json] COMMAND\n"
    "  status        processes, uptimes, restarts, sessions\n"
    "  reload        read configuration and certificates again\n"
    "  stop          finish the sessions and end\n"
    "  accept-clock  the clock is right, although it leapt\n"
    "  -c, --config FILE      take run_dir from this configuration\n"
    "                         (/etc/waybill/waybill.conf)\n"
    "  -d, --run-dir RUN_DIR  waybilld's run_dir\n"
    "  -j, --json             status as JSON\n"
    "  -V, --version  -h, --help\n";

static const struct command {
	const char *name;
	unsigned question;
	unsigned wait_ms;
} commands[] = {
	{ "status", MSG_OPERATOR_STATUS, 5000 },
	{ "reload", MSG_OPERATOR_RELOAD, 60000 },
	{ "stop", MSG_OPERATOR_STOP, 5000 },
	{ "accept-clock", MSG_OPERATOR_ACCEPT_CLOCK, 10000 },
};

struct options {
	const char *file;
	const char *run_dir;
	bool json;
	const struct command *command;
};

struct answer {
	struct event_base *base;
	bool came;
	bool done;
	char *text;
};

static _Noreturn void
refuse_usage(const char *what)
{
	if (what != NULL)
		fprintf(stderr, "waybillctl: what is \"%s\"?\n", what);
	fputs(usage, stderr);
	exit(EXIT_USAGE);
}

static void
read_command(int argc, char **argv, struct options *o)
{
	if (argc - optind != 1)
		refuse_usage(argc > optind ? argv[optind + 1] : NULL);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, argv[optind]) == 0)
			o->command = &commands[i];
	if (o->command == NULL)
		refuse_usage(argv[optind]);
}

static void
read_options(int argc, char **argv, struct options *o)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "run-dir", required_argument, NULL, 'd' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*o = (struct options){ NULL, NULL, false, NULL };
	while ((c = getopt_long(argc, argv, "c:d:jhV", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->file = optarg;
			break;
		case 'd':
			o->run_dir = optarg;
			break;
		case 'j':
			o->json = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("waybillctl " WAYBILL_VERSION);
			exit(0);
		default:
			refuse_usage(NULL);
		}
	}
	if (o->file != NULL && o->run_dir != NULL)
		refuse_usage("-c with -d");
	read_command(argc, argv, o);
}

/* Where waybilld's door is. Exits where the configuration cannot tell. */
static char *
find_run_dir(const struct options *o)
{
	static const char usual[] = "/etc/waybill/waybill.conf";
	char *run_dir;

	if (o->run_dir != NULL)
		run_dir = strdup(o->run_dir);
	else if (o->file == NULL && access(usual, R_OK) != 0)
		run_dir = strdup("/run/waybill");
	else
		run_dir = conf_read_run_dir(
		    o->file != NULL ? o->file : usual, stderr);
	if (run_dir == NULL)
		exit(EXIT_USAGE);
	return run_dir;
}

/* Why nobody answers there, as a sentence; NULL where somebody would. */
static const char *
try_door(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const char *why = NULL;

	memcpy(un.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) != 0) {
		why = strerror(errno);
		if (errno == ENOENT || errno == ECONNREFUSED)
			why = "waybilld does not run";
		else if (errno == EACCES)
			why = "only root and the user who started waybilld "
			      "may ask";
	}
	if (fd >= 0)
		close(fd);
	return why;
}

static void
on_answer(void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	struct answer *a = arg;

	(void)who;
	a->came = type == MSG_OPERATOR_IS;
	if (a->came) {
		struct octets text;

		a->done = wire_get_u8(body) != 0;
		text = wire_get_octets(body, WIRE_BODY_MAX);
		if (wire_end(body) == 0)
			a->text = strndup((const char *)text.data, text.len);
	}
	event_base_loopbreak(a->base);
}

static void
ask(const char *path, const struct command *command, struct answer *a)
{
	struct link *link;

	a->base = event_base_new();
	link = a->base != NULL ? link_new_once(a->base, path, a) : NULL;
	if (link == NULL ||
	    link_ask(link, command->question, NULL, command->wait_ms, on_answer,
		0) == 0) {
		fputs("waybillctl: out of memory\n", stderr);
		exit(EXIT_REFUSED);
	}
	link_flush_all();
	while (!a->came && !event_base_got_break(a->base) &&
	    event_base_loop(a->base, EVLOOP_ONCE) == 0)
		link_flush_all();
	link_free(link);
	link_flush_all();
	event_base_free(a->base);
}

static int
show(const struct options *o, const struct answer *a)
{
	size_t len = strlen(a->text);
	FILE *out = a->done ? stdout : stderr;

	if (!a->done || o->command->question != MSG_OPERATOR_STATUS)
		fprintf(out, "%s%s", a->text,
		    len > 0 && a->text[len - 1] == '\n' ? "" : "\n");
	else if (o->json)
		status_print_json(a->text, stdout);
	else
		status_print_table(a->text, stdout);
	return a->done ? 0 : EXIT_REFUSED;
}

int
main(int argc, char **argv)
{
	struct options o;
	struct answer a = { 0 };
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)], *run_dir;
	const char *why;
	int status;

	read_options(argc, argv, &o);
	run_dir = find_run_dir(&o);
	if (snprintf(path, sizeof(path), "%s/%s", run_dir,
		DOOR_OPERATOR_PATH) >= (int)sizeof(path))
		refuse_usage(run_dir);
	why = try_door(path);
	if (why != NULL) {
		fprintf(stderr, "waybillctl: %s: %s\n", path, why);
		free(run_dir);
		return EXIT_REFUSED;
	}
	free(run_dir);
	ask(path, o.command, &a);
	if (!a.came || a.text == NULL) {
		fprintf(stderr, "waybillctl: waybilld did not answer\n");
		return EXIT_REFUSED;
	}
	status = show(&o, &a);
	free(a.text);
	return status;
}
