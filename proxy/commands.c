/*
 * The client's verbs (RFC 5321 4.1.1): a row each, with the states in which
 * it is legal, and the handlers that need no file of their own.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/codec.h"
#include "common/log.h"
#include "proxy/caps.h"
#include "proxy/message.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#define IN_TRANSACTION (SESSION_MAIL | SESSION_BROKEN)
#define LOGGED_IN      (SESSION_IDLE | IN_TRANSACTION)
#define ANY	       (SESSION_CLEAR | SESSION_OPEN | LOGGED_IN)

enum command_flag { NO_ARGUMENT = 1, NEEDS_HELLO = 2, LAST_IN_GROUP = 4 };

struct command {
	const char *verb;
	int states;
	int flags;
	void (*run)(struct session *, const char *args, size_t len);
};

static void command_hello(struct session *, const char *, size_t);
static void command_helo(struct session *, const char *, size_t);
static void command_starttls(struct session *, const char *, size_t);
static void command_noop(struct session *, const char *, size_t);
static void command_vrfy(struct session *, const char *, size_t);
static void command_help(struct session *, const char *, size_t);
static void command_quit(struct session *, const char *, size_t);

static const struct command commands[] = { { "EHLO", ANY, 0, command_hello },
	{ "HELO", ANY, 0, command_helo },
	{ "STARTTLS", SESSION_CLEAR, NO_ARGUMENT, command_starttls },
	{ "AUTH", SESSION_OPEN, NEEDS_HELLO, login_begin },
	{ "MAIL", SESSION_IDLE | SESSION_BROKEN, NEEDS_HELLO, envelope_mail },
	{ "RCPT", IN_TRANSACTION, 0, envelope_rcpt },
	{ "DATA", IN_TRANSACTION, NO_ARGUMENT | LAST_IN_GROUP, message_data },
	{ "RSET", SESSION_OPEN | LOGGED_IN, NO_ARGUMENT, envelope_rset },
	{ "XMTRK", SESSION_IDLE, 0, queries_xmtrk },
	{ "NOOP", ANY, 0, command_noop },
	{ "VRFY", LOGGED_IN, 0, command_vrfy },
	{ "HELP", ANY, 0, command_help },
	{ "QUIT", ANY, NO_ARGUMENT, command_quit }, { NULL, 0, 0, NULL } };

static void
command_reply(struct session *s, const char *reply)
{
	char line[600];
	int n = snprintf(line, sizeof(line), "%s\r\n", reply);

	replies_own(&s->replies, s->client, line, (size_t)n);
	if (reply[0] == '5')
		s->bad_commands++;
}

/* Controls and 8-bit octets are in no command but with SMTPUTF8. */
static bool
command_octets_good(const char *line, size_t len)
{
	const char *tab;

	while ((tab = memchr(line, '\t', len)) != NULL) {
		if (codec_has_control(line, (size_t)(tab - line)))
			return false;
		len -= (size_t)(tab + 1 - line);
		line = tab + 1;
	}
	return !codec_has_control(line, len);
}

/* Pipelined behind a MAIL that was refused, it is no mistake to count. */
static void
command_need_mail(struct session *s)
{
	static const char reply[] = "503 5.5.1 Need MAIL first\r\n";

	replies_own(&s->replies, s->client, reply, sizeof(reply) - 1);
}

/* Why a verb that exists may not be used now. */
static void
command_out_of_order(struct session *s, const struct command *c)
{
	if (s->state == SESSION_CLEAR)
		command_reply(s, "530 5.7.0 Must issue STARTTLS first");
	else if (strcmp(c->verb, "STARTTLS") == 0)
		command_reply(s, "503 5.5.1 TLS is already in use");
	else if (s->state == SESSION_OPEN)
		command_reply(s, "530 5.7.0 Authentication required");
	else if (strcmp(c->verb, "AUTH") == 0)
		command_reply(s, "503 5.5.1 Already authenticated");
	else if (s->state == SESSION_IDLE)
		command_need_mail(s);
	else
		command_reply(s, "503 5.5.1 Not within a transaction");
}

static const struct command *
command_find(const char *line, size_t len)
{
	const struct command *c;

	for (c = commands; c->verb != NULL; c++) {
		if (strlen(c->verb) == len &&
		    strncasecmp(c->verb, line, len) == 0)
			return c;
	}
	return NULL;
}

void
commands_run(struct session *s, const char *line, size_t len)
{
	size_t verb = 0, args;
	const struct command *c;

	if (!command_octets_good(line, len)) {
		command_reply(s, "500 5.5.2 Control characters in a command");
		return;
	}
	while (verb < len && line[verb] != ' ' && line[verb] != '\t')
		verb++;
	for (args = verb;
	     args < len && (line[args] == ' ' || line[args] == '\t'); args++)
		continue;
	while (len > args && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		len--;
	c = command_find(line, verb);
	if (c == NULL)
		command_reply(s,
		    s->state == SESSION_CLEAR
			? "530 5.7.0 Must issue STARTTLS first"
			: "500 5.5.1 Command not recognized");
	else if ((c->flags & LAST_IN_GROUP) != 0 && session_logged_in(s) &&
	    message_is_pipelined(s))
		return;
	else if ((c->states & (int)s->state) == 0)
		command_out_of_order(s, c);
	else if ((c->flags & NO_ARGUMENT) != 0 && args < len)
		command_reply(s, "501 5.5.4 This command has no argument");
	else if ((c->flags & NEEDS_HELLO) != 0 && s->helo[0] == '\0')
		command_reply(s, "503 5.5.1 Send EHLO first");
	else
		c->run(s, line + args, len - args);
}

/* Takes the name; a transaction ends with it (RFC 5321 4.1.4). */
static bool
command_greeted(struct session *s, const char *args, size_t len)
{
	char name[EHLO_DOMAIN_MAX + 1];

	if (!ehlo_parse_domain(args, len, name)) {
		command_reply(s, "501 5.5.4 Syntax: EHLO hostname");
		return false;
	}
	if (s->state == SESSION_MAIL && s->msa != NULL)
		upstream_send(s, REPLY_TO_OUR_RSET, "RSET\r\n", 6);
	if ((s->state & IN_TRANSACTION) != 0) {
		envelope_abandon(s);
		session_enter(s, SESSION_IDLE);
	}
	memcpy(s->helo, name, sizeof(name));
	return true;
}

static void
command_hello(struct session *s, const char *args, size_t len)
{
	const struct worker *w = s->w;
	unsigned ours = CAP_MTRK | CAP_XMTRK;
	char text[EHLO_REPLY_MAX];
	struct ehlo_offer offer;
	size_t n;

	if (!command_greeted(s, args, len))
		return;
	s->esmtp = true;
	if (!session_is_secure(s))
		ours |= CAP_STARTTLS;
	else if (!session_logged_in(s) && w->mechanisms[0] != '\0')
		ours |= CAP_AUTH;
	s->offered = ehlo_offer_mask(&w->caps, ours);
	offer = (struct ehlo_offer){ .hostname = w->conf->hostname,
		.mask = s->offered,
		.size = ehlo_offer_size(&w->caps, MESSAGE_HEADROOM),
		.auth = w->mechanisms };
	n = ehlo_build(&offer, text, sizeof(text));
	replies_own(&s->replies, s->client, text, n);
	/* RFC 4954 5: AUTH= on MAIL is for whoever was offered AUTH. */
	s->offered |= CAP_AUTH;
}

static void
command_helo(struct session *s, const char *args, size_t len)
{
	char text[EHLO_REPLY_MAX];

	if (!command_greeted(s, args, len))
		return;
	s->esmtp = false;
	s->offered = 0;
	replies_own(&s->replies, s->client, text,
	    ehlo_build_helo(s->w->conf->hostname, text, sizeof(text)));
}

static void
command_log_injection(const struct session *s, size_t behind)
{
	struct log_line l;

	log_begin(&l, LOG_IS_WARNING, "injection");
	log_session(&l, s->id);
	log_text(&l, "client", s->address);
	log_number(&l, "octets", (int64_t)behind);
	log_text(&l, "reason", "octets behind STARTTLS");
	log_end(&l);
}

/* RFC 3207; what stands behind it in clear ends the session. */
static void
command_starttls(struct session *s, const char *args, size_t len)
{
	size_t behind;

	(void)args;
	(void)len;
	stream_input(s->client, &behind);
	if (behind > 0) {
		command_log_injection(s, behind);
		session_bye(s,
		    "501 5.5.0 STARTTLS must be the last command "
		    "in clear");
		return;
	}
	command_reply(s, "220 2.0.0 Ready to start TLS");
	session_enter(s, SESSION_SECURING);
	stream_start_tls(s->client, s->w->tls, NULL);
}

static void
command_noop(struct session *s, const char *args, size_t len)
{
	(void)args;
	(void)len;
	command_reply(s, "250 2.0.0 OK");
}

static void
command_vrfy(struct session *s, const char *args, size_t len)
{
	(void)args;
	command_reply(s,
	    len == 0 ? "501 5.5.4 Syntax: VRFY address"
		     : "252 2.5.2 Cannot verify, but will take mail for it");
}

static void
command_help(struct session *s, const char *args, size_t len)
{
	(void)args;
	(void)len;
	command_reply(s,
	    "214 2.0.0 EHLO STARTTLS AUTH MAIL RCPT DATA RSET "
	    "NOOP VRFY HELP XMTRK QUIT");
}

static void
command_quit(struct session *s, const char *args, size_t len)
{
	(void)args;
	(void)len;
	if (s->replies.waiting == 0) {
		session_bye(s, "221 2.0.0 Bye");
		return;
	}
	/* Pipelined behind commands that the MSA has yet to answer. */
	command_reply(s, "221 2.0.0 Bye");
	session_enter(s, SESSION_QUITTING);
}
