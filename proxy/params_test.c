/*
 * Which arguments of MAIL and RCPT are taken, what they come to, and which
 * reply each mistake gets: RFC 5321, 1870, 3461, 3885, 4954, 6152, 6531.
 */
#include "proxy/params.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proxy/caps.h"

#define N(table)      (sizeof(table) / sizeof((table)[0]))
#define ALL	      (~0U)
#define WITHOUT(caps) (ALL & ~(unsigned)(caps))
#define CERTIFIER     "eD72e8cRib6kzdkkE9IFMiKt+FA"
#define C10	      "0123456789"
#define C50	      C10 C10 C10 C10 C10
#define X100	      C50 C50

static const struct {
	const char *line;
	unsigned caps;
	int code; /* 0 or PARAMS_E_* */
} mails[] = {
	{ "FROM:<a@b>", 0, 0 },
	{ "from:<a@b>", 0, 0 },
	{ "FROM: <a@b>", 0, 0 },
	{ "FROM:   <a@b>  ", 0, 0 },
	{ " FROM:<a@b>", 0, 0 },
	{ "FROM:<>", 0, 0 },
	{ "", 0, PARAMS_E_MAIL_SYNTAX },
	{ "FROM", 0, PARAMS_E_MAIL_SYNTAX },
	{ "FROM <a@b>", 0, PARAMS_E_MAIL_SYNTAX },
	{ "FROM :<a@b>", 0, PARAMS_E_MAIL_SYNTAX },
	{ "TO:<a@b>", 0, PARAMS_E_MAIL_SYNTAX },
	{ "FROM:", 0, PARAMS_E_SENDER },
	{ "FROM:a@b", 0, PARAMS_E_SENDER },
	{ "FROM:<a>", 0, PARAMS_E_SENDER },
	{ "FROM:<postmaster>", 0, PARAMS_E_SENDER },
	{ "FROM:<a@b", 0, PARAMS_E_SENDER },
	{ "FROM:<a@b>SIZE=1", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b>>", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b>\tSIZE=1", ALL, PARAMS_E_OCTETS },
	{ "FROM:<a@b>\r", ALL, PARAMS_E_OCTETS },
	{ "FROM:<a\x7f@b>", ALL, PARAMS_E_OCTETS },
	{ "FROM:<a\xff@b>", ALL, PARAMS_E_OCTETS },
	{ "FROM:<a@b> \xc3", ALL, PARAMS_E_OCTETS },

	{ "FROM:<a@b> =", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> =1", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> -X", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> S\xc3\xbc=1", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> X", ALL, PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> X-Y=1", ALL, PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> SIZES=1", ALL, PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> NOTIFY=NEVER", ALL, PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> SIZE=1", WITHOUT(CAP_SIZE), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> BODY=7BIT", WITHOUT(CAP_8BITMIME), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> SMTPUTF8", WITHOUT(CAP_SMTPUTF8), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> RET=FULL", WITHOUT(CAP_DSN), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> AUTH=<>", WITHOUT(CAP_AUTH), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> ENVID=x", WITHOUT(CAP_DSN | CAP_MTRK), PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> ENVID=x", CAP_MTRK, 0 },
	{ "FROM:<a@b> ENVID=x", CAP_DSN, 0 },
	{ "FROM:<a@b> ENVID=x@y MTRK=" CERTIFIER, CAP_DSN, PARAMS_E_UNKNOWN },
	{ "FROM:<a@b> SIZE=1 size=1", ALL, PARAMS_E_DUPLICATE },
	{ "FROM:<a@b> SMTPUTF8 SMTPUTF8", ALL, PARAMS_E_DUPLICATE },
	{ "FROM:<a@b> ENVID=a ENVID=a", ALL, PARAMS_E_DUPLICATE },
	{ "FROM:<a@b> SIZE", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> SIZE=", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> SMTPUTF8=1", ALL, PARAMS_E_MALFORMED },
	{ "FROM:<a@b> SMTPUTF8=", ALL, PARAMS_E_MALFORMED },

	{ "FROM:<a@b> SIZE=0", ALL, 0 },
	{ "FROM:<a@b> SIZE=99999999999999999999", ALL, 0 },
	{ "FROM:<a@b> SIZE=000000000000000000001", ALL, PARAMS_E_SIZE },
	{ "FROM:<a@b> SIZE=-1", ALL, PARAMS_E_SIZE },
	{ "FROM:<a@b> SIZE=1k", ALL, PARAMS_E_SIZE },
	{ "FROM:<a@b> BODY=8bitMIME", ALL, 0 },
	{ "FROM:<a@b> BODY=BINARYMIME", ALL, PARAMS_E_BODY },
	{ "FROM:<a@b> BODY=8BIT", ALL, PARAMS_E_BODY },
	{ "FROM:<a@b> RET=full", ALL, 0 },
	{ "FROM:<a@b> RET=NONE", ALL, PARAMS_E_RET },
	{ "FROM:<a@b> RET=FULL=", ALL, PARAMS_E_RET },

	{ "FROM:<a@b> ENVID=" X100, ALL, 0 },
	{ "FROM:<a@b> ENVID=" X100 "0", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a+20b", ALL, 0 },
	{ "FROM:<a@b> ENVID=a+2", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a+2b", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a=b", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a+0D+0AX:", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a+00", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=a+C3+BC", ALL, PARAMS_E_ENVID },
	{ "FROM:<a@b> ENVID=\xc3\xbc", ALL, PARAMS_E_ENVID },

	{ "FROM:<a@b> MTRK=" CERTIFIER, ALL, PARAMS_E_MTRK_ENVID },
	{ "FROM:<a@b> MTRK=" CERTIFIER " ENVID=x", ALL, PARAMS_E_MTRK_ENVID },
	{ "FROM:<a@b> MTRK=" CERTIFIER " ENVID=@x", ALL, PARAMS_E_MTRK_ENVID },
	{ "FROM:<a@b> MTRK=" CERTIFIER " ENVID=x@", ALL, PARAMS_E_MTRK_ENVID },
	{ "FROM:<a@b> MTRK=" CERTIFIER " ENVID=x@y", ALL, 0 },
	{ "FROM:<a@b> MTRK=" CERTIFIER "= ENVID=x@y", ALL, 0 },
	{ "FROM:<a@b> MTRK=" CERTIFIER "=:5 ENVID=x@y", ALL, 0 },
	{ "FROM:<a@b> MTRK=" CERTIFIER ":999999999 ENVID=x@y", ALL, 0 },
	{ "FROM:<a@b> MTRK=" CERTIFIER ":1000000000", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=" CERTIFIER ":", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=" CERTIFIER ":1:2", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=" CERTIFIER ":-1", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=" CERTIFIER "==", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=" CERTIFIER "A", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=eD72e8cRib6kzdkkE9IFMiKt+FB", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=eD72e8cRib6kzdkkE9IFMiKt-FA", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=eD72e8cRib6kzdkkE9IFMiKt+F=", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=AAAA ENVID=x@y", ALL, PARAMS_E_MTRK },
	{ "FROM:<a@b> MTRK=:60", ALL, PARAMS_E_MTRK },

	{ "FROM:<a@b> AUTH=<>", ALL, 0 },
	{ "FROM:<a@b> AUTH=e+3Dmc2@example.com", ALL, 0 },
	{ "FROM:<a@b> AUTH=alice", ALL, PARAMS_E_AUTH },
	{ "FROM:<a@b> AUTH=<a@b>", ALL, PARAMS_E_AUTH },
	{ "FROM:<a@b> AUTH=a+0A@b", ALL, PARAMS_E_AUTH },
	{ "FROM:<a@b> AUTH=a=@b", ALL, PARAMS_E_AUTH },

	{ "FROM:<\xc3\xbc@b>", ALL, PARAMS_E_MAIL_UTF8 },
	{ "FROM:<\xc3\xbc@b> SIZE=1", ALL, PARAMS_E_MAIL_UTF8 },
	{ "FROM:<\xc3\xbc@b> SMTPUTF8", ALL, 0 },
	{ "FROM:<\xc3\xbc@b> SIZE=1 smtputf8", ALL, 0 },
	{ "FROM:<\xc3\xbc@b> SMTPUTF8", WITHOUT(CAP_SMTPUTF8),
	    PARAMS_E_UNKNOWN },
};

static void
mail_gets_the_reply_it_deserves(void **state)
{
	struct mail_params mail;

	(void)state;
	for (size_t i = 0; i < N(mails); i++) {
		int code = params_parse_mail(
		    mails[i].line, strlen(mails[i].line), mails[i].caps, &mail);

		if (code != mails[i].code)
			fail_msg("%s: %d (%s)", mails[i].line, code,
			    params_error(code)->text);
	}
	assert_int_equal(params_parse_mail("FROM:<\"\0\"@b>", 12, ALL, &mail),
	    PARAMS_E_OCTETS);
}

static const struct {
	const char *line;
	unsigned caps;
	bool smtputf8;
	int code;
} rcpts[] = {
	{ "TO:<a@b>", 0, false, 0 },
	{ "to: <a@b> ", 0, false, 0 },
	{ "TO:<Postmaster>", 0, false, 0 },
	{ "TO:<@x:a@b>", 0, false, 0 },
	{ "", 0, false, PARAMS_E_RCPT_SYNTAX },
	{ "FROM:<a@b>", 0, false, PARAMS_E_RCPT_SYNTAX },
	{ "TO:<>", 0, false, PARAMS_E_RECIPIENT },
	{ "TO:a@b", 0, false, PARAMS_E_RECIPIENT },
	{ "TO:<a@b>\n", 0, false, PARAMS_E_OCTETS },
	{ "TO:<a@b>,<c@d>", 0, false, PARAMS_E_MALFORMED },
	{ "TO:<a@b> SIZE=1", ALL, false, PARAMS_E_UNKNOWN },
	{ "TO:<\xc3\xbc@b>", ALL, false, PARAMS_E_RCPT_UTF8 },
	{ "TO:<\xc3\xbc@b>", ALL, true, 0 },

	{ "TO:<a@b> NOTIFY=NEVER", ALL, false, 0 },
	{ "TO:<a@b> NOTIFY=NEVER", CAP_MTRK, false, PARAMS_E_UNKNOWN },
	{ "TO:<a@b> NOTIFY=delay,Failure,SUCCESS", ALL, false, 0 },
	{ "TO:<a@b> NOTIFY=NEVER,DELAY", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=DELAY,NEVER", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=DELAY,DELAY", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=DELAY,", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=,DELAY", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=ALWAYS", ALL, false, PARAMS_E_NOTIFY },
	{ "TO:<a@b> NOTIFY=", ALL, false, PARAMS_E_MALFORMED },
	{ "TO:<a@b> NOTIFY=NEVER NOTIFY=NEVER", ALL, false,
	    PARAMS_E_DUPLICATE },

	{ "TO:<a@b> ORCPT=rfc822;a@b", CAP_MTRK, false, 0 },
	{ "TO:<a@b> ORCPT=rfc822;a@b", CAP_DSN, false, 0 },
	{ "TO:<a@b> ORCPT=rfc822;a@b", CAP_SIZE, false, PARAMS_E_UNKNOWN },
	{ "TO:<a@b> ORCPT=RFC822;a+2Bx@b", ALL, false, 0 },
	{ "TO:<a@b> ORCPT=x400;/C=de", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=x400;/C+3Dde", ALL, false, 0 },
	{ "TO:<a@b> ORCPT=rfc822;", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=;a@b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=a@b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=rfc(822);a@b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=rfc822;a+0D+0A@b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=rfc822;\xc3\xbc@b", ALL, true, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=a;b ORCPT=a;b", ALL, false, PARAMS_E_DUPLICATE },
	{ "TO:<a@b> ORCPT=t;" X100 X100 X100 X100 X100, ALL, false,
	    PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 C50 C10 C10 C10 C10
	  "012",
	    ALL, false, 0 },
	{ "TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 C50 C10 C10 C10 C10
	  "0123",
	    ALL, false, PARAMS_E_ORCPT },

	{ "TO:<a@b> ORCPT=utf-8;\\x{FC}@b", ALL, false, 0 },
	{ "TO:<a@b> ORCPT=UTF-8;a\\x{1F600}@b", ALL, false, 0 },
	{ "TO:<a@b> ORCPT=utf-8;a\\x{2B}x+2By@b", ALL, false, 0 },
	{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", ALL, true, 0 },
	{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;a\\b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;\\x{}", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;\\x{F}", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;\\x{fc}", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;\\x{1234567}", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;\\x{123456", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;a+4", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;a=b", ALL, false, PARAMS_E_ORCPT },
	{ "TO:<a@b> ORCPT=utf-8;", ALL, false, PARAMS_E_ORCPT },
};

static void
rcpt_gets_the_reply_it_deserves(void **state)
{
	struct rcpt_params rcpt;

	(void)state;
	for (size_t i = 0; i < N(rcpts); i++) {
		int code =
		    params_parse_rcpt(rcpts[i].line, strlen(rcpts[i].line),
			rcpts[i].caps, rcpts[i].smtputf8, &rcpt);

		if (code != rcpts[i].code)
			fail_msg("%s: %d (%s)", rcpts[i].line, code,
			    params_error(code)->text);
	}
}

static void
assert_span(struct span span, const char *text)
{
	assert_int_equal(span.len, strlen(text));
	assert_memory_equal(span.at, text, span.len);
}

static void
values_of_mail_are_read(void **state)
{
	static const unsigned char hash[PARAMS_HASH_LEN] = { 0x78, 0x3e, 0xf6,
		0x7b, 0xc7, 0x11, 0x89, 0xbe, 0xa4, 0xcd, 0xd9, 0x24, 0x13,
		0xd2, 0x05, 0x32, 0x22, 0xad, 0xf8, 0x50 };
	const char *line = "FROM:<a@b> SIZE=18446744073709551614 RET=HDRS "
			   "BODY=8BITMIME ENVID=x@y+40@z MTRK=" CERTIFIER
			   "=:0864000 AUTH=<> SMTPUTF8";
	struct mail_params mail;

	(void)state;
	assert_int_equal(params_parse_mail(line, strlen(line), ALL, &mail), 0);
	assert_int_equal(mail.given,
	    PARAM_SIZE | PARAM_RET | PARAM_BODY | PARAM_ENVID | PARAM_MTRK |
		PARAM_AUTH | PARAM_SMTPUTF8);
	assert_true(mail.size == 18446744073709551614ULL);
	assert_int_equal(mail.ret, RET_HDRS);
	assert_int_equal(mail.body, BODY_8BITMIME);
	assert_span(mail.envid, "x@y+40@z");
	assert_true(mail.envid_unique);
	assert_span(mail.mtrk.certifier, CERTIFIER);
	assert_span(mail.mtrk.timeout_text, "0864000");
	assert_int_equal(mail.mtrk.timeout, 864000);
	assert_memory_equal(mail.mtrk.hash, hash, sizeof(hash));
	assert_span(mail.auth, "<>");
	assert_int_equal(
	    params_mail_needs(&mail), CAP_SMTPUTF8 | CAP_8BITMIME | CAP_DSN);
}

static void
size_too_large_for_64_bits_is_the_largest(void **state)
{
	const char *line = "FROM:<a@b> SIZE=18446744073709551616";
	struct mail_params mail;

	(void)state;
	assert_int_equal(params_parse_mail(line, strlen(line), ALL, &mail), 0);
	assert_true(mail.size == UINT64_MAX);
}

static void
values_of_rcpt_are_read(void **state)
{
	const char *line = "TO:<@x:A@b> NOTIFY=success,Delay ORCPT=RFC822;a@B";
	struct rcpt_params rcpt;

	(void)state;
	assert_int_equal(
	    params_parse_rcpt(line, strlen(line), ALL, false, &rcpt), 0);
	assert_span(rcpt.to.whole, "A@b");
	assert_int_equal(rcpt.notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_span(rcpt.notify_text, "success,Delay");
	assert_span(rcpt.orcpt, "RFC822;a@B");
	assert_int_equal(params_rcpt_needs(&rcpt), CAP_DSN);
}

static void
plain_commands_need_nothing_of_the_msa(void **state)
{
	const char *from = "FROM:<a@b> SIZE=5 BODY=7BIT ENVID=x AUTH=<>";
	const char *to = "TO:<a@b> ORCPT=rfc822;a@b";
	struct mail_params mail;
	struct rcpt_params rcpt;

	(void)state;
	assert_int_equal(params_parse_mail(from, strlen(from), ALL, &mail), 0);
	assert_int_equal(params_mail_needs(&mail), 0);
	assert_false(mail.envid_unique);
	assert_int_equal(
	    params_parse_rcpt(to, strlen(to), ALL, false, &rcpt), 0);
	assert_int_equal(params_rcpt_needs(&rcpt), 0);
}

static const struct {
	int code;
	int reply;
	const char *enhanced;
} replies[] = {
	{ PARAMS_E_MAIL_SYNTAX, 501, "5.5.2" },
	{ PARAMS_E_OCTETS, 501, "5.5.2" },
	{ PARAMS_E_SENDER, 501, "5.1.7" },
	{ PARAMS_E_RECIPIENT, 501, "5.1.3" },
	{ PARAMS_E_MAIL_UTF8, 550, "5.6.7" },
	{ PARAMS_E_RCPT_UTF8, 553, "5.6.7" },
	{ PARAMS_E_UNKNOWN, 555, "5.5.4" },
	{ PARAMS_E_BODY, 504, "5.5.4" },
	{ PARAMS_E_DUPLICATE, 501, "5.5.4" },
	{ PARAMS_E_MTRK_ENVID, 501, "5.5.4" },
	{ PARAMS_E_ORCPT, 501, "5.5.4" },
	{ 0, 501, "5.5.4" },
	{ -1000, 501, "5.5.4" },
	{ PARAMS_E_END, 501, "5.5.4" },
	{ PARAMS_E_ORCPT + 1, 501, "5.5.4" },
};

static void
every_code_has_its_reply(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(replies); i++) {
		const struct params_error *error =
		    params_error(replies[i].code);

		assert_int_equal(error->code, replies[i].reply);
		assert_string_equal(error->enhanced, replies[i].enhanced);
		assert_true(error->text[0] != '\0');
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_gets_the_reply_it_deserves),
		cmocka_unit_test(rcpt_gets_the_reply_it_deserves),
		cmocka_unit_test(values_of_mail_are_read),
		cmocka_unit_test(size_too_large_for_64_bits_is_the_largest),
		cmocka_unit_test(values_of_rcpt_are_read),
		cmocka_unit_test(plain_commands_need_nothing_of_the_msa),
		cmocka_unit_test(every_code_has_its_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
