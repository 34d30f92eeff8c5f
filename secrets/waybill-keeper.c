/*
 * waybill-keeper: the only process that holds secrets. It opens the vault,
 * serves a door for each kind of asker, and leaves after everybody else.
 */
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/door.h"
#include "common/log.h"
#include "conf/conf.h"
#include "secrets/answers.h"
#include "secrets/vault.h"

/* One a proxy, and proxies of earlier generations that drain. */
#define ASKERS_MAX   4096
#define FEEDS_MAX    64
#define TRACKERS_MAX 256
#define HOUR_SECONDS 3600
#define ORPHAN_MS    900000 /* beside drain_timeout: an MSA's last reply */
#define PAUSES_MAX   4	    /* before a commit */
#define PAUSE_NS     50000

enum door_of { DOOR_OF_PROXY, DOOR_OF_FEED, DOOR_OF_TRACKER, DOOR_COUNT };

static struct {
	struct event_base *base;
	struct conf *conf;
	struct vault *vault;
	struct door *doors[DOOR_COUNT];
	int log_fd;
	bool draining;
	bool ended; /* the time of the drain is over */
	struct event *hour;
	struct event *limit;
} keeper;

static void
send_answer(
    void *arg, struct question to, unsigned type, const struct wire_out *body)
{
	(void)arg;
	/* An asker has a number that no other one has, at any door. */
	for (int i = 0; i < DOOR_COUNT && to.id != 0; i++)
		door_answer(keeper.doors[i], to.asker, to.id, type, body);
}

static bool
remembers(const struct conf *conf, const char *what)
{
	const struct conf_list *list = &conf->tracking.remember;

	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], what) == 0)
			return true;
	return false;
}

static struct vault_settings
settings_of(const struct conf *conf)
{
	return (struct vault_settings){
		.path = conf->vault.path,
		.keys = conf->vault.keys,
		.hostname = conf->hostname,
		.min_free = conf->vault.min_free,
		.retention = (uint64_t)conf->tracking.retention,
		.queue_lifetime = (uint64_t)conf->msa.queue_lifetime,
		.mints_unfinished = (uint32_t)conf->tracking.mints_unfinished,
		.random = conf->tracking.certifier == CONF_CERTIFIER_RANDOM,
		.remember_message_id = remembers(conf, "message-id"),
		.remember_recipients = remembers(conf, "recipients"),
		.remember_subject = remembers(conf, "subject"),
	};
}

static void
take_settings(void)
{
	struct vault_settings settings = settings_of(keeper.conf);

	vault_set(keeper.vault, &settings);
}

/* Secrets shall not be found in a core or through /proc. */
static void
harden(void)
{
	struct rlimit none = { 0, 0 };

	umask(077);
	if (prctl(PR_SET_DUMPABLE, 0) == -1 ||
	    setrlimit(RLIMIT_CORE, &none) == -1)
		log_warning("keeper", "core dumps cannot be forbidden");
}

static void
configure(struct child_start *start)
{
	int fd = child_take_fd(start, "snapshot");

	keeper.log_fd = child_take_fd(start, "log");
	if (fd == -1 ||
	    (keeper.conf = conf_snapshot_read(fd, CONF_FOR_KEEPER)) == NULL)
		fatal("no configuration came from waybilld");
	close(fd);
	log_start("waybill-keeper", &keeper.conf->log, keeper.log_fd);
}

static void
read_ticket_key(struct child_start *start, struct vault_owner *owner)
{
	int fd = child_take_fd(start, "ticket-key");
	size_t len = 0;
	void *key = fd == -1 ? NULL : child_read_fd(fd, &len);

	if (key == NULL || len != TICKET_KEY_LEN)
		fatal("no ticket key came from waybilld");
	memcpy(owner->ticket_key, key, TICKET_KEY_LEN);
	OPENSSL_cleanse(key, len);
	free(key);
	close(fd);
}

static void
open_vault(struct child_start *start)
{
	struct vault_settings settings = settings_of(keeper.conf);
	struct vault_owner owner = { .reply = send_answer,
		.now = clock_wall_ms };
	char why[2048];

	read_ticket_key(start, &owner);
	keeper.vault = vault_open(&settings, &owner, why, sizeof(why));
	OPENSSL_cleanse(&owner, sizeof(owner));
	if (keeper.vault != NULL)
		return;
	log_error("vault-refused", "%s", why);
	exit(1);
}

/* Who runs the askers: their own user where there are users, else ours. */
static uid_t
asker_uid(const char *user)
{
	struct passwd *pw = getpwnam(keeper.conf->user_keeper);
	uid_t own = geteuid();

	if (pw == NULL || pw->pw_uid != own)
		return own;
	pw = getpwnam(user);
	return pw != NULL ? pw->pw_uid : own;
}

static void
open_door(struct child_start *start, enum door_of door, const char *user,
    const struct door_owner *like)
{
	struct door_owner owner = *like;
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "door.%s", owner.name);
	fd = child_take_fd(start, name);
	if (fd == -1)
		fatal("no %s came from waybilld", name);
	owner.arg = keeper.vault;
	keeper.doors[door] =
	    door_open(keeper.base, fd, asker_uid(user), &owner);
	if (keeper.doors[door] == NULL)
		fatal("the door cannot be opened");
}

/* Each kind of asker has its own door, table and user. */
static void
open_doors(struct child_start *start)
{
	static const struct door_owner proxy = { .name = "keeper.proxy",
		.rules = answers_to_proxy,
		.closed = answers_asker_gone,
		.askers_max = ASKERS_MAX };
	static const struct door_owner feed = { .name = "keeper.feed",
		.rules = answers_to_feed,
		.askers_max = FEEDS_MAX };
	static const struct door_owner tracker = { .name = "keeper.tracker",
		.rules = answers_to_tracker,
		.askers_max = TRACKERS_MAX };

	open_door(start, DOOR_OF_PROXY, keeper.conf->user_proxy, &proxy);
	open_door(start, DOOR_OF_FEED, keeper.conf->user_feed, &feed);
	open_door(start, DOOR_OF_TRACKER, keeper.conf->user_track, &tracker);
}

static void
on_hour(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	vault_hour(keeper.vault);
}

static void
on_limit(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	keeper.ended = true;
}

/* Serve who is still here, the proxies' last replies, and then leave. */
static void
order_drain(uint64_t ms)
{
	struct timeval limit = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000 * 1000) };

	keeper.draining = true;
	event_add(keeper.limit, &limit);
}

static void
order_status(char *out, size_t size)
{
	int len = snprintf(out, size, "askers=%zu ",
	    door_asker_count(keeper.doors[DOOR_OF_PROXY]));

	if (len > 0 && (size_t)len < size)
		vault_status(keeper.vault, out + len, size - (size_t)len);
}

/* Returns NULL where conf may be used, else why not. */
static const char *
refuse_conf(const struct conf *conf)
{
	static char why[256];
	const char *differs;

	if (conf == NULL)
		return "the snapshot cannot be read";
	differs = conf_vault_differs(keeper.conf, conf);
	if (differs == NULL)
		return NULL;
	snprintf(why, sizeof(why),
	    "vault.%s cannot change while the keeper runs: stop and start "
	    "waybilld",
	    differs);
	return why;
}

static void
close_if_open(int fd)
{
	if (fd != -1)
		close(fd);
}

static const char *
order_snapshot(int fd, int log)
{
	struct conf *conf = conf_snapshot_read(fd, CONF_FOR_KEEPER);
	const char *why = refuse_conf(conf);

	close_if_open(fd);
	if (why != NULL) {
		close_if_open(log);
		conf_free(conf);
		return why;
	}
	conf_free(keeper.conf);
	keeper.conf = conf;
	log_start("waybill-keeper", &conf->log, log);
	close_if_open(keeper.log_fd);
	keeper.log_fd = log;
	take_settings();
	return NULL;
}

static bool
order_accept_clock(char *out, size_t size)
{
	return vault_accept_clock(keeper.vault, out, size);
}

static const struct child_orders orders = {
	.drain = order_drain,
	.status = order_status,
	.snapshot = order_snapshot,
	.accept_clock = order_accept_clock,
};

static void
start_timers(void)
{
	struct timeval hour = { HOUR_SECONDS, 0 };

	keeper.hour = event_new(keeper.base, -1, EV_PERSIST, on_hour, NULL);
	keeper.limit = evtimer_new(keeper.base, on_limit, NULL);
	if (keeper.hour == NULL || keeper.limit == NULL ||
	    event_add(keeper.hour, &hour) == -1)
		fatal("no memory for timers");
}

static void
run_events(int flags)
{
	if (event_base_loop(keeper.base, EVLOOP_ONCE | flags) == -1)
		fatal("event loop");
}

/*
 * Under load a pause lets more messages share a sync; where one brings none,
 * the next would not either. The kernel may make a pause twice as long.
 */
static void
gather(void)
{
	const struct timespec moment = { 0, PAUSE_NS };
	size_t have, had = 0;

	for (int i = 0; i < PAUSES_MAX; i++, had = have) {
		have = vault_gathered(keeper.vault);
		if (have <= had)
			break;
		nanosleep(&moment, NULL);
		run_events(EVLOOP_NONBLOCK);
	}
}

/*
 * All that waits in one turn, and what pauses bring, is committed together and
 * answered; what takes long gets what is left, a millisecond a turn.
 */
static void
serve(void)
{
	bool more = false;

	while (!keeper.ended) {
		run_events(more ? EVLOOP_NONBLOCK : 0);
		gather();
		vault_commit(keeper.vault);
		door_flush_all();
		more = vault_slices(keeper.vault);
		door_flush_all();
		clock_new_turn();
		if (vault_is_broken(keeper.vault))
			fatal("the store failed: it is opened again");
		if (keeper.draining && !vault_is_busy(keeper.vault) &&
		    door_asker_count(keeper.doors[DOOR_OF_PROXY]) == 0)
			keeper.ended = true;
	}
}

int
main(void)
{
	static struct child_start start;

	child_begin(&start);
	harden();
	configure(&start);
	child_give_way();
	keeper.base = event_base_new();
	if (keeper.base == NULL)
		fatal("no event loop");
	open_vault(&start);
	open_doors(&start);
	start_timers();
	child_serve(keeper.base, &orders,
	    (uint64_t)keeper.conf->drain_timeout + ORPHAN_MS);
	serve();
	for (int i = 0; i < DOOR_COUNT; i++)
		door_free(keeper.doors[i]);
	door_flush_all();
	vault_close(keeper.vault);
	conf_free(keeper.conf);
	return 0;
}
