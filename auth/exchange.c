/*
 * One SASL exchange on libsasl2, and what its results mean to the client.
 */
#include "auth/exchange.h"

#include <ctype.h>
#include <openssl/crypto.h>
#include <sasl/sasl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/names.h"
#include "auth/sasl_setup.h"

struct exchange {
	const struct exchange_site *site;
	struct sasl_setup_peer peer;
	sasl_conn_t *conn;
	uint64_t session;
	char mechanism[AUTH_MECHANISM_MAX + 1];
	bool begun;	    /* with libsasl2 */
	bool named;	    /* the client has said who it is */
	bool backend_error; /* libsasl2 logged one in this step */
	char said[256];	    /* what it logged first in this step */
};

/* What libsasl2 says, gathered for the verdict. */
static int
on_log(void *arg, int level, const char *text)
{
	struct exchange *exchange = arg;

	/* The levels above may show passwords. */
	if (level > SASL_LOG_WARN)
		return SASL_OK;
	if (level == SASL_LOG_ERR)
		exchange->backend_error = true;
	if (exchange->said[0] == '\0')
		snprintf(exchange->said, sizeof(exchange->said), "%s", text);
	return SASL_OK;
}

static void
give_verdict(struct exchange_outcome *outcome, enum auth_result result,
    const char *reason)
{
	outcome->done = true;
	outcome->verdict.result = (uint8_t)result;
	snprintf(outcome->verdict.reason, sizeof(outcome->verdict.reason), "%s",
	    reason);
}

static const char *
property(struct exchange *exchange, int which)
{
	const void *value = NULL;

	if (sasl_getprop(exchange->conn, which, &value) != SASL_OK)
		return NULL;
	return value;
}

/* What the result says of the client's credentials, as RFC 4954 6 sorts it. */
static enum auth_result
judge(int result)
{
	switch (result) {
	case SASL_BADAUTH:
	case SASL_NOUSER:
	case SASL_NOAUTHZ:
	case SASL_NOVERIFY:
	case SASL_EXPIRED:
	case SASL_DISABLED:
	case SASL_PWLOCK:
	case SASL_WEAKPASS:
	case SASL_NOUSERPASS:
	case SASL_BADMAC:
	case SASL_BADBINDING:
		/* Who exists must not show: unknown and wrong are alike. */
		return AUTH_BAD_CREDENTIALS;
	case SASL_BADPROT:
	case SASL_BADPARAM:
	case SASL_BUFOVER:
		return AUTH_MALFORMED;
	case SASL_TOOWEAK:
	case SASL_ENCRYPT:
		return AUTH_TOO_WEAK;
	case SASL_TRANS:
		return AUTH_TRANSITION;
	default:
		return AUTH_TEMPORARY;
	}
}

static void
refuse(struct exchange *exchange, int result, struct exchange_outcome *outcome)
{
	enum auth_result verdict = judge(result);
	const char *login = property(exchange, SASL_AUTHUSER);
	const char *reason = exchange->said;
	char fault[256];

	if (reason[0] == '\0')
		reason = sasl_errstring(result, NULL, NULL);
	if (exchange->backend_error)
		verdict = AUTH_TEMPORARY;
	/* libsasl2 takes a store that is missing for an unknown user. */
	if (verdict == AUTH_BAD_CREDENTIALS && login != NULL &&
	    sasl_setup_fault(exchange->site->setup, fault, sizeof(fault)) !=
		NULL) {
		verdict = AUTH_TEMPORARY;
		reason = fault;
	}
	snprintf(outcome->verdict.login, sizeof(outcome->verdict.login), "%s",
	    login != NULL ? login : "");
	give_verdict(outcome, verdict, reason);
}

static void
fold(char *account)
{
	for (; *account != '\0'; account++)
		if (*account >= 'A' && *account <= 'Z')
			*account = (char)(*account - 'A' + 'a');
}

static void
accept_login(struct exchange *exchange, struct exchange_outcome *outcome)
{
	const struct exchange_site *site = exchange->site;
	struct ticket *ticket = &outcome->verdict.ticket;
	const char *user = property(exchange, SASL_USERNAME);

	if (user == NULL || user[0] == '\0' || strlen(user) > ACCOUNT_MAX) {
		give_verdict(outcome, AUTH_BAD_CREDENTIALS,
		    "user name empty or too long");
		return;
	}
	ticket->session = exchange->session;
	ticket->expires = (uint64_t)time(NULL) + site->ticket_life;
	memcpy(ticket->account, user, strlen(user) + 1);
	if (site->fold_case)
		fold(ticket->account);
	if (ticket_seal(ticket, site->ticket_key) == -1) {
		give_verdict(outcome, AUTH_TEMPORARY, "ticket not sealed");
		return;
	}
	memcpy(
	    outcome->verdict.login, ticket->account, sizeof(ticket->account));
	give_verdict(outcome, AUTH_OK, "");
}

static void
tell(struct exchange *exchange, int result, struct octets out,
    struct exchange_outcome *outcome)
{
	switch (result) {
	case SASL_CONTINUE:
		if (out.len > AUTH_RESPONSE_MAX) {
			give_verdict(
			    outcome, AUTH_TEMPORARY, "challenge too long");
			break;
		}
		outcome->challenge = out;
		break;
	case SASL_OK:
		accept_login(exchange, outcome);
		break;
	default:
		refuse(exchange, result, outcome);
	}
}

/*
 * One step of libsasl2. It is given a copy with a NUL behind, since mechanisms
 * look at responses as strings.
 */
static void
take_step(struct exchange *exchange, const struct octets *response,
    struct exchange_outcome *outcome)
{
	unsigned len = response != NULL ? (unsigned)response->len : 0;
	char *copy = NULL;
	const char *out = NULL;
	unsigned out_len = 0;
	int result;

	exchange->backend_error = false;
	exchange->said[0] = '\0';
	if (response != NULL) {
		if ((copy = calloc(1, len + 1UL)) == NULL) {
			give_verdict(outcome, AUTH_TEMPORARY, "no memory");
			return;
		}
		if (len > 0)
			memcpy(copy, response->data, len);
	}
	/*
	 * Without SASL_SUCCESS_DATA libsasl2 itself sends the data that come
	 * with success as one more challenge (RFC 4954 4).
	 */
	if (!exchange->begun)
		result = sasl_server_start(exchange->conn, exchange->mechanism,
		    copy, len, &out, &out_len);
	else
		result =
		    sasl_server_step(exchange->conn, copy, len, &out, &out_len);
	exchange->begun = true;
	if (copy != NULL)
		OPENSSL_cleanse(copy, len);
	free(copy);
	tell(exchange, result,
	    (struct octets){ (const uint8_t *)out, out != NULL ? out_len : 0 },
	    outcome);
}

static void
go_on(struct exchange *exchange, const struct octets *response,
    struct exchange_outcome *outcome)
{
	/* An empty first response asks for the mechanism's own question. */
	if (!exchange->named && response != NULL && response->len > 0) {
		exchange->named = true;
		if (!names_are_sane(exchange->mechanism, *response)) {
			give_verdict(outcome, AUTH_BAD_CREDENTIALS,
			    "user name blank or too long");
			return;
		}
	}
	take_step(exchange, response, outcome);
}

/* Returns false, with the verdict, for a mechanism that is not offered. */
static bool
is_offered(const struct exchange_site *site, const struct auth_begin *begin,
    struct exchange_outcome *outcome)
{
	if (sasl_setup_offers(site->setup, begin->mechanism, begin->tls))
		return true;
	if (sasl_setup_offers(site->setup, begin->mechanism, true))
		give_verdict(outcome, AUTH_TOO_WEAK, "not without TLS");
	else
		give_verdict(outcome, AUTH_BAD_MECHANISM, "not offered");
	return false;
}

struct exchange *
exchange_begin(const struct exchange_site *site, const struct auth_begin *begin,
    struct exchange_outcome *outcome)
{
	struct exchange *exchange;

	memset(outcome, 0, sizeof(*outcome));
	if (!is_offered(site, begin, outcome))
		return NULL;
	if ((exchange = calloc(1, sizeof(*exchange))) == NULL) {
		give_verdict(outcome, AUTH_TEMPORARY, "no memory");
		return NULL;
	}
	exchange->site = site;
	exchange->session = begin->session;
	exchange->peer.tls = begin->tls;
	exchange->peer.client = begin->client;
	exchange->peer.server = begin->server;
	exchange->peer.log = on_log;
	exchange->peer.arg = exchange;
	exchange->conn = sasl_setup_connection(site->setup, &exchange->peer);
	/* libsasl2 has copies. */
	exchange->peer.client = exchange->peer.server = NULL;
	if (exchange->conn == NULL) {
		give_verdict(outcome, AUTH_TEMPORARY, "libsasl2 failed");
		exchange_free(exchange);
		return NULL;
	}
	for (size_t i = 0; i < sizeof(exchange->mechanism); i++)
		exchange->mechanism[i] =
		    (char)toupper((unsigned char)begin->mechanism[i]);
	go_on(exchange, begin->has_initial ? &begin->initial : NULL, outcome);
	if (!outcome->done)
		return exchange;
	exchange_free(exchange);
	return NULL;
}

void
exchange_step(struct exchange *exchange, struct octets response,
    struct exchange_outcome *outcome)
{
	memset(outcome, 0, sizeof(*outcome));
	go_on(exchange, &response, outcome);
}

void
exchange_free(struct exchange *exchange)
{
	if (exchange == NULL)
		return;
	if (exchange->conn != NULL)
		sasl_dispose(&exchange->conn);
	free(exchange);
}
