/*
 * Tickets that were found genuine stay so until they expire, and lend nothing
 * to others.
 */
#include "secrets/tickets.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t key[TICKET_KEY_LEN] = "0123456789abcdef0123456789abcdef";

static struct ticket
genuine(uint64_t session, const char *account)
{
	struct ticket ticket = { .session = session, .expires = 1000 };

	snprintf(ticket.account, sizeof(ticket.account), "%s", account);
	assert_int_equal(ticket_seal(&ticket, key), 0);
	return ticket;
}

static void
a_known_one_passes_until_it_expires(void **state)
{
	struct tickets *t = tickets_new(key);
	struct ticket ticket = genuine(7, "alice");

	(void)state;
	assert_true(tickets_know(t, &ticket, 0));
	assert_true(tickets_know(t, &ticket, 999));
	assert_false(tickets_know(t, &ticket, 1000));
	assert_true(tickets_know(t, &ticket, 999));
	tickets_free(t);
}

static void
what_is_like_a_known_one_is_refused(void **state)
{
	struct tickets *t = tickets_new(key);
	struct ticket ticket = genuine(7, "alice"), other;

	(void)state;
	assert_true(tickets_know(t, &ticket, 0));
	for (size_t i = 0; i < TICKET_MAC_LEN; i++) {
		other = ticket;
		other.mac[i] ^= 1;
		assert_false(tickets_know(t, &other, 0));
	}
	other = ticket;
	other.session += 4096; /* in the same place */
	assert_false(tickets_know(t, &other, 0));
	other = ticket;
	other.expires++;
	assert_false(tickets_know(t, &other, 0));
	other = ticket;
	memcpy(other.account, "alicf", 5);
	assert_false(tickets_know(t, &other, 0));
	other = ticket;
	other.account[0] = '\0';
	assert_false(tickets_know(t, &other, 0));
	assert_true(tickets_know(t, &ticket, 0));
	tickets_free(t);
}

static void
nobody_is_known_at_first(void **state)
{
	struct tickets *t = tickets_new(key);
	struct ticket nobody = { .expires = 0 };

	(void)state;
	assert_false(tickets_know(t, &nobody, 0));
	tickets_free(t);
	tickets_free(NULL);
}

static void
two_in_one_place_are_both_good(void **state)
{
	struct tickets *t = tickets_new(key);
	struct ticket one = genuine(1, "alice"), two = genuine(4097, "bob");

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_true(tickets_know(t, &one, 0));
		assert_true(tickets_know(t, &two, 0));
	}
	tickets_free(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_one_passes_until_it_expires),
		cmocka_unit_test(what_is_like_a_known_one_is_refused),
		cmocka_unit_test(nobody_is_known_at_first),
		cmocka_unit_test(two_in_one_place_are_both_good),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
