/*
 * One question to one tracking server.
 */
#include "token/mtqp_client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/keeper_messages.h"
#include "common/mtqp_line.h"
#include "token/channel.h"
#include "token/dial.h"
#include "token/srv.h"
#include "token/text.h"

enum {
	GREETING_MAX = 16384,
	SILENCE = 125000, /* at least two minutes, RFC 3887 2.5 */
	TEXT_MAX = 300
};

/* A conversation. */
struct talk {
	struct mtqp_question *q;
	struct peer peer;
	struct channel channel;
	struct mtqp_response response;
	struct problem *problem;
	bool asked; /* TRACK went out: no other machine is tried */
};

/* Servers may repeat a command, and error texts go anywhere. */
static void
hide_secret(const struct talk *t, char *text)
{
	char secret[BASE64_LEN(SECRET_MAX) + 1];
	size_t len = codec_base64_encode(
	    t->q->secret.data, t->q->secret.len, false, secret);
	char *at = text;

	while (len > 0 && (at = strstr(at, secret)) != NULL)
		memset(at, '*', len);
	explicit_bzero(secret, sizeof(secret));
}

/* What the server said last, cleaned: "-ERR/noinfo text". */
static void
last_words(const struct talk *t, char out[TEXT_MAX])
{
	char clean[MTQP_LINE_MAX + 1];

	text_clean(t->response.first, strnlen(t->response.first, MTQP_LINE_MAX),
	    clean, sizeof(clean));
	hide_secret(t, clean);
	text_clean(clean, strlen(clean), out, TEXT_MAX);
	explicit_bzero(clean, sizeof(clean));
}

static enum mtqp_outcome
fail(struct talk *t, enum mtqp_outcome outcome, const char *what)
{
	char words[TEXT_MAX];

	last_words(t, words);
	problem_set(t->problem, PROBLEM_SERVER, "the tracking server %s %s%s%s",
	    t->q->server, what, words[0] != '\0' ? ": " : "", words);
	return outcome;
}

static int
read_response(struct talk *t, size_t body_max)
{
	struct mtqp_response *r = &t->response;
	struct channel *c = &t->channel;

	mtqp_response_free(r);
	mtqp_response_init(r, body_max);
	for (;;) {
		channel_eat(c, mtqp_response_feed(r, c->in, c->len));
		if (r->error != MTQP_RESPONSE_OK)
			return problem_set(t->problem, PROBLEM_SERVER,
			    "cannot understand the tracking server %s port %u: "
			    "%s",
			    t->q->server, t->peer.port,
			    mtqp_response_error_text(r->error));
		if (r->complete)
			return 0;
		if (channel_fill(c) != 0)
			return -1;
	}
}

/* Send what is in command, which is wiped; read what is said to it. */
static int
say(struct talk *t, struct buffer *command, size_t body_max)
{
	int rc = channel_write(
	    &t->channel, (const char *)buffer_at(command), buffer_len(command));

	buffer_free(command);
	return rc == 0 ? read_response(t, body_max) : -1;
}

static bool
is_positive(const struct talk *t)
{
	return t->response.status.verdict == MTQP_OK ||
	    t->response.status.verdict == MTQP_OK_MORE;
}

/* Only what says MTQP gets the secret: POP3 greets with "+OK" as well. */
static enum mtqp_outcome
greet(struct talk *t)
{
	if (read_response(t, GREETING_MAX) != 0)
		return MTQP_LATER;
	if (!mtqp_status_has(&t->response.status, "MTQP"))
		return fail(t, MTQP_LATER, "does not speak MTQP");
	if (!is_positive(t))
		return fail(t, MTQP_LATER, "does not serve now");
	return MTQP_ANSWERED;
}

static enum mtqp_outcome
start_tls(struct talk *t)
{
	struct buffer command = { 0 };

	if (mtqp_command_starttls(&command, t->q->server) != 0) {
		problem_set(t->problem, PROBLEM_SERVER,
		    "%s is no full domain name, and without one there is no "
		    "TLS with a tracking server (RFC 3887 6)",
		    t->q->server);
		return MTQP_NEVER;
	}
	if (say(t, &command, GREETING_MAX) != 0)
		return MTQP_LATER;
	if (mtqp_status_has(&t->response.status, "bad-fqdn"))
		return fail(t, MTQP_LATER, "has no certificate for that name");
	if (!is_positive(t))
		return fail(t, MTQP_LATER, "refused STARTTLS");
	if (channel_start_tls(&t->channel) != 0)
		return MTQP_LATER;
	return greet(t);
}

/*
 * Somebody in between can take the offer of TLS away (RFC 3887 11), so
 * that is an error unless the user said otherwise.
 */
static enum mtqp_outcome
secure(struct talk *t)
{
	struct octets offer = mtqp_option_find(&t->response, "STARTTLS");
	bool in_clear = strcmp(t->q->options->track_tls, "offered") == 0;

	if (offer.data != NULL && !t->q->options->no_tls)
		return start_tls(t);
	if (offer.data != NULL && mtqp_option_has(offer, "required"))
		return fail(t, MTQP_NEVER, "requires TLS; leave out --no-tls");
	if (!in_clear) {
		problem_set(t->problem, PROBLEM_SERVER,
		    "the tracking server %s offers no TLS, so the secret of "
		    "the message does not go there; somebody may be in "
		    "between (--track-tls offered takes the risk)",
		    t->q->server);
		return MTQP_LATER;
	}
	t->q->went_clear = true;
	return MTQP_ANSWERED;
}

static enum mtqp_outcome
explain_refusal(struct talk *t)
{
	const struct mtqp_status *s = &t->response.status;

	if (mtqp_status_has(s, "noinfo")) {
		problem_set(t->problem, PROBLEM_REFUSED,
		    "the tracking server %s knows nothing of it: tracking has "
		    "expired or was revoked, or message or secret are wrong",
		    t->q->server);
		return MTQP_NO_INFO;
	}
	if (mtqp_status_has(s, "tls-required") ||
	    mtqp_status_has(s, "insecure"))
		return fail(t, MTQP_NEVER, "wants better TLS");
	if (s->verdict == MTQP_TEMP || mtqp_status_has(s, "unavailable") ||
	    mtqp_status_has(s, "admin"))
		return fail(t, MTQP_LATER, "cannot tell now");
	return fail(t, MTQP_NEVER, "refused to answer");
}

static enum mtqp_outcome
track(struct talk *t, struct report *report)
{
	struct buffer command = { 0 };
	const struct buffer *body = &t->response.body;

	if (mtqp_command_track(&command, t->q->envid, t->q->secret) != 0) {
		problem_set(t->problem, PROBLEM_USAGE,
		    "the envelope id or the secret is malformed");
		return MTQP_NEVER;
	}
	t->asked = true;
	if (say(t, &command, t->q->answer_max) != 0)
		return MTQP_LATER;
	if (!is_positive(t))
		return explain_refusal(t);
	t->q->answer_len = buffer_len(body);
	if (report_read(report, buffer_at(body), buffer_len(body)) == 0)
		return MTQP_ANSWERED;
	problem_set(t->problem, PROBLEM_SERVER,
	    "cannot understand the answer of the tracking server %s: %s",
	    t->q->server, report->error != NULL ? report->error : "no memory");
	report_free(report);
	return MTQP_NEVER;
}

static enum mtqp_outcome
converse(struct talk *t, struct report *report)
{
	static const char quit[] = "QUIT\r\n";
	struct problem ignored = { 0 };
	enum mtqp_outcome outcome = greet(t);

	if (outcome == MTQP_ANSWERED)
		outcome = secure(t);
	if (outcome == MTQP_ANSWERED)
		outcome = track(t, report);
	if (outcome == MTQP_ANSWERED || outcome == MTQP_NO_INFO) {
		t->channel.problem = &ignored;
		channel_write(&t->channel, quit, sizeof(quit) - 1);
	}
	return outcome;
}

static void
set_port(struct resolver_address *a, unsigned port)
{
	if (a->address.any.sa_family == AF_INET6)
		a->address.v6.sin6_port = htons((uint16_t)port);
	else
		a->address.v4.sin_port = htons((uint16_t)port);
}

/* Returns a socket, or -1 with the problem set. */
static int
dial_target(struct talk *t, const struct srv_target *target)
{
	struct resolver_address found[RESOLVER_ADDRESSES_MAX];
	int64_t deadline = t->peer.deadline, one;
	const char *why = "it has no address";
	int fd = -1, error = 0, count;

	count =
	    resolver_find_addresses(t->q->resolver, target->host, found, &why);
	if (count <= 0)
		return problem_set(t->problem, PROBLEM_SERVER,
		    "cannot find the tracking server %s: %s", target->host,
		    why);
	for (int i = 0; i < count && fd < 0; i++) {
		one = dial_clock() + DIAL_TIMEOUT;
		set_port(&found[i], target->port);
		fd = dial_address(&found[i].address.any, found[i].len,
		    one < deadline ? one : deadline);
		if (fd < 0 && (error == 0 || errno == ECONNREFUSED))
			error = errno;
	}
	return fd >= 0 ? fd : dial_refused(&t->peer, error, t->problem);
}

static enum mtqp_outcome
ask_target(
    struct talk *t, const struct srv_target *target, struct report *report)
{
	enum mtqp_outcome outcome;
	int fd;

	t->peer.port = target->port;
	fd = dial_target(t, target);
	if (fd < 0)
		return MTQP_LATER;
	channel_attach(&t->channel, fd, &t->peer, t->problem);
	outcome = converse(t, report);
	channel_close(&t->channel);
	mtqp_response_free(&t->response);
	return outcome;
}

static int
find_targets(
    const struct mtqp_question *q, struct srv_target *out, struct problem *p)
{
	int count;

	if (q->use_connect && srv_read_target(q->options->connect, out) == 0)
		return 1;
	if (q->use_connect) {
		problem_set(p, PROBLEM_USAGE, "connect = %s: give HOST:PORT",
		    q->options->connect);
		return -1;
	}
	count = srv_find(q->resolver, q->server, q->port, out, p);
	if (count == 0)
		problem_set(p, PROBLEM_REFUSED,
		    "%s says that nobody tracks its messages", q->server);
	return count;
}

enum mtqp_outcome
mtqp_ask(struct mtqp_question *q, struct report *report, struct problem *p)
{
	struct srv_target targets[RESOLVER_SRV_MAX];
	enum mtqp_outcome outcome = MTQP_LATER;
	struct talk *t = calloc(1, sizeof(*t));
	int count = find_targets(q, targets, p);
	struct problem last = { 0 };

	if (t == NULL || count <= 0) {
		free(t);
		problem_set(p, PROBLEM_SERVER, "no memory");
		return count == 0 ? MTQP_NEVER : MTQP_LATER;
	}
	t->q = q;
	t->problem = &last;
	t->peer = (struct peer){ .server = q->server,
		.name = q->server,
		.ca_file = q->options->ca_file,
		.system_too = true,
		.no_verify = q->options->no_verify,
		.silence = SILENCE,
		.deadline = dial_clock() + (int64_t)q->options->timeout * 1000,
		.what = "tracking server" };
	for (int i = 0; i < count && !t->asked && outcome == MTQP_LATER; i++) {
		last = (struct problem){ 0 };
		outcome = ask_target(t, &targets[i], report);
	}
	if (last.exit != PROBLEM_NONE)
		problem_set(p, last.exit, "%s", last.text);
	free(t);
	return outcome;
}
