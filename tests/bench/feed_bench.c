/*
 * How many lines of a Postfix log one core reads and joins in a second: what
 * bounds how fast a day's log is caught up with (make bench CASE=feed_lines).
 *
 *	build/bench/feed_bench [LINES [rfc3339]]
 */
#include "track/log_join.h"
#include "track/log_reader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LINES_DEFAULT = 2000000, IN_FLIGHT = 50, LINE_MAX_LEN = 512 };

/* One message's lines, as a busy relay logs them; %1$s is the queue id. */
static const char *const message[] = {
	"smtpd[%2$u]: connect from client.example.net[203.0.113.5]",
	"smtpd[%2$u]: %1$s: client=client.example.net[203.0.113.5], "
	"sasl_method=PLAIN, sasl_username=alice",
	"cleanup[%2$u]: %1$s: message-id=<%1$s@client.example.net>",
	"qmgr[700]: %1$s: from=<alice@example.net>, size=4242, nrcpt=1 (queue "
	"active)",
	"smtpd[%2$u]: disconnect from client.example.net[203.0.113.5] ehlo=2 "
	"starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8",
	"smtp[%2$u]: Trusted TLS connection established to "
	"mx1.example.org[192.0.2.7]:25: TLSv1.3 with cipher "
	"TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 "
	"server-signature RSA-PSS (2048 bits) server-digest SHA256",
	"smtp[%2$u]: %1$s: to=<bob@example.org>, "
	"relay=mx1.example.org[192.0.2.7]:25, delay=1.2, "
	"delays=0.1/0/0.9/0.2, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as "
	"9F1B22C0)",
	"qmgr[700]: %1$s: removed",
};

enum { STEPS = sizeof(message) / sizeof(message[0]) };

static size_t
write_line(char *out, const char *date, unsigned long n, unsigned long line)
{
	char id[32];
	unsigned seconds = (unsigned)(line / 200 % 86400);
	int len;

	snprintf(id, sizeof(id), "4T3b%02lX%06lXz9vNB", n >> 24, n & 0xffffff);
	len = sprintf(out, "%s%02u:%02u:%02u%s mail postfix/", date,
	    seconds / 3600, seconds / 60 % 60, seconds % 60,
	    date[0] == '2' ? ".123456+01:00" : "");
	/* The format is one of the table above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	len += sprintf(out + len, message[line / IN_FLIGHT % STEPS], id,
	    1000 + (unsigned)(n % IN_FLIGHT));
#pragma GCC diagnostic pop
	out[len++] = '\n';
	return (size_t)len;
}

/* Messages go side by side, IN_FLIGHT at a time. */
static char *
make_log(unsigned long lines, const char *date, size_t *len)
{
	char *log = malloc(lines * LINE_MAX_LEN);

	*len = 0;
	if (log == NULL)
		return NULL;
	for (unsigned long i = 0; i < lines; i++) {
		unsigned long n =
		    i / IN_FLIGHT / STEPS * IN_FLIGHT + i % IN_FLIGHT;

		*len += write_line(log + *len, date, n, i);
	}
	return log;
}

static void
count_step(void *arg, const struct log_event *step)
{
	unsigned long *steps = arg;

	(void)step;
	(*steps)++;
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void
read_log(const char *log, size_t len, struct log_reader *reader,
    struct log_join *join)
{
	const char *end = log + len, *newline;
	struct log_event event;

	for (; log < end; log = newline + 1) {
		newline = memchr(log, '\n', (size_t)(end - log));
		log_reader_line(reader,
		    (struct octets){
			(const uint8_t *)log, (size_t)(newline - log) },
		    &event);
		log_join_add(join, &event);
	}
}

int
main(int argc, char **argv)
{
	unsigned long lines =
	    argc > 1 ? strtoul(argv[1], NULL, 10) : LINES_DEFAULT;
	struct log_reader reader = { .clock = {
					 .now = (uint64_t)time(NULL) * 1000 } };
	const struct log_join_options options = { 0 };
	unsigned long steps = 0;
	struct log_join *join = log_join_new(&options, count_step, &steps);
	size_t len;
	char *log = make_log(lines, argc > 2 ? "2026-11-22T" : "Nov 22 ", &len);
	double start = seconds_now(), took;

	if (log == NULL || join == NULL)
		return 1;
	read_log(log, len, &reader, join);
	took = seconds_now() - start;
	printf("feed: %lu lines (%zu MB), %lu steps in %.2f s: "
	       "%.0f lines/s on one core\n",
	    lines, len >> 20, steps, took, (double)lines / took);
	log_join_free(join);
	log_reader_free(&reader);
	free(log);
	return 0;
}
