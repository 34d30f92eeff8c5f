/*
 * waybilld: reads the configuration, binds, starts the other processes and
 * watches them. It never sees an octet from the network.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/child.h"
#include "common/door.h"
#include "common/log.h"
#include "common/ticket.h"
#include "common/turn.h"
#include "conf/conf.h"
#include "daemon/operator.h"
#include "daemon/reload.h"
#include "daemon/run_dir.h"
#include "daemon/secret_file.h"
#include "daemon/supervisor.h"

enum { EXIT_CONFIGURATION = 2, PENALTIES_LEN = 1 << 20 };

static const char usage[] =
    "usage: waybilld [-t] [-c FILE]\n"
    "  -c, --config FILE  the configuration (/etc/waybill/waybill.conf)\n"
    "  -t, --test         check the configuration, say what is wrong, and end\n"
    "  -V, --version      print the version\n"
    "  -h, --help         print this\n";

struct options {
	const char *file;
	bool test;
};

static void
read_options(int argc, char **argv, struct options *options)
{
	static const struct option known[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "test", no_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*options = (struct options){ "/etc/waybill/waybill.conf", false };
	while ((c = getopt_long(argc, argv, "c:thV", known, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->file = optarg;
			break;
		case 't':
			options->test = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		case 'V':
			puts("waybilld " WAYBILL_VERSION);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(EXIT_CONFIGURATION);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "waybilld: what is \"%s\"?\n%s", argv[optind],
		    usage);
		exit(EXIT_CONFIGURATION);
	}
}

/* -t: returns the exit status. */
static int
test_configuration(const char *file)
{
	struct identity ids[ROLE_COUNT];
	struct conf *conf = conf_read(file);
	int status = EXIT_CONFIGURATION;
	char why[512];

	if (conf == NULL)
		return status;
	if (identities_find(conf, ids, why, sizeof(why)) < 0) {
		fprintf(stderr, "%s: %s\n", file, why);
	} else {
		printf("%s: configuration is good\n", file);
		status = 0;
	}
	conf_free(conf);
	return status;
}

/* Descriptors 0 to 2 exist, or sockets would take their numbers. */
static void
keep_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* Sessions take descriptors: as many as the system allows us. */
static void
raise_limits(const struct conf *conf)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)conf->limits.sessions * 2 + 200;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < wanted)
		log_warning("descriptors",
		    "the limit is %llu, limits.sessions may need %llu; raise "
		    "LimitNOFILE or lower sessions",
		    (unsigned long long)limit.rlim_max,
		    (unsigned long long)wanted);
}

static void
warn_shared_uid(const struct generation *g)
{
	const struct identity *ids = g->identities;
	bool shared = false, root = false;

	for (int a = 0; a < ROLE_COUNT; a++) {
		if (!role_is_wanted(g->conf, (enum role)a))
			continue;
		root = root || ids[a].uid == 0;
		for (int b = 0; b < a; b++)
			shared = shared ||
			    (role_is_wanted(g->conf, (enum role)b) &&
				ids[a].uid == ids[b].uid);
	}
	if (shared)
		log_warning("shared-uid",
		    "processes share a uid, so one that is taken over can "
		    "reach what another keeps; start waybilld as root with "
		    "users of "
		    "their own");
	if (geteuid() == 0 && root)
		log_warning("root",
		    "a user_ of the configuration is root: a process that is "
		    "taken over has the machine");
}

/* Where others ask auth and keeper, each as the one who may. */
static int
open_doors(struct supervisor *s, char *why, size_t size)
{
	const struct identity *ids = s->current->identities;
	struct lasting *l = &s->lasting;
	const struct {
		const char *path;
		const struct identity *asker;
		int *door;
	} doors[] = {
		{ DOOR_AUTH_PATH, &ids[ROLE_PROXY], &l->door_auth },
		{ DOOR_KEEPER_PROXY_PATH, &ids[ROLE_PROXY], &l->door_keeper },
		{ DOOR_KEEPER_FEED_PATH, &ids[ROLE_FEED], &l->door_feed },
		{ DOOR_KEEPER_TRACK_PATH, &ids[ROLE_TRACK], &l->door_tracker },
	};

	for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
		*doors[i].door = run_dir_door(
		    s->run_dir, doors[i].path, doors[i].asker, why, size);
		if (*doors[i].door < 0)
			return -1;
	}
	return 0;
}

/* Everything that outlives generations. Returns -1 with why. */
static int
open_lasting(struct supervisor *s, char *why, size_t size)
{
	struct identity self = { .uid = geteuid() };
	struct lasting *l = &s->lasting;
	int control;

	l->ticket_key = secret_file_random("ticket-key", TICKET_KEY_LEN);
	l->penalties = secret_file_shared("penalties", PENALTIES_LEN);
	if (l->ticket_key < 0 || l->penalties < 0) {
		snprintf(why, size, "memfd: %s", strerror(errno));
		return -1;
	}
	if (open_doors(s, why, size) < 0)
		return -1;
	control =
	    run_dir_door(s->run_dir, DOOR_OPERATOR_PATH, &self, why, size);
	if (control < 0)
		return -1;
	s->operators = operator_open(s, control);
	if (s->operators == NULL)
		fatal("out of memory");
	return 0;
}

static void
on_signal(evutil_socket_t number, short what, void *arg)
{
	struct supervisor *s = arg;

	(void)what;
	if (number == SIGCHLD)
		supervisor_reap(s);
	else if (number == SIGHUP)
		reload_begin(s);
	else
		stop_order(s);
}

static void
run(struct supervisor *s)
{
	static const int numbers[] = { SIGCHLD, SIGHUP, SIGTERM, SIGINT };
	struct event *signals[sizeof(numbers) / sizeof(numbers[0])];
	sigset_t none;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		signals[i] = evsignal_new(s->base, numbers[i], on_signal, s);
		if (signals[i] == NULL || event_add(signals[i], NULL) != 0)
			fatal("out of memory");
	}
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	supervisor_start(s);
	while (s->stop != STOP_DONE) {
		if (event_base_loop(s->base, EVLOOP_ONCE) < 0)
			fatal("event loop: %s", strerror(errno));
		door_flush_all();
		turn_end();
	}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		event_free(signals[i]);
}

/*
 * SIGTERM and the others wait until the event loop takes them, but for the
 * wait for an earlier waybilld's children. Returns -1 with why, or -2 for a
 * signal.
 */
static int
claim(struct supervisor *s, const struct conf *conf, char *why, size_t size)
{
	uint64_t wait_ms = (uint64_t)conf->drain_timeout + 5000;
	sigset_t stop;

	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	if (run_dir_claim(conf->run_dir, why, size) < 0)
		return -1;
	s->lasting.children_lock =
	    run_dir_wait_children(conf->run_dir, wait_ms, why, size);
	return s->lasting.children_lock < 0 ? s->lasting.children_lock : 0;
}

static int
set_up(struct supervisor *s, struct conf *conf, char *why, size_t size)
{
	int claimed;

	s->run_dir = strdup(conf->run_dir);
	s->base = event_base_new();
	if (s->run_dir == NULL || s->base == NULL)
		fatal("out of memory");
	claimed = claim(s, conf, why, size);
	if (claimed < 0) {
		conf_free(conf);
		return claimed;
	}
	s->current = generation_new(conf, ++s->last_number, NULL, why, size);
	if (s->current == NULL)
		return -1;
	log_start("waybilld", &conf->log, s->current->log);
	log_info("starting", "version " WAYBILL_VERSION ", configuration %s",
	    s->file);
	raise_limits(conf);
	warn_shared_uid(s->current);
	run_dir_make_vault(conf, &s->current->identities[ROLE_KEEPER]);
	run_dir_make_feed(conf, &s->current->identities[ROLE_FEED]);
	if (open_lasting(s, why, size) < 0)
		return -1;
	listeners_log(&s->current->listeners);
	return 0;
}

static void
remove_doors(const char *run_dir)
{
	static const char *const names[] = { DOOR_AUTH_PATH,
		DOOR_KEEPER_PROXY_PATH, DOOR_KEEPER_FEED_PATH,
		DOOR_KEEPER_TRACK_PATH, DOOR_OPERATOR_PATH };
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", run_dir, names[i]);
		unlink(path);
	}
}

int
main(int argc, char **argv)
{
	struct supervisor s = { .lasting = { -1, -1, -1, -1, -1, -1, -1 } };
	struct options options;
	struct conf *conf;
	char why[512] = "";
	int status;

	read_options(argc, argv, &options);
	if (options.test)
		return test_configuration(options.file);
	umask(022);
	keep_stdio();
	conf = conf_read(options.file);
	if (conf == NULL)
		return EXIT_CONFIGURATION;
	log_start("waybilld", NULL, -1);
	TAILQ_INIT(&s.processes);
	s.file = options.file;
	status = set_up(&s, conf, why, sizeof(why));
	if (status < 0) {
		if (status == -1)
			log_error("not-started", "%s", why);
		free(s.run_dir);
		return status == -1;
	}
	run(&s);
	remove_doors(s.run_dir);
	operator_free(s.operators);
	door_flush_all();
	supervisor_free(&s);
	event_base_free(s.base);
	return 0;
}
