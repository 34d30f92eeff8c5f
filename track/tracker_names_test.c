/*
 * Which certificate proves the name that a client gave with STARTTLS, and
 * that none does where none fits.
 */
#include "track/tracker_names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/tls_testing.h"

static const struct {
	const char *common, *names;
} certificates[] = {
	{ "submit.example.test", "DNS:submit.example.test,IP:192.0.2.1" },
	{ "wild", "DNS:*.example.org,DNS:example.org" },
	{ "spelled out", "DNS:track.example.org,DNS:xn--bcher-kva.example" },
	{ "old.example.net", NULL },
	{ "late", "DNS:submit.example.test,DNS:w*.example.net" },
};

enum { CERTIFICATES = sizeof(certificates) / sizeof(certificates[0]) };

static int
setup(void **state)
{
	static unsigned char tickets[TLS_TICKET_KEYS_LEN];
	static struct tracker_names names;
	char error[256];

	for (size_t i = 0; i < CERTIFICATES; i++) {
		struct tls_testing_pair pair;
		struct tls_server server = tls_testing_server(&pair, tickets);

		tls_testing_make_for(
		    &pair, certificates[i].common, certificates[i].names);
		server.certificate_len = strlen(pair.certificate);
		server.key_len = strlen(pair.key);
		assert_int_equal(
		    tracker_names_add(&names, &server, error, sizeof(error)),
		    0);
	}
	*state = &names;
	return 0;
}

static int
teardown(void **state)
{
	tracker_names_free(*state);
	return 0;
}

static void
the_name_of_starttls_chooses_the_certificate(void **state)
{
	static const struct {
		const char *domain;
		int certificate; /* -1: none */
	} cases[] = {
		{ "submit.example.test", 0 },
		{ "SUBMIT.Example.TEST", 0 },
		{ "example.org", 1 },
		{ "any.example.org", 1 },
		{ "track.example.org", 2 },
		{ "Track.example.org", 2 },
		{ "xn--bcher-kva.example", 2 },
		{ "deep.any.example.org", -1 },
		{ "old.example.net", -1 }, /* the common name is no dNSName */
		{ "example.test", -1 },
		{ "other.submit.example.test", -1 },
		{ "submit.example.test.example.com", -1 },
		{ "192.0.2.1", -1 },
		{ "www.example.net", 4 },
	};
	const struct tracker_names *names = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const SSL_CTX *found =
		    tracker_names_find(names, cases[i].domain);
		int which = -1;

		for (int n = 0; n < CERTIFICATES; n++)
			if (found == names->contexts[n])
				which = n;
		if (which != cases[i].certificate)
			fail_msg("%s: %d", cases[i].domain, which);
	}
}

static void
one_file_may_hold_chain_and_key(void **state)
{
	unsigned char tickets[TLS_TICKET_KEYS_LEN] = { 0 };
	struct tracker_names names = { 0 };
	struct tls_testing_pair pair;
	char both[sizeof(pair)], error[256];

	(void)state;
	tls_testing_make_for(&pair, "x", "DNS:both.example.org");
	for (int key_first = 0; key_first < 2; key_first++) {
		struct tls_server server = tls_testing_server(&pair, tickets);

		snprintf(both, sizeof(both), "%s%s",
		    key_first ? pair.key : pair.certificate,
		    key_first ? pair.certificate : pair.key);
		server.certificate = server.key = both;
		server.certificate_len = server.key_len = strlen(both);
		assert_int_equal(
		    tracker_names_add(&names, &server, error, sizeof(error)),
		    0);
	}
	assert_ptr_equal(
	    tracker_names_find(&names, "both.example.org"), names.contexts[0]);
	tracker_names_free(&names);
}

static void
a_key_of_another_certificate_is_refused(void **state)
{
	unsigned char tickets[TLS_TICKET_KEYS_LEN] = { 0 };
	struct tls_testing_pair pair, other;
	struct tracker_names names = { 0 };
	struct tls_server server;
	char error[256] = "";

	(void)state;
	tls_testing_make(&pair);
	tls_testing_make(&other);
	server = tls_testing_server(&pair, tickets);
	server.key = other.key;
	server.key_len = strlen(other.key);
	assert_int_equal(
	    tracker_names_add(&names, &server, error, sizeof(error)), -1);
	assert_string_not_equal(error, "");
	assert_int_equal(names.count, 0);
	assert_null(tracker_names_find(&names, "localhost"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_of_starttls_chooses_the_certificate),
		cmocka_unit_test(one_file_may_hold_chain_and_key),
		cmocka_unit_test(a_key_of_another_certificate_is_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
