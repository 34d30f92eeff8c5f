/*
 * waybill-proxy: the one process that talks to mail clients and to the MSA
 * (RFC 6409). It holds TLS keys, mail and passwords in flight, and asks the
 * others for verdicts and secrets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "common/child.h"
#include "common/clients.h"
#include "common/clock.h"
#include "common/drain.h"
#include "common/inner_host.h"
#include "common/link.h"
#include "common/log.h"
#include "common/messages.h"
#include "common/stream.h"
#include "common/tls.h"
#include "common/turn.h"
#include "proxy/ahead.h"
#include "proxy/listener.h"
#include "proxy/penalties.h"
#include "proxy/probe.h"
#include "proxy/session.h"
#include "proxy/worker.h"

enum {
	MECHANISMS_ASK_MS = 1000,
	MECHANISMS_REFRESH_S = 60,
	LISTEN_ANYWAY_MS = 5000, /* without waybill-auth */
	PAUSE_NS = 50000,
	DRAIN_RECORDS_MS = 10000 /* for records not yet stored */
};

static struct worker worker;
static struct inner_hosts *inner;
static struct link *mechanisms_link;
static struct event *mechanisms_timer;
static uint32_t generation;
static uint64_t started;

static void
proxy_each_session(void (*visit)(struct session *))
{
	struct session *s, *next;
	size_t i;

	for (i = 0; i < WORKER_BUCKETS; i++) {
		for (s = LIST_FIRST(&worker.sessions[i]); s != NULL; s = next) {
			next = LIST_NEXT(s, bucket);
			visit(s);
		}
	}
}

static size_t
proxy_sessions(void)
{
	return worker.session_count;
}

static void
proxy_tick(bool late)
{
	if (late)
		proxy_each_session(session_expire);
}

/* Records that the keeper has not taken keep us longer. */
static bool
proxy_holds(uint64_t late)
{
	return worker.keeper.settle_count > 0 && late < DRAIN_RECORDS_MS;
}

static const struct drain_owner proxy_leaves = {
	.sessions = proxy_sessions,
	.tick = proxy_tick,
	.holds = proxy_holds,
};

static void
proxy_drain(uint64_t ms)
{
	worker.draining = true;
	listener_stop();
	drain_begin(ms);
}

static void
proxy_status(char *out, size_t size)
{
	snprintf(out, size,
	    "sessions=%zu sessions_total=%llu messages=%llu "
	    "msa=%s keeper=%s records_waiting=%zu",
	    worker.session_count, (unsigned long long)worker.total_sessions,
	    (unsigned long long)worker.total_messages,
	    worker.caps_known ? "known" : "unknown",
	    link_is_up(worker.keeper.link) ? "up" : "down",
	    worker.keeper.settle_count);
}

static const struct child_orders proxy_orders = {
	.drain = proxy_drain,
	.status = proxy_status,
};

/* Clients are let in once it is known how they can log in. */
static void
proxy_listen(void)
{
	static bool listening;

	if (listening)
		return;
	listening = true;
	listener_begin(&worker);
	child_serve(
	    worker.base, &proxy_orders, (uint64_t)worker.conf->drain_timeout);
}

/*
 * What waybill-auth offers is asked at start, before clients are let in, and
 * again now and then: SASL's configuration may change with a generation.
 */
static void
proxy_on_mechanisms(
    void *arg, uint64_t who, unsigned type, struct wire_in *body)
{
	static const struct timeval later = { MECHANISMS_REFRESH_S, 0 };
	static const struct timeval soon = { 0, 50000 };

	(void)arg;
	(void)who;
	/* An open exchange would hold back an old generation's worker. */
	link_free(mechanisms_link);
	mechanisms_link = NULL;
	if (type == MSG_AUTH_MECHANISMS_ARE) {
		uint32_t of = wire_get_u32(body);
		struct octets text =
		    wire_get_octets(body, sizeof(worker.mechanisms) - 1);

		/* While a reload goes on, those before us answer, too. */
		if (wire_end(body) == 0 && text.len > 0 && of == generation) {
			memcpy(worker.mechanisms, text.data, text.len);
			worker.mechanisms[text.len] = '\0';
			proxy_listen();
			evtimer_add(mechanisms_timer, &later);
			return;
		}
	}
	if (clock_ms() - started >= LISTEN_ANYWAY_MS)
		proxy_listen();
	evtimer_add(mechanisms_timer, &soon);
}

static void
proxy_ask_mechanisms(evutil_socket_t fd, short what, void *arg)
{
	static const struct timeval soon = { 0, 200000 };
	struct wire_out body = { 0 };

	(void)fd;
	(void)what;
	(void)arg;
	if (mechanisms_link != NULL)
		link_free(mechanisms_link);
	mechanisms_link = link_new_once(worker.base, worker.auth_path, NULL);
	wire_begin(&body);
	wire_put_u8(&body, 1);
	if (mechanisms_link == NULL ||
	    link_ask(mechanisms_link, MSG_AUTH_MECHANISMS, &body,
		MECHANISMS_ASK_MS, proxy_on_mechanisms, 0) == 0)
		evtimer_add(mechanisms_timer, &soon);
	wire_free(&body);
}

/* The TLS context towards clients, from what waybilld read as root. */
static SSL_CTX *
proxy_server_context(struct child_start *start)
{
	size_t cert_len = 0, key_len = 0, tickets_len = 0;
	char *cert =
	    child_read_fd(child_take_fd(start, "tls-certificate"), &cert_len);
	char *key = child_read_fd(child_take_fd(start, "tls-key"), &key_len);
	unsigned char *tickets = child_read_fd(
	    child_take_fd(start, "tls-ticket-keys"), &tickets_len);
	struct tls_server server = { .certificate = cert,
		.certificate_len = cert_len,
		.key = key,
		.key_len = key_len,
		.only_1_3 = worker.conf->tls.min_version == CONF_TLS_1_3,
		.ciphers = worker.conf->tls.ciphers,
		.ticket_keys = tickets };
	char error[256];
	SSL_CTX *ctx;

	if (cert == NULL || key == NULL || tickets_len != TLS_TICKET_KEYS_LEN)
		fatal("certificate, key or ticket keys did not come along");
	if ((ctx = tls_server_context(&server, error, sizeof(error))) == NULL)
		fatal("TLS (section tls): %s", error);
	OPENSSL_cleanse(key, key_len);
	OPENSSL_cleanse(tickets, tickets_len);
	free(cert);
	free(key);
	free(tickets);
	return ctx;
}

static void
proxy_msa_context(void)
{
	const struct conf_msa *conf = &worker.conf->msa;
	char error[256];

	if (conf->tls == CONF_MSA_TLS_NONE)
		return;
	worker.msa_tls = tls_client_context(
	    conf->verify, conf->ca_file, error, sizeof(error));
	if (worker.msa_tls == NULL)
		fatal("TLS to the MSA (section msa, ca_file): %s", error);
}

/* What XMTRK SHOW may tell. */
static void
proxy_set_view(void)
{
	const struct conf_tracking *conf = &worker.conf->tracking;

	inner =
	    inner_hosts_new(conf->inner_hosts.item, conf->inner_hosts.count);
	if (inner == NULL)
		fatal("inner_hosts of section tracking: %s", strerror(errno));
	worker.view = (struct status_view){
		.reveal_aliases = conf->reveal_aliases,
		.reveal_hosts = conf->reveal_hosts,
		.is_inner = inner_host_match,
		.arg = inner,
		.queue_lifetime = (uint64_t)worker.conf->msa.queue_lifetime,
	};
}

static void
proxy_start(struct child_start *start)
{
	int snapshot = child_take_fd(start, "snapshot");

	generation = start->generation;
	worker.conf = conf_snapshot_read(snapshot, CONF_FOR_PROXY);
	if (worker.conf == NULL)
		fatal("the snapshot of the configuration cannot be read");
	close(snapshot);
	log_start(
	    "waybill-proxy", &worker.conf->log, child_take_fd(start, "log"));
	/* Keys and passwords stay out of core files. */
	prctl(PR_SET_DUMPABLE, 0);
	clients_open_files();
	tzset();
	worker.base = event_base_new();
	if (worker.base == NULL)
		fatal("libevent cannot start");
	worker.tls = proxy_server_context(start);
	proxy_msa_context();
	proxy_set_view();
	worker.penalties = penalties_open(child_take_fd(start, "penalties"));
	if (worker.penalties == NULL)
		fatal("the memory of failed logins cannot be mapped");
	snprintf(worker.auth_path, sizeof(worker.auth_path), "%s/%s",
	    worker.conf->run_dir, DOOR_AUTH_PATH);
	worker.msa = resolve_new(worker.base, worker.conf->msa.address,
	    (uint16_t)worker.conf->msa.port);
	listener_take(&worker, start);
}

/*
 * While large messages come in, wait a moment before the next turn, so that
 * more is read at once. The kernel may make the pause twice as long.
 */
static void
proxy_pause(void)
{
	const struct timespec moment = { 0, PAUSE_NS };

	if (worker.more_comes)
		nanosleep(&moment, NULL);
	worker.more_comes = false;
}

static void
proxy_serve(void)
{
	keeper_open(&worker.keeper, worker.base, worker.conf, &tracking_answers,
	    &worker);
	worker.probe = probe_start(&worker);
	drain_open(worker.base, &proxy_leaves);
	mechanisms_timer = evtimer_new(worker.base, proxy_ask_mechanisms, NULL);
	if (mechanisms_timer == NULL)
		fatal("out of memory");
	started = clock_ms();
	proxy_ask_mechanisms(-1, 0, NULL);
	log_gather();
	while (!drain_is_over()) {
		event_base_loop(worker.base, EVLOOP_ONCE);
		link_flush_all();
		/* Before anybody is told of what they say. */
		log_flush();
		stream_turn_end();
		/* What streams told at the end may have asked, too. */
		link_flush_all();
		turn_end();
		log_flush();
		proxy_pause();
		clock_new_turn();
	}
}

static void
proxy_stop(void)
{
	if (mechanisms_link != NULL)
		link_free(mechanisms_link);
	probe_stop(worker.probe);
	keeper_close(&worker.keeper);
	resolve_free(worker.msa);
	penalties_close(worker.penalties);
	link_flush_all();
	stream_turn_end();
	stream_end_lingering();
	stream_turn_end();
	turn_end();
	transaction_end_spares();
	ahead_end();
	log_flush();
	drain_close();
	event_free(mechanisms_timer);
	SSL_CTX_free(worker.tls);
	SSL_CTX_free(worker.msa_tls);
	inner_hosts_free(inner);
	conf_free(worker.conf);
	event_base_free(worker.base);
}

int
main(void)
{
	struct child_start start;

	child_begin(&start);
	proxy_start(&start);
	proxy_serve();
	proxy_stop();
	return 0;
}
