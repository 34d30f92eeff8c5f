/*
 * The Received field: its clauses, how it is folded, and that nothing a
 * client says can break out of it.
 */
#include "proxy/received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define N(table) (sizeof(table) / sizeof((table)[0]))
#define WHEN	 1785578400 /* 2026-08-01 10:00:00 UTC */
#define ENVID	 "k3Yc0bq2RtOZl8uPqv1x5A@submit.example.net"
#define DATE	 "Sat, 01 Aug 2026 12:00:00 +0200\r\n"

static const struct {
	struct received_info info;
	const char *field;
} fields[] = {
	{ { "laptop", "host.example", "192.0.2.1", NULL, "submit.example.net",
	      "TLS_AES_128_GCM_SHA256", ENVID, true, false, WHEN },
	    "Received: from laptop (host.example [192.0.2.1])\r\n"
	    "\tby submit.example.net (Waybill) with ESMTPSA\r\n"
	    "\tid <" ENVID ">\r\n"
	    "\ttls TLS_AES_128_GCM_SHA256; " DATE },
	{ { "[192.0.2.1]", NULL, "2001:db8::1", "alice@example.com",
	      "s.example", "TLS_AES_128_GCM_SHA256", "a@s.example", true, true,
	      WHEN },
	    "Received: from [192.0.2.1] (unknown [IPv6:2001:db8::1])\r\n"
	    "\t(authenticated as alice@example.com)\r\n"
	    "\tby s.example (Waybill) with UTF8SMTPSA id <a@s.example>\r\n"
	    "\ttls TLS_AES_128_GCM_SHA256; " DATE },
	{ { "laptop", NULL, "192.0.2.1", NULL, "s.example", NULL, NULL, true,
	      false, WHEN },
	    "Received: from laptop (unknown [192.0.2.1])\r\n"
	    "\tby s.example (Waybill) with ESMTPA;\r\n"
	    "\t" DATE },
	{ { "", NULL, "192.0.2.1", NULL, "s.example", NULL, "bare-id", false,
	      false, WHEN },
	    "Received: from unknown (unknown [192.0.2.1])\r\n"
	    "\tby s.example (Waybill) with ESMTP id bare-id;\r\n"
	    "\t" DATE },
	{ { "x\r\nBcc: y", "a\n b)", "1\r2", "u\r\n)(\\", "h\ro;st", "C;\nx",
	      "e\r\n@x", true, false, WHEN },
	    "Received: from x??Bcc:?y (a??b? [1?2]) (authenticated as u????"
	    "?)"
	    "\r\n"
	    "\tby h?o?st (Waybill) with ESMTPSA\r\n"
	    "\ttls C??x; " DATE },
	{ { "h\xc3\xbcllo", NULL, "192.0.2.1", NULL, "s.example", NULL, "a b@c",
	      true, false, WHEN },
	    "Received: from h??llo (unknown [192.0.2.1])\r\n"
	    "\tby s.example (Waybill) with ESMTPA;\r\n"
	    "\t" DATE },
};

static void
field_says_what_is_known(void **state)
{
	char out[RECEIVED_MAX + 1];

	(void)state;
	for (size_t i = 0; i < N(fields); i++) {
		size_t len = received_write(&fields[i].info, out);

		assert_string_equal(out, fields[i].field);
		assert_int_equal(len, strlen(out));
	}
}

static void
longest_field_stays_within_its_bounds(void **state)
{
	char text[2000], out[RECEIVED_MAX + 1];
	const struct received_info info = { text, text, text, text, text, text,
		text, true, true, WHEN };
	size_t len, start = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	len = received_write(&info, out);
	assert_true(len <= RECEIVED_MAX);
	assert_int_equal(out[len], '\0');
	text[255] = '\0';
	len = received_write(&info, out);
	assert_true(len <= RECEIVED_MAX);
	while (start < len) {
		const char *end = strstr(out + start, "\r\n");

		assert_non_null(end);
		assert_true((size_t)(end - out) - start <= 998);
		start = (size_t)(end - out) + 2;
		/* Only folded lines, no new field, no blank one. */
		assert_true(start == len || out[start] == '\t');
	}
}

static const struct {
	const char *zone;
	time_t when;
	const char *date;
} dates[] = {
	{ "UTC0", 0, "Thu, 01 Jan 1970 00:00:00 +0000" },
	{ "UTC0", 951782400, "Tue, 29 Feb 2000 00:00:00 +0000" },
	{ "XXX-5:45", 0, "Thu, 01 Jan 1970 05:45:00 +0545" },
	{ "XXX3:30", 0, "Wed, 31 Dec 1969 20:30:00 -0330" },
	{ "XXX0:30", 0, "Wed, 31 Dec 1969 23:30:00 -0030" },
};

static void
set_zone(const char *zone)
{
	setenv("TZ", zone, 1);
	tzset();
}

static void
date_has_its_numeric_zone(void **state)
{
	char out[RECEIVED_DATE_LEN];

	(void)state;
	for (size_t i = 0; i < N(dates); i++) {
		set_zone(dates[i].zone);
		received_date(dates[i].when, out);
		assert_string_equal(out, dates[i].date);
	}
	set_zone("CEST-2");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(field_says_what_is_known),
		cmocka_unit_test(longest_field_stays_within_its_bounds),
		cmocka_unit_test(date_has_its_numeric_zone),
	};

	set_zone("CEST-2");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
