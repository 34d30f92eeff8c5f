/*
 * A submission session that only asks.
 */
#include "token/client.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/codec.h"
#include "token/dial.h"
#include "token/password.h"
#include "token/text.h"

enum { REPLY_LINES_MAX = 100, NAME_MAX_OCTETS = 255 };

/* The longest AUTH argument: NUL, name, NUL, password. */
#define PLAIN_MAX (NAME_MAX_OCTETS + PASSWORD_MAX + 2)

static int
not_smtp(struct client *c)
{
	return problem_set(c->channel.problem, PROBLEM_SERVER,
	    "%s port %u does not speak SMTP as it should; is it a submission "
	    "server?",
	    c->options->server, c->options->port_number);
}

static void
note_text(struct client *c, const char *text, size_t len)
{
	size_t used = strlen(c->reply);

	if (used > 0 && used + 2 < sizeof(c->reply)) {
		c->reply[used++] = ' ';
		c->reply[used] = '\0';
	}
	text_clean(text, len, c->reply + used, sizeof(c->reply) - used);
}

/* The code that a line of a reply begins with, or -1 (RFC 5321 4.2). */
static int
line_code(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' ||
	    line[1] > '9' || line[2] < '0' || line[2] > '9')
		return -1;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return -1;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
}

/* A keyword of the reply to EHLO. */
static void
note_keyword(struct client *c, const char *line)
{
	const char *word;

	if (strcasecmp(line, "STARTTLS") == 0)
		c->starttls = true;
	if (strncasecmp(line, "AUTH ", 5) != 0)
		return;
	for (word = line + 5; *word != '\0'; word += strspn(word, " ")) {
		size_t len = strcspn(word, " ");

		if (len == 5 && strncasecmp(word, "PLAIN", 5) == 0)
			c->mechanisms |= CLIENT_PLAIN;
		if (len == 5 && strncasecmp(word, "LOGIN", 5) == 0)
			c->mechanisms |= CLIENT_LOGIN;
		word += len;
	}
}

/* Read a reply; its code into c->code. keywords: it answers EHLO. */
static int
read_reply(struct client *c, bool keywords)
{
	const char *line;
	size_t len;

	c->code = 0;
	c->reply[0] = '\0';
	for (int n = 0; n < REPLY_LINES_MAX; n++) {
		int code;

		line = channel_read_line(&c->channel, &len);
		if (line == NULL)
			return -1;
		code = line_code(line, len);
		if (code < 0 || (c->code != 0 && code != c->code))
			return not_smtp(c);
		c->code = code;
		if (keywords && n > 0 && len > 4)
			note_keyword(c, line + 4);
		note_text(c, line, len);
		if (len == 3 || line[3] == ' ')
			return 0;
	}
	return not_smtp(c);
}

static int
say(struct client *c, const char *command)
{
	char line[2048];
	int len = snprintf(line, sizeof(line), "%s\r\n", command);

	if (len < 0 || (size_t)len >= sizeof(line))
		return problem_set(c->channel.problem, PROBLEM_USAGE,
		    "that is too long to be asked for");
	return channel_write(&c->channel, line, (size_t)len);
}

static int
refused(struct client *c, const char *what)
{
	return problem_set(
	    c->channel.problem, PROBLEM_SERVER, "%s: %s", what, c->reply);
}

/* EHLO with the address literal of our end (RFC 5321 4.1.3). */
static int
say_hello(struct client *c)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_storage room;
	} own = { 0 };
	socklen_t len = sizeof(own);
	char address[INET6_ADDRSTRLEN] = "127.0.0.1", hello[128];
	bool v6 = false;

	if (getsockname(c->channel.fd, &own.any, &len) == 0) {
		v6 = own.any.sa_family == AF_INET6;
		inet_ntop(own.any.sa_family,
		    v6 ? (void *)&own.v6.sin6_addr : (void *)&own.v4.sin_addr,
		    address, sizeof(address));
	}
	snprintf(
	    hello, sizeof(hello), "EHLO [%s%s]", v6 ? "IPv6:" : "", address);
	c->mechanisms = 0;
	c->starttls = false;
	if (say(c, hello) != 0 || read_reply(c, true) != 0)
		return -1;
	return c->code == 250 ? 0 : refused(c, "the server refused EHLO");
}

static int
greet(struct client *c)
{
	if (read_reply(c, false) != 0)
		return -1;
	return c->code == 220 ? 0 : refused(c, "the server does not serve now");
}

static int
start_tls(struct client *c)
{
	if (greet(c) != 0 || say_hello(c) != 0)
		return -1;
	if (!c->starttls)
		return problem_set(c->channel.problem, PROBLEM_SERVER,
		    "%s port %u offers no STARTTLS, so no password goes there. "
		    "(port and tls are set in %s)",
		    c->options->server, c->options->port_number,
		    c->options->file);
	if (say(c, "STARTTLS") != 0 || read_reply(c, false) != 0)
		return -1;
	if (c->code != 220)
		return refused(c, "the server refused STARTTLS");
	return channel_start_tls(&c->channel);
}

static int
say_base64(struct client *c, const char *verb, const char *text, size_t len)
{
	char line[32 + BASE64_LEN(PLAIN_MAX) + 3];
	char *end = stpcpy(line, verb);
	int rc;

	end += codec_base64_encode(text, len, true, end);
	end = stpcpy(end, "\r\n");
	rc = channel_write(&c->channel, line, (size_t)(end - line));
	explicit_bzero(line, sizeof(line));
	return rc == 0 ? read_reply(c, false) : -1;
}

static int
auth_plain(struct client *c, const char *user, const char *password)
{
	char text[PLAIN_MAX + 1];
	char *end;
	int rc;

	text[0] = '\0';
	end = stpcpy(text + 1, user) + 1;
	end = stpcpy(end, password);
	rc = say_base64(c, "AUTH PLAIN ", text, (size_t)(end - text));
	explicit_bzero(text, sizeof(text));
	return rc;
}

static int
auth_login(struct client *c, const char *user, const char *password)
{
	if (say(c, "AUTH LOGIN") != 0 || read_reply(c, false) != 0)
		return -1;
	if (c->code == 334 && say_base64(c, "", user, strlen(user)) != 0)
		return -1;
	if (c->code == 334 &&
	    say_base64(c, "", password, strlen(password)) != 0)
		return -1;
	return 0;
}

static int
log_in(struct client *c)
{
	const struct options *o = c->options;
	char password[PASSWORD_MAX + 1];
	int rc;

	if (c->mechanisms == 0)
		return problem_set(c->channel.problem, PROBLEM_SERVER,
		    "%s port %u offers neither AUTH PLAIN nor AUTH LOGIN",
		    o->server, o->port_number);
	if (strlen(o->user) > NAME_MAX_OCTETS)
		return problem_set(c->channel.problem, PROBLEM_USAGE,
		    "user is longer than %d octets", NAME_MAX_OCTETS);
	if (password_get(o, password, c->channel.problem) != 0)
		return -1;
	if ((c->mechanisms & CLIENT_PLAIN) != 0)
		rc = auth_plain(c, o->user, password);
	else
		rc = auth_login(c, o->user, password);
	explicit_bzero(password, sizeof(password));
	if (rc != 0 || c->code == 235)
		return rc;
	if (c->code == 535)
		return problem_set(c->channel.problem, PROBLEM_SERVER,
		    "%s did not let %s in: %s. Check user and password",
		    o->server, o->user, c->reply);
	return refused(c, "login failed");
}

int
client_open(struct client *c, const struct options *o, struct problem *p)
{
	memset(c, 0, sizeof(*c));
	c->options = o;
	c->peer = (struct peer){ .server = o->server,
		.port = o->port_number,
		.name = o->server_name != NULL ? o->server_name : o->server,
		.ca_file = o->ca_file,
		.no_verify = o->no_verify,
		.silence = DIAL_SILENCE,
		.what = "submission server",
		.settings = o->file,
		.tls = o->tls };
	if (channel_open(&c->channel, &c->peer, p) != 0)
		return -1;
	if (o->tls_implicit) {
		if (channel_start_tls(&c->channel) != 0 || greet(c) != 0)
			return -1;
	} else if (start_tls(c) != 0) {
		return -1;
	}
	return say_hello(c) == 0 && log_in(c) == 0 ? 0 : -1;
}

static int
explain_refusal(struct client *c)
{
	switch (c->code) {
	case 500:
	case 502:
		return problem_set(c->channel.problem, PROBLEM_SERVER,
		    "%s port %u does not know XMTRK; is it Waybill?",
		    c->options->server, c->options->port_number);
	case 550:
		return 1;
	case 421:
		return refused(c, "the server ended the session");
	default:
		return problem_set(c->channel.problem, PROBLEM_REFUSED,
		    "the server refused: %s", c->reply);
	}
}

int
client_ask(struct client *c, const char *command, struct answer *answer)
{
	enum answer_next next = ANSWER_MORE;
	const char *line;
	size_t len;
	int refusals = 0;

	if (say(c, command) != 0)
		return -1;
	c->reply[0] = '\0';
	while (next == ANSWER_MORE) {
		line = channel_read_line(&c->channel, &len);
		if (line == NULL)
			return -1;
		c->code = line_code(line, len);
		if (c->code >= 400 && answer->count == 0) {
			note_text(c, line, len);
			if (++refusals > REPLY_LINES_MAX)
				return not_smtp(c);
			if (len > 3 && line[3] == '-')
				continue;
			return explain_refusal(c);
		}
		next = answer_take_line(answer, line, len);
	}
	if (next == ANSWER_END)
		return 0;
	return problem_set(c->channel.problem, PROBLEM_SERVER,
	    "cannot understand the answer of %s: %s", c->options->server,
	    answer->error);
}

void
client_close(struct client *c)
{
	bool stands =
	    c->channel.ssl != NULL && c->channel.problem->exit < PROBLEM_USAGE;
	struct problem ignored = { 0 };

	c->channel.problem = &ignored;
	if (stands && say(c, "QUIT") == 0)
		read_reply(c, false);
	channel_close(&c->channel);
	explicit_bzero(c, sizeof(*c));
}
