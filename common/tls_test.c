/*
 * TLS contexts: which versions meet (RFC 8997), that every worker opens every
 * ticket, and what a wrong file is called.
 */
#include "common/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>

#include <cmocka.h>

#include "common/tls_testing.h"

static struct tls_testing_pair pair;
static unsigned char keys[TLS_TICKET_KEYS_LEN] = "one set of keys";
static unsigned char others[TLS_TICKET_KEYS_LEN] = "and another one";

static SSL_CTX *
server_with(unsigned char *ticket_keys, bool only_1_3)
{
	struct tls_server server = tls_testing_server(&pair, ticket_keys);
	char error[200] = "";
	SSL_CTX *ctx;

	server.only_1_3 = only_1_3;
	ctx = tls_server_context(&server, error, sizeof(error));
	assert_string_equal(error, "");
	assert_non_null(ctx);
	return ctx;
}

/* A client that takes any certificate and exactly one version of TLS. */
static SSL_CTX *
client_of(int version)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

	assert_non_null(ctx);
	/* Debian's own level would refuse the old ones before they leave. */
	SSL_CTX_set_security_level(ctx, 0);
	SSL_CTX_set_min_proto_version(ctx, version);
	SSL_CTX_set_max_proto_version(ctx, version);
	return ctx;
}

/* Shakes hands in memory; returns the session or NULL, and if resumed. */
static SSL_SESSION *
meet(SSL_CTX *server, SSL_CTX *client, SSL_SESSION *old, bool *resumed)
{
	SSL *s = SSL_new(server), *c = SSL_new(client);
	SSL_SESSION *session = NULL;
	BIO *sb, *cb;
	char octet;
	int i;

	assert_int_equal(BIO_new_bio_pair(&sb, 0, &cb, 0), 1);
	SSL_set_bio(s, sb, sb);
	SSL_set_bio(c, cb, cb);
	SSL_set_accept_state(s);
	SSL_set_connect_state(c);
	if (old != NULL)
		SSL_set_session(c, old);
	for (i = 0; i < 10; i++) {
		SSL_do_handshake(c);
		SSL_do_handshake(s);
	}
	if (SSL_is_init_finished(s) && SSL_is_init_finished(c)) {
		SSL_write(s, "x", 1); /* behind the ticket of 1.3 */
		assert_int_equal(SSL_read(c, &octet, 1), 1);
		session = SSL_get1_session(c);
		*resumed = SSL_session_reused(s) == 1;
	}
	SSL_shutdown(c);
	SSL_free(s);
	SSL_free(c);
	ERR_clear_error();
	return session;
}

static void
only_1_2_and_1_3_meet(void **state)
{
	static const struct {
		int version;
		bool only_1_3;
		bool good;
	} cases[] = {
		{ TLS1_VERSION, false, false },
		{ TLS1_1_VERSION, false, false },
		{ TLS1_2_VERSION, false, true },
		{ TLS1_3_VERSION, false, true },
		{ TLS1_2_VERSION, true, false },
		{ TLS1_3_VERSION, true, true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		SSL_CTX *server = server_with(keys, cases[i].only_1_3);
		SSL_CTX *client = client_of(cases[i].version);
		bool resumed;
		SSL_SESSION *session = meet(server, client, NULL, &resumed);

		assert_int_equal(session != NULL, cases[i].good);
		SSL_SESSION_free(session);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

static void
a_ticket_is_opened_where_its_keys_are(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		SSL_CTX *first = server_with(keys, false);
		SSL_CTX *second = server_with(keys, false);
		SSL_CTX *foreign = server_with(others, false);
		SSL_CTX *client = client_of(versions[i]);
		bool resumed = true;
		SSL_SESSION *a = meet(first, client, NULL, &resumed), *b, *c;

		assert_non_null(a);
		assert_false(resumed);
		b = meet(second, client, a, &resumed);
		assert_non_null(b);
		assert_true(resumed);
		c = meet(foreign, client, b, &resumed);
		assert_non_null(c);
		assert_false(resumed);
		SSL_SESSION_free(a);
		SSL_SESSION_free(b);
		SSL_SESSION_free(c);
		SSL_CTX_free(first);
		SSL_CTX_free(second);
		SSL_CTX_free(foreign);
		SSL_CTX_free(client);
	}
}

static void
what_is_wrong_is_named(void **state)
{
	static struct tls_testing_pair other;
	static char broken_chain[2 * sizeof(other.certificate)];
	struct tls_server server = tls_testing_server(&pair, keys);
	char error[200];
	size_t i;

	(void)state;
	tls_testing_make(&other);
	snprintf(broken_chain, sizeof(broken_chain), "%s%.*s", pair.certificate,
	    (int)strlen(other.certificate) / 2, other.certificate);
	struct {
		const char *certificate, *key, *ciphers, *named;
	} cases[] = {
		{ "no PEM", pair.key, "", "certificate:" },
		{ "", pair.key, "", "certificate:" },
		{ broken_chain, pair.key, "", "certificate:" },
		{ pair.certificate, "no PEM", "", "private key:" },
		{ pair.certificate, other.key, "", "private key:" },
		{ pair.certificate, pair.key, "NONSUCH", "ciphers:" },
	};
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		server.certificate = cases[i].certificate;
		server.certificate_len = strlen(cases[i].certificate);
		server.key = cases[i].key;
		server.key_len = strlen(cases[i].key);
		server.ciphers = cases[i].ciphers;
		assert_null(tls_server_context(&server, error, sizeof(error)));
		assert_int_equal(
		    strncmp(error, cases[i].named, strlen(cases[i].named)), 0);
	}
}

/* Passwords are not left in OpenSSL's buffers. */
static void
plaintext_is_wiped(void **state)
{
	SSL_CTX *ctx = server_with(keys, false);

	(void)state;
	assert_true((SSL_CTX_get_options(ctx) & SSL_OP_CLEANSE_PLAINTEXT) != 0);
	SSL_CTX_free(ctx);
}

/* Whatever the client would rather have; and what it lacks is not chosen. */
static void
the_suite_that_costs_least_is_chosen(void **state)
{
	static const struct {
		const char *offered, *chosen;
	} cases[] = {
		{ "TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:"
		  "TLS_AES_128_GCM_SHA256",
		    "TLS_AES_128_GCM_SHA256" },
		{ "TLS_CHACHA20_POLY1305_SHA256",
		    "TLS_CHACHA20_POLY1305_SHA256" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		SSL_CTX *server = server_with(keys, false);
		SSL_CTX *client = client_of(TLS1_3_VERSION);
		SSL_SESSION *session;
		bool resumed;

		SSL_CTX_set_ciphersuites(client, cases[i].offered);
		session = meet(server, client, NULL, &resumed);
		assert_non_null(session);
		assert_string_equal(
		    SSL_CIPHER_get_name(SSL_SESSION_get0_cipher(session)),
		    cases[i].chosen);
		SSL_SESSION_free(session);
		SSL_CTX_free(server);
		SSL_CTX_free(client);
	}
}

static void
a_client_wants_its_authorities(void **state)
{
	char error[200] = "";
	SSL_CTX *ctx = tls_client_context(true, "", error, sizeof(error));

	(void)state;
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_PEER);
	SSL_CTX_free(ctx);
	assert_null(tls_client_context(
	    true, "/nonexistent/ca.pem", error, sizeof(error)));
	assert_non_null(strstr(error, "/nonexistent/ca.pem"));
	ctx = tls_client_context(false, "", error, sizeof(error));
	assert_non_null(ctx);
	assert_int_equal(SSL_CTX_get_verify_mode(ctx), SSL_VERIFY_NONE);
	SSL_CTX_free(ctx);
}

static int
make_pair(void **state)
{
	(void)state;
	tls_testing_make(&pair);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_1_2_and_1_3_meet),
		cmocka_unit_test(a_ticket_is_opened_where_its_keys_are),
		cmocka_unit_test(what_is_wrong_is_named),
		cmocka_unit_test(plaintext_is_wiped),
		cmocka_unit_test(the_suite_that_costs_least_is_chosen),
		cmocka_unit_test(a_client_wants_its_authorities),
	};

	return cmocka_run_group_tests(tests, make_pair, NULL);
}
