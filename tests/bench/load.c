/*
 * A load of mail clients, for make bench: sessions side by side that log in
 * and submit messages, every reply checked, and sessions that log in and stay.
 *
 *	build/bench/load PORT name=value ...
 *
 * tls=none|starttls|implicit clients= sessions= messages= size= pipelined=1
 * resume=1 idle= users= password= seconds= host=
 *
 * With idle=N it logs in N sessions, says "idle" and waits for a line before
 * it goes on; they must still be there in the end. It prints one line of
 * name=value, and fails at the first reply that is not as it should be.
 */
#include "tests/bench/load.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

struct load load;

double
wall(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
set_tls(const char *value)
{
	if (strcmp(value, "none") == 0)
		load.options.tls = TLS_NONE;
	else if (strcmp(value, "starttls") == 0)
		load.options.tls = TLS_STARTTLS;
	else if (strcmp(value, "implicit") == 0)
		load.options.tls = TLS_IMPLICIT;
	else
		errx(2, "tls=%s", value);
}

static void
set_option(const char *word)
{
	struct load_options *o = &load.options;
	const char *value = strchr(word, '=');
	unsigned long number;
	struct {
		const char *name;
		unsigned *to;
	} numbers[] = { { "clients=", &o->clients },
		{ "sessions=", &o->sessions }, { "messages=", &o->messages },
		{ "idle=", &o->idle }, { "users=", &o->users },
		{ "seconds=", &o->seconds } };

	if (value == NULL)
		errx(2, "%s: name=value is wanted", word);
	number = strtoul(++value, NULL, 10);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strncmp(word, numbers[i].name, (size_t)(value - word)) != 0)
			continue;
		*numbers[i].to = (unsigned)number;
		return;
	}
	if (strncmp(word, "tls=", 4) == 0)
		set_tls(value);
	else if (strncmp(word, "size=", 5) == 0)
		o->size = number;
	else if (strncmp(word, "pipelined=", 10) == 0)
		o->pipelined = number != 0;
	else if (strncmp(word, "resume=", 7) == 0)
		o->resume = number != 0;
	else if (strncmp(word, "host=", 5) == 0)
		o->host = value;
	else if (strncmp(word, "password=", 9) == 0)
		o->password = value;
	else
		errx(2, "no option %s", word);
}

static int
keep_ticket(SSL *ssl, SSL_SESSION *ticket)
{
	(void)ssl;
	SSL_SESSION_free(load.ticket);
	load.ticket = ticket;
	return 1;
}

/* A server's certificate is the runner's own, so nobody verifies it. */
static void
prepare_tls(void)
{
	load.tls = SSL_CTX_new(TLS_client_method());
	if (load.tls == NULL)
		errx(1, "no TLS");
	SSL_CTX_set_min_proto_version(load.tls, TLS1_3_VERSION);
	SSL_CTX_set_mode(load.tls,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	if (load.options.resume) {
		SSL_CTX_set_session_cache_mode(load.tls,
		    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
		SSL_CTX_sess_set_new_cb(load.tls, keep_ticket);
	}
}

static void
make_room(struct samples *samples, size_t room)
{
	samples->room = room;
	samples->of = calloc(room + 1, sizeof(*samples->of));
	if (samples->of == NULL)
		err(1, NULL);
}

static void
prepare(void)
{
	struct load_options *o = &load.options;
	struct rlimit files;

	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	make_room(&load.login, o->sessions);
	make_room(&load.message, (size_t)o->sessions * o->messages);
	load.idle = calloc(o->idle + 1, sizeof(struct session *));
	load.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load.idle == NULL || load.epoll == -1)
		err(1, NULL);
	prepare_tls();
	alarm(o->seconds);
}

void
load_ended(void)
{
	load.active--;
	load.ended++;
}

static void
turn(void)
{
	struct epoll_event events[256];
	int count = epoll_wait(load.epoll, events, 256, 1000);

	if (count == -1 && errno != EINTR)
		err(1, "epoll_wait");
	for (int i = 0; i < count; i++)
		session_ready(events[i].data.ptr);
}

static void
log_in_idle(void)
{
	unsigned wanted = load.options.idle, clients = load.options.clients;
	char answer[16];

	while (load.held < wanted) {
		while (
		    load.started < wanted && load.started - load.held < clients)
			session_start(true);
		turn();
	}
	puts("idle");
	fflush(stdout);
	if (fgets(answer, sizeof(answer), stdin) == NULL)
		exit(0);
	load.active = 0;
}

static void
run_sessions(void)
{
	unsigned last = load.started + load.options.sessions;

	while (load.started < last || load.active > 0) {
		while (
		    load.started < last && load.active < load.options.clients)
			session_start(false);
		turn();
	}
}

static void
end_idle(void)
{
	for (unsigned i = 0; i < load.held; i++) {
		session_quit(load.idle[i]);
		while (load.active >= load.options.clients)
			turn();
	}
	while (load.active > 0)
		turn();
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void
tell_samples(const char *name, struct samples *samples)
{
	double *of = samples->of;
	size_t last = samples->count - 1;

	if (samples->count == 0)
		return;
	qsort(of, samples->count, sizeof(*of), by_size);
	printf(" %s_p50_ms=%.4f %s_p99_ms=%.4f %s_max_ms=%.4f", name,
	    of[last / 2] * 1e3, name, of[last * 99 / 100] * 1e3, name,
	    of[last] * 1e3);
}

int
main(int argc, char **argv)
{
	double began;

	load.options = (struct load_options){ .host = "127.0.0.1",
		.password = "secret",
		.tls = TLS_STARTTLS,
		.clients = 1,
		.sessions = 1,
		.messages = 1,
		.users = 1,
		.seconds = 120,
		.size = 2048 };
	if (argc < 2)
		errx(2, "usage: load PORT name=value ...");
	load.options.port = atoi(argv[1]);
	for (int i = 2; i < argc; i++)
		set_option(argv[i]);
	prepare();
	if (load.options.idle > 0)
		log_in_idle();
	began = wall();
	run_sessions();
	began = wall() - began;
	end_idle();
	if (load.ended != load.options.sessions + load.options.idle)
		errx(1, "%u sessions ended", load.ended);
	printf("sessions=%u messages=%lu wall=%.4f resumed=%u",
	    load.options.sessions, load.messages, began, load.resumed);
	tell_samples("login", &load.login);
	tell_samples("message", &load.message);
	puts("");
	return 0;
}
