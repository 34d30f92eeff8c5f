/*
 * waybill-auth: verdicts on passwords, by libsasl2 (RFC 4954), and tickets
 * for those who logged in. Started by waybilld.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <pwd.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "auth/sasl_setup.h"
#include "auth/worker.h"
#include "common/child.h"
#include "common/log.h"
#include "conf/conf.h"

enum {
	AUTH_SPARE_S = 60,	/* one more than needed leaves after that */
	AUTH_LOOK_S = 10,	/* how often it looks whether to leave */
	AUTH_GRACE_S = 4 * 3600 /* of a ticket, behind the longest session */
};

static struct {
	struct conf *conf;
	struct event_base *base;
	struct event *deadline;
	struct worker *worker;
	uint32_t index;
	bool draining;
	bool running;
	uint8_t ticket_key[TICKET_KEY_LEN];
	struct exchange_site site;
} auth = { .running = true };

static void
on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	auth.running = false;
}

/* Those who are in the middle of a login may finish it. */
static void
drain(uint64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	auth.draining = true;
	worker_stop_accepting(auth.worker);
	event_add(auth.deadline, &tv);
}

static void
status(char *out, size_t size)
{
	struct worker_counts counts;

	worker_count(auth.worker, &counts);
	snprintf(out, size,
	    "exchanges=%zu waiting=%zu accepted=%" PRIu64 " refused=%" PRIu64
	    " temporary=%" PRIu64,
	    counts.exchanges, counts.waiting, counts.accepted, counts.refused,
	    counts.temporary);
}

/* One that was started because the others were busy leaves by itself. */
static void
on_look(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	if (auth.index < (uint64_t)auth.conf->auth.workers ||
	    worker_idle_s(auth.worker) < AUTH_SPARE_S)
		return;
	log_info("spare", "nothing to do; leaving");
	auth.running = false;
}

static void
take_ticket_key(struct child_start *start)
{
	size_t len = 0;
	int fd = child_take_fd(start, "ticket-key");
	uint8_t *key = child_read_fd(fd, &len);

	if (key == NULL || len != TICKET_KEY_LEN)
		fatal("the ticket key cannot be read");
	memcpy(auth.ticket_key, key, len);
	OPENSSL_cleanse(key, len);
	free(key);
	close(fd);
}

/* Who runs as the user configured for us talks to the one for the proxy. */
static uid_t
proxy_uid(const struct conf *conf)
{
	const struct passwd *own = getpwnam(conf->user_auth);
	const struct passwd *proxy;

	if (own == NULL || own->pw_uid != getuid())
		return getuid();
	if ((proxy = getpwnam(conf->user_proxy)) == NULL)
		fatal("there is no user %s", conf->user_proxy);
	return proxy->pw_uid;
}

/* Exchanges are descriptors: as many as the system lets us have. */
static void
raise_limits(void)
{
	struct rlimit files, core = { 0, 0 };

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Passwords pass through this process. */
	setrlimit(RLIMIT_CORE, &core);
	prctl(PR_SET_DUMPABLE, 0);
}

static struct conf *
take_conf(struct child_start *start)
{
	int fd = child_take_fd(start, "snapshot");
	struct conf *conf = conf_snapshot_read(fd, CONF_FOR_AUTH);

	if (conf == NULL)
		fatal("the configuration cannot be read");
	close(fd);
	return conf;
}

static struct sasl_setup *
start_sasl(const struct conf *conf)
{
	struct sasl_setup *setup = sasl_setup_new(conf);

	if (setup == NULL)
		fatal("libsasl2 does not start");
	/* One of many says it; they all have the same configuration. */
	if (auth.index == 0)
		sasl_setup_warn(setup);
	return setup;
}

static void
open_door(const struct conf *conf, int listener)
{
	const struct worker_limits limits = {
		.idle_ms = (uint64_t)conf->auth.idle_timeout,
		/* The proxy gave up at timeout; some more for the others. */
		.step_s = (unsigned)(2 * conf->auth.timeout / 1000) + 1,
	};

	auth.base = event_base_new();
	if (auth.base == NULL)
		fatal("no event loop");
	auth.worker = worker_new(
	    auth.base, listener, proxy_uid(conf), &auth.site, &limits);
	if (auth.worker == NULL)
		fatal("the auth door cannot be served");
}

static const struct conf *
begin(void)
{
	struct child_start start;
	struct conf *conf;

	child_begin(&start);
	auth.index = start.index;
	auth.conf = conf = take_conf(&start);
	log_start("waybill-auth", &conf->log, child_take_fd(&start, "log"));
	child_give_way();
	raise_limits();
	take_ticket_key(&start);
	auth.site = (struct exchange_site){
		.generation = start.generation,
		.setup = start_sasl(conf),
		.ticket_key = auth.ticket_key,
		/* A message begun in time is settled some time after it. */
		.ticket_life =
		    (uint64_t)conf->limits.session_max / 1000 + AUTH_GRACE_S,
		.fold_case = conf->auth.fold_case,
	};
	open_door(conf, child_take_fd(&start, "door.auth"));
	return conf;
}

int
main(void)
{
	static const struct child_orders orders = { .drain = drain,
		.status = status };
	const struct timeval look = { AUTH_LOOK_S, 0 };
	const struct conf *conf = begin();
	struct event *spare;

	auth.deadline = evtimer_new(auth.base, on_deadline, NULL);
	spare = event_new(auth.base, -1, EV_PERSIST, on_look, NULL);
	if (auth.deadline == NULL || spare == NULL ||
	    event_add(spare, &look) == -1)
		fatal("no memory");
	child_serve(auth.base, &orders, (uint64_t)conf->drain_timeout);
	while (auth.running) {
		struct worker_counts counts;

		event_base_loop(auth.base,
		    EVLOOP_ONCE |
			(worker_is_busy(auth.worker) ? EVLOOP_NONBLOCK : 0));
		worker_end_turn(auth.worker);
		worker_count(auth.worker, &counts);
		if (auth.draining && counts.exchanges == 0)
			auth.running = false;
	}
	worker_free(auth.worker);
	OPENSSL_cleanse(auth.ticket_key, sizeof(auth.ticket_key));
	return 0;
}
