/*
 * The ordered queue of replies: what the client reads, in its order, whoever
 * answers first (RFC 2920 3.1).
 */
#include "proxy/replies.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>

#include "common/stream.h"

static struct event_base *base;
static struct stream *client;
static struct replies replies;
static int far_end;

static void
on_event(void *arg, enum stream_event event)
{
	(void)arg;
	(void)event;
}

static int
begin(void **state)
{
	int fds[2];

	(void)state;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return -1;
	far_end = fds[1];
	fcntl(far_end, F_SETFL, O_NONBLOCK);
	base = event_base_new();
	client = stream_new(base, fds[0], on_event, NULL);
	replies_init(&replies);
	return client == NULL ? -1 : 0;
}

static int
end(void **state)
{
	(void)state;
	replies_clear(&replies);
	stream_abort(client);
	stream_turn_end();
	event_base_free(base);
	return close(far_end);
}

/* What the client has got since the last look. */
static const char *
got(void)
{
	static char text[1024];
	ssize_t n;

	stream_turn_end();
	n = read(far_end, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void
own(const char *text)
{
	replies_own(&replies, client, text, strlen(text));
}

static void
answer(const char *text)
{
	replies_answer(&replies, client, text, text == NULL ? 0 : strlen(text));
}

static void
own_replies_leave_at_once(void **state)
{
	(void)state;
	own("250 a\r\n");
	assert_string_equal(got(), "250 a\r\n");
	assert_int_equal(replies.waiting, 0);
	assert_int_equal(replies_due(&replies), REPLY_TO_NOBODY);
}

static void
own_replies_wait_for_older_ones(void **state)
{
	(void)state;
	replies_expect(&replies, REPLY_TO_MAIL);
	own("501 b\r\n");
	replies_expect(&replies, REPLY_TO_RCPT);
	own("503 d\r\n");
	assert_string_equal(got(), "");
	assert_int_equal(replies_due(&replies), REPLY_TO_MAIL);
	answer("250-a\r\n250 a\r\n");
	assert_string_equal(got(), "250-a\r\n250 a\r\n501 b\r\n");
	assert_int_equal(replies_due(&replies), REPLY_TO_RCPT);
	answer("550 c\r\n");
	assert_string_equal(got(), "550 c\r\n503 d\r\n");
	assert_int_equal(replies.waiting, 0);
}

static void
what_answers_us_is_not_shown(void **state)
{
	(void)state;
	replies_expect(&replies, REPLY_TO_OURS);
	own("250 ehlo\r\n");
	assert_int_equal(replies_due(&replies), REPLY_TO_OURS);
	assert_string_equal(got(), "");
	answer(NULL);
	assert_string_equal(got(), "250 ehlo\r\n");
}

static void
a_lost_msa_answers_all_that_wait(void **state)
{
	(void)state;
	replies_expect(&replies, REPLY_TO_MAIL);
	replies_expect(&replies, REPLY_TO_OURS);
	replies_expect(&replies, REPLY_TO_RCPT);
	own("501 x\r\n");
	replies_expect(&replies, REPLY_TO_RSET);
	answer("250 m\r\n");
	replies_fail(&replies, client, "451 lost\r\n");
	assert_string_equal(
	    got(), "250 m\r\n451 lost\r\n501 x\r\n250 2.0.0 OK\r\n");
	assert_int_equal(replies.waiting, 0);
}

static void
without_a_client_nothing_is_said(void **state)
{
	(void)state;
	replies_expect(&replies, REPLY_TO_MAIL);
	replies_own(&replies, NULL, "501 x\r\n", 7);
	replies_answer(&replies, NULL, "250 m\r\n", 7);
	assert_string_equal(got(), "");
	assert_int_equal(replies.waiting, 0);
	replies_answer(&replies, client, "250 not due\r\n", 13);
	assert_string_equal(got(), "");
}

static void
cleared_replies_are_gone(void **state)
{
	(void)state;
	replies_expect(&replies, REPLY_TO_MAIL);
	own("250 a\r\n");
	replies_clear(&replies);
	assert_int_equal(replies.waiting, 0);
	own("421 b\r\n");
	assert_string_equal(got(), "421 b\r\n");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(own_replies_leave_at_once),
		CASE(own_replies_wait_for_older_ones),
		CASE(what_answers_us_is_not_shown),
		CASE(a_lost_msa_answers_all_that_wait),
		CASE(without_a_client_nothing_is_said),
		CASE(cleared_replies_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
