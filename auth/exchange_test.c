/*
 * Exchanges with libsasl2's own client side, against a real sasldb and a
 * saslauthd that is played here: every mechanism, and what each failure is
 * told as.
 */
#include "auth/exchange.h"

#include "auth/test_fixture.h"

#include <time.h>

static struct sasl_setup *setup;
static struct exchange_site site;

/* What the client side is asked for. */
static struct {
	const char *user, *authorize;
	sasl_secret_t *secret;
} client;

static int
on_name(void *context, int id, const char **result, unsigned *len)
{
	(void)context;
	*result = id == SASL_CB_USER && client.authorize != NULL
	    ? client.authorize
	    : client.user;
	if (len != NULL)
		*len = (unsigned)strlen(*result);
	return SASL_OK;
}

static int
on_password(sasl_conn_t *conn, void *context, int id, sasl_secret_t **secret)
{
	(void)conn;
	(void)context;
	(void)id;
	*secret = client.secret;
	return SASL_OK;
}

typedef int callback_fn(void);

static const sasl_callback_t client_callbacks[] = {
	{ SASL_CB_USER, (callback_fn *)(void *)on_name, NULL },
	{ SASL_CB_AUTHNAME, (callback_fn *)(void *)on_name, NULL },
	{ SASL_CB_PASS, (callback_fn *)(void *)on_password, NULL },
	{ SASL_CB_LIST_END, NULL, NULL },
};

static sasl_secret_t *
secret_of(const char *password)
{
	sasl_secret_t *secret =
	    calloc(1, sizeof(*secret) + strlen(password) + 1);

	assert_non_null(secret);
	secret->len = strlen(password);
	memcpy(secret->data, password, secret->len);
	return secret;
}

/* Play an exchange to its end. */
static struct auth_verdict
log_in(const char *mechanism, const char *user, const char *password,
    const char *authorize)
{
	struct auth_begin begin = { .session = 77,
		.tls = 1,
		.client = "192.0.2.1;5555",
		.server = "::1;587" };
	struct exchange_outcome outcome;
	struct exchange *exchange;
	sasl_conn_t *conn = NULL;
	const char *out = NULL, *used = NULL;
	unsigned len = 0;

	client.user = user;
	client.authorize = authorize;
	client.secret = secret_of(password);
	assert_int_equal(sasl_client_new("smtp", "h.test", NULL, NULL,
			     client_callbacks, 0, &conn),
	    SASL_OK);
	assert_int_equal(
	    sasl_client_start(conn, mechanism, NULL, &out, &len, &used) < 0, 0);
	snprintf(begin.mechanism, sizeof(begin.mechanism), "%s", mechanism);
	begin.has_initial = out != NULL;
	begin.initial = (struct octets){ (const uint8_t *)out, len };
	exchange = exchange_begin(&site, &begin, &outcome);
	for (int step = 0; !outcome.done; step++) {
		assert_non_null(exchange);
		assert_true(step < 5);
		if (sasl_client_step(conn, (const char *)outcome.challenge.data,
			(unsigned)outcome.challenge.len, NULL, &out, &len) < 0)
			break;
		exchange_step(exchange,
		    (struct octets){ (const uint8_t *)out, len }, &outcome);
	}
	exchange_free(exchange);
	sasl_dispose(&conn);
	free(client.secret);
	return outcome.verdict;
}

static struct auth_verdict
begin_raw(const char *mechanism, int tls, const char *initial, size_t len)
{
	struct auth_begin begin = { .session = 1, .tls = (uint8_t)tls };
	struct exchange_outcome outcome;

	snprintf(begin.mechanism, sizeof(begin.mechanism), "%s", mechanism);
	begin.has_initial = initial != NULL;
	begin.initial = (struct octets){ (const uint8_t *)initial, len };
	exchange_free(exchange_begin(&site, &begin, &outcome));
	return outcome.verdict;
}

static void
use(void (*prepare)(void))
{
	sasl_setup_free(setup);
	prepare();
	setup = sasl_setup_new(&fixture_conf);
	assert_non_null(setup);
	site = (struct exchange_site){
		.setup = setup, .ticket_key = fixture_key, .ticket_life = 3600
	};
}

static void
every_mechanism_logs_in_against_sasldb(void **state)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN",
		"SCRAM-SHA-1", "SCRAM-SHA-256" };
	static const struct {
		const char *user, *password, *authorize;
		enum auth_result result;
	} cases[] = {
		{ "alice", "wonder land", NULL, AUTH_OK },
		{ "Bob", "b\xc3\xbcilder", NULL, AUTH_OK },
		{ "alice", "wonderland", NULL, AUTH_BAD_CREDENTIALS },
		{ "nobody", "x", NULL, AUTH_BAD_CREDENTIALS },
		{ "bob", "b\xc3\xbcilder", NULL, AUTH_BAD_CREDENTIALS },
	};
	struct auth_verdict verdict;
	uint64_t now = (uint64_t)time(NULL);

	(void)state;
	use(fixture_use_sasldb);
	for (size_t m = 0; m < 4; m++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
			verdict = log_in(mechanisms[m], cases[i].user,
			    cases[i].password, cases[i].authorize);
			if (verdict.result != cases[i].result)
				fail_msg("%s %s: %u %s", mechanisms[m],
				    cases[i].user, verdict.result,
				    verdict.reason);
			assert_string_equal(verdict.login, cases[i].user);
			if (verdict.result != AUTH_OK)
				continue;
			assert_string_equal(
			    verdict.ticket.account, cases[i].user);
			assert_int_equal(verdict.ticket.session, 77);
			assert_int_equal(ticket_check(&verdict.ticket,
					     fixture_key, now + 3599),
			    0);
			assert_int_equal(ticket_check(&verdict.ticket,
					     fixture_key, now + 3700),
			    -1);
		}
	}
}

static void
nobody_acts_for_somebody_else(void **state)
{
	struct auth_verdict verdict;

	(void)state;
	use(fixture_use_sasldb);
	verdict = log_in("PLAIN", "alice", "wonder land", "Bob");
	assert_int_equal(verdict.result, AUTH_BAD_CREDENTIALS);
	assert_string_equal(verdict.login, "alice");
	verdict = log_in("SCRAM-SHA-256", "alice", "wonder land", "Bob");
	assert_int_equal(verdict.result, AUTH_BAD_CREDENTIALS);
	verdict = log_in("PLAIN", "alice", "wonder land", "alice");
	assert_int_equal(verdict.result, AUTH_OK);
}

static void
accounts_are_folded_where_configured(void **state)
{
	struct auth_verdict verdict;

	(void)state;
	use(fixture_use_sasldb);
	site.fold_case = true;
	verdict = log_in("PLAIN", "Bob", "b\xc3\xbcilder", NULL);
	assert_int_equal(verdict.result, AUTH_OK);
	assert_string_equal(verdict.ticket.account, "bob");
	assert_int_equal(ticket_check(&verdict.ticket, fixture_key, 1), 0);
}

static void
mechanisms_are_those_configured(void **state)
{
	(void)state;
	use(fixture_use_sasldb);
	assert_string_equal(sasl_setup_mechanisms(setup, true),
	    "PLAIN LOGIN SCRAM-SHA-1 SCRAM-SHA-256");
	assert_string_equal(
	    sasl_setup_mechanisms(setup, false), "SCRAM-SHA-1 SCRAM-SHA-256");
}

#define RAW(text) (text), sizeof(text) - 1

static void
what_is_malformed_or_not_offered_is_told_so(void **state)
{
	static const struct {
		const char *mechanism;
		int tls;
		const char *initial;
		size_t len;
		enum auth_result result;
	} cases[] = {
		{ "CRAM-MD5", 1, NULL, 0, AUTH_BAD_MECHANISM },
		{ "NO-SUCH", 1, NULL, 0, AUTH_BAD_MECHANISM },
		{ "", 1, NULL, 0, AUTH_BAD_MECHANISM },
		{ "PLAIN", 0, RAW("\0alice\0wonder land"), AUTH_TOO_WEAK },
		{ "LOGIN", 0, NULL, 0, AUTH_TOO_WEAK },
		{ "plain", 1, RAW("\0alice\0wonder land"), AUTH_OK },
		{ "PLAIN", 1, RAW("alice"), AUTH_MALFORMED },
		{ "PLAIN", 1, RAW("\0alice\0wonder land\0x"), AUTH_MALFORMED },
		{ "PLAIN", 1, RAW("\0alice\0"), AUTH_BAD_CREDENTIALS },
		{ "PLAIN", 1, RAW("\0 \0x"), AUTH_BAD_CREDENTIALS },
		{ "PLAIN", 1, RAW("\0\0x"), AUTH_BAD_CREDENTIALS },
		{ "SCRAM-SHA-1", 1, RAW("x"), AUTH_MALFORMED },
		{ "SCRAM-SHA-1", 1, RAW("n,,n=alice"), AUTH_MALFORMED },
		{ "SCRAM-SHA-1", 1, RAW("n,,n=ali\0ce,r=abcdefghijklmnop"),
		    AUTH_MALFORMED },
		{ "PLAIN", 1, RAW(""), AUTH_MALFORMED },
		{ "SCRAM-SHA-1", 1, RAW("n,,n= ,r=abcdefghijklmnop"),
		    AUTH_BAD_CREDENTIALS },
		{ "LOGIN", 1, RAW(" "), AUTH_BAD_CREDENTIALS },
		{ "SCRAM-SHA-1", 1, RAW("n,,n=nobody,r=abcdefghijklmnop"),
		    AUTH_BAD_CREDENTIALS },
	};
	struct auth_verdict verdict;

	(void)state;
	use(fixture_use_sasldb);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		verdict = begin_raw(cases[i].mechanism, cases[i].tls,
		    cases[i].initial, cases[i].len);
		if (verdict.result != cases[i].result)
			fail_msg("case %zu, %s: %u %s", i, cases[i].mechanism,
			    verdict.result, verdict.reason);
	}
}

static void
names_of_any_length_do_no_harm(void **state)
{
	char initial[AUTH_RESPONSE_MAX];
	struct auth_verdict verdict;

	(void)state;
	use(fixture_use_sasldb);
	for (size_t len = 200; len < sizeof(initial) - 3; len += 997) {
		memset(initial, 'a', sizeof(initial));
		initial[0] = '\0';
		initial[1 + len] = '\0';
		verdict = begin_raw("PLAIN", 1, initial, len + 3);
		assert_int_equal(verdict.result, AUTH_BAD_CREDENTIALS);
		verdict = begin_raw("PLAIN", 1, initial + 1, len + 1);
		assert_int_equal(verdict.result,
		    len > ACCOUNT_MAX ? AUTH_BAD_CREDENTIALS : AUTH_MALFORMED);
		memcpy(initial, "n,,n=", 5);
		memcpy(initial + len - 10, ",r=abcdefgh", 11);
		verdict = begin_raw("SCRAM-SHA-1", 1, initial, len);
		assert_int_equal(verdict.result, AUTH_BAD_CREDENTIALS);
	}
}

static void
a_store_that_fails_is_no_wrong_password(void **state)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN",
		"SCRAM-SHA-256" };
	struct auth_verdict verdict;
	char junk[8192];
	FILE *file;

	(void)state;
	use(fixture_use_sasldb);
	for (size_t i = 0; i < 3; i++) {
		unlink(fixture_db);
		verdict = log_in(mechanisms[i], "alice", "wonder land", NULL);
		assert_int_equal(verdict.result, AUTH_TEMPORARY);
		assert_non_null(strstr(verdict.reason, fixture_db));
		memset(junk, 0x58, sizeof(junk));
		file = fopen(fixture_db, "w");
		assert_int_equal(fwrite(junk, sizeof(junk), 1, file), 1);
		fclose(file);
		verdict = log_in(mechanisms[i], "alice", "wonder land", NULL);
		assert_int_equal(verdict.result, AUTH_TEMPORARY);
	}
	unlink(fixture_db);
}

static void
without_saslauthd_it_is_temporary(void **state)
{
	static const char *const mechanisms[] = { "PLAIN", "LOGIN" };
	struct auth_verdict verdict;
	pid_t pid;

	(void)state;
	sasl_setup_free(setup);
	pid = fixture_use_saslauthd();
	setup = sasl_setup_new(&fixture_conf);
	site.setup = setup;
	sasl_setup_warn(setup);
	for (size_t i = 0; i < 2; i++) {
		verdict = log_in(mechanisms[i], "alice", "x", NULL);
		assert_int_equal(verdict.result, AUTH_OK);
		assert_string_equal(verdict.ticket.account, "alice");
		verdict = log_in(mechanisms[i], "mallory", "x", NULL);
		assert_int_equal(verdict.result, AUTH_BAD_CREDENTIALS);
		/* It hangs up without an answer. */
		verdict = log_in(mechanisms[i], "lost", "x", NULL);
		assert_int_equal(verdict.result, AUTH_TEMPORARY);
	}
	fixture_stop(pid);
	for (size_t i = 0; i < 2; i++) {
		verdict = log_in(mechanisms[i], "alice", "x", NULL);
		assert_int_equal(verdict.result, AUTH_TEMPORARY);
		unlink(fixture_mux);
		verdict = log_in(mechanisms[i], "alice", "x", NULL);
		assert_int_equal(verdict.result, AUTH_TEMPORARY);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_mechanism_logs_in_against_sasldb),
		cmocka_unit_test(nobody_acts_for_somebody_else),
		cmocka_unit_test(accounts_are_folded_where_configured),
		cmocka_unit_test(mechanisms_are_those_configured),
		cmocka_unit_test(what_is_malformed_or_not_offered_is_told_so),
		cmocka_unit_test(names_of_any_length_do_no_harm),
		cmocka_unit_test(a_store_that_fails_is_no_wrong_password),
		cmocka_unit_test(without_saslauthd_it_is_temporary),
	};
	int failed;

	fixture_make_dir();
	if (sasl_client_init(client_callbacks) != SASL_OK)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	sasl_setup_free(setup);
	sasl_client_done();
	fixture_remove();
	return failed;
}
