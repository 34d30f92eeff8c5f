/*
 * waybill-track: the MTQP server (RFC 3887). It tells whoever presents A what
 * became of one message; it holds TLS keys, and asks the keeper.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/child.h"
#include "common/clients.h"
#include "common/drain.h"
#include "common/inner_host.h"
#include "common/link.h"
#include "common/log.h"
#include "common/stream.h"
#include "common/turn.h"
#include "conf/conf.h"
#include "track/tracker.h"

static struct tracker tracker;

static size_t
track_sessions(void)
{
	return tracker.session_count;
}

static void
track_tick(bool late)
{
	tracker_sessions_end(&tracker, late);
}

static const struct drain_owner track_leaves = {
	.sessions = track_sessions,
	.tick = track_tick,
};

static void
track_drain(uint64_t ms)
{
	tracker.draining = true;
	clients_stop();
	drain_begin(ms);
}

static void
track_status(char *out, size_t size)
{
	snprintf(out, size,
	    "sessions=%zu sessions_total=%llu turned_away=%llu tracked=%llu "
	    "refused=%llu unavailable=%llu keeper=%s",
	    tracker.session_count, (unsigned long long)tracker.sessions_total,
	    (unsigned long long)tracker.turned_away,
	    (unsigned long long)tracker.found,
	    (unsigned long long)tracker.refused,
	    (unsigned long long)tracker.unavailable,
	    link_is_up(tracker.keeper) ? "up" : "down");
}

static const struct child_orders track_orders = {
	.drain = track_drain,
	.status = track_status,
};

/* One file may hold both: then key is certificate. */
static void
track_use(char *certificate, size_t certificate_len, char *key, size_t key_len)
{
	static unsigned char tickets[TLS_TICKET_KEYS_LEN];
	const struct conf_tls *conf = &tracker.conf->tls;
	struct tls_server server = { .certificate = certificate,
		.certificate_len = certificate_len,
		.key = key,
		.key_len = key_len,
		.only_1_3 = conf->min_version == CONF_TLS_1_3,
		.ciphers = conf->ciphers,
		.ticket_keys = tickets };
	char error[256];

	/* Not those of mail clients: a password is nothing to us. */
	if (RAND_bytes(tickets, sizeof(tickets)) != 1)
		fatal("the system has no random octets");
	if (tracker_names_add(&tracker.names, &server, error, sizeof(error)) ==
	    -1)
		fatal("TLS, certificate %zu (sections tls, track): %s",
		    tracker.names.count, error);
	OPENSSL_cleanse(tickets, sizeof(tickets));
}

/* What waybilld read as root: the section tls's, then the section track's. */
static void
track_take_certificates(struct child_start *start)
{
	char name[CHILD_NAME_MAX + 1];
	size_t cert_len = 0, key_len = 0;
	char *cert =
	    child_read_fd(child_take_fd(start, "tls-certificate"), &cert_len);
	char *key = child_read_fd(child_take_fd(start, "tls-key"), &key_len);

	if (cert == NULL || key == NULL)
		fatal("certificate or key did not come along");
	track_use(cert, cert_len, key, key_len);
	OPENSSL_cleanse(key, key_len);
	free(key);
	free(cert);
	for (size_t i = 0; i < tracker.conf->track.certificates.count; i++) {
		snprintf(name, sizeof(name), "track-certificate.%zu", i);
		cert = child_read_fd(child_take_fd(start, name), &cert_len);
		if (cert == NULL)
			fatal("%s did not come along", name);
		track_use(cert, cert_len, cert, cert_len);
		OPENSSL_cleanse(cert, cert_len);
		free(cert);
	}
}

static void
track_set_rules(void)
{
	const struct conf *conf = tracker.conf;

	tracker.rules = (struct mtqp_rules){ .hostname = conf->hostname,
		.tls = tracker.names.count > 0,
		.tls_required = conf->track.tls == CONF_TRACK_TLS_REQUIRED,
		.commands_max = (unsigned)conf->track.commands,
		.bad_max = (unsigned)conf->track.bad_commands,
		.refused_max = (unsigned)conf->track.refused };
	tracker.inner = inner_hosts_new(
	    conf->tracking.inner_hosts.item, conf->tracking.inner_hosts.count);
	if (tracker.inner == NULL)
		fatal("tracking inner_hosts: an item is no network or name");
}

static void
track_start(struct child_start *start)
{
	int fd = child_take_fd(start, "snapshot");

	tracker.conf = conf_snapshot_read(fd, CONF_FOR_TRACK);
	if (tracker.conf == NULL)
		fatal("the snapshot of the configuration cannot be read");
	close(fd);
	log_start(
	    "waybill-track", &tracker.conf->log, child_take_fd(start, "log"));
	/* Keys and secrets stay out of core files. */
	prctl(PR_SET_DUMPABLE, 0);
	clients_open_files();
	tracker.base = event_base_new();
	if (tracker.base == NULL)
		fatal("libevent cannot start");
	drain_open(tracker.base, &track_leaves);
	track_take_certificates(start);
	track_set_rules();
	/* In a log the sessions of many processes stand side by side. */
	if (RAND_bytes((unsigned char *)&tracker.last_id,
		sizeof(tracker.last_id)) != 1)
		fatal("the system has no random octets");
	while ((fd = child_take_fd(start, "listen.track")) != -1)
		clients_listen(
		    tracker.base, fd, tracker_session_start, &tracker);
}

static void
track_serve(void)
{
	tracker_ask_open(&tracker);
	clients_begin();
	child_serve(
	    tracker.base, &track_orders, (uint64_t)tracker.conf->drain_timeout);
	while (!drain_is_over()) {
		event_base_loop(tracker.base, EVLOOP_ONCE);
		link_flush_all();
		stream_turn_end();
		/* What streams told at the end may have asked, too. */
		link_flush_all();
		turn_end();
	}
}

static void
track_stop(void)
{
	tracker_ask_close(&tracker);
	link_flush_all();
	stream_end_lingering();
	stream_turn_end();
	turn_end();
	drain_close();
	tracker_names_free(&tracker.names);
	inner_hosts_free(tracker.inner);
	conf_free(tracker.conf);
	event_base_free(tracker.base);
}

int
main(void)
{
	struct child_start start;

	child_begin(&start);
	track_start(&start);
	track_serve();
	track_stop();
	return 0;
}
