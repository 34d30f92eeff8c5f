/*
 * Tickets: forged, expired and foreign ones get nothing.
 */
#include "common/ticket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/codec.h"

static const uint8_t key[TICKET_KEY_LEN] = "0123456789abcdef0123456789abcdef";
static const uint8_t foreign[TICKET_KEY_LEN] =
    "0123456789abcdef0123456789abcdeg";

static struct ticket
good(void)
{
	struct ticket ticket = {
		.session = 7, .expires = 1000, .account = "alice@a.test"
	};

	assert_int_equal(ticket_seal(&ticket, key), 0);
	return ticket;
}

static void
a_good_ticket_passes_until_it_expires(void **state)
{
	struct ticket ticket = good();

	(void)state;
	assert_int_equal(ticket_check(&ticket, key, 0), 0);
	assert_int_equal(ticket_check(&ticket, key, 999), 0);
	assert_int_equal(ticket_check(&ticket, key, 1000), -1);
	assert_int_equal(ticket_check(&ticket, key, UINT64_MAX), -1);
}

static void
the_mac_covers_session_expiry_and_account(void **state)
{
	/* HMAC-SHA-256 of two u64, big-endian, and the name. */
	char text[2 * TICKET_MAC_LEN + 1];
	struct ticket ticket = good();

	(void)state;
	codec_hex_encode(ticket.mac, TICKET_MAC_LEN, text);
	assert_string_equal(text,
	    "b2c26592dac3fd49599ca369b64b1db0"
	    "6ac772f637d0a3451a916079325b62da");
}

static void
forged_tickets_are_refused(void **state)
{
	struct ticket ticket;

	(void)state;
	for (unsigned i = 0; i < 8 * TICKET_MAC_LEN; i++) {
		ticket = good();
		ticket.mac[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(ticket_check(&ticket, key, 1), -1);
	}
	ticket = good();
	ticket.session++;
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
	ticket = good();
	ticket.expires++;
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
	ticket = good();
	ticket.account[0] = 'A';
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
	ticket = good();
	strcat(ticket.account, "x");
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
	ticket.account[0] = '\0';
	assert_int_equal(ticket_seal(&ticket, key), 0);
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
}

static void
tickets_of_another_key_are_refused(void **state)
{
	struct ticket ticket = good();

	(void)state;
	assert_int_equal(ticket_check(&ticket, foreign, 1), -1);
	assert_int_equal(ticket_seal(&ticket, foreign), 0);
	assert_int_equal(ticket_check(&ticket, key, 1), -1);
	assert_int_equal(ticket_check(&ticket, foreign, 1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_ticket_passes_until_it_expires),
		cmocka_unit_test(the_mac_covers_session_expiry_and_account),
		cmocka_unit_test(forged_tickets_are_refused),
		cmocka_unit_test(tickets_of_another_key_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
