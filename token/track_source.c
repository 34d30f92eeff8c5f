/*
 * Which message is to be tracked, and with what secret.
 */
#include "token/track_source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "token/ask.h"

enum { INPUT_MAX = 4096 };

static int
read_uri(const char *text, size_t len, struct mtqp_uri_parsed *out,
    struct problem *p)
{
	enum mtqp_uri_error error = mtqp_uri_read(text, len, out);

	if (error == MTQP_URI_OK)
		return 0;
	return problem_set(p, PROBLEM_USAGE, "that is no URI to track by: %s",
	    mtqp_uri_error_text(error));
}

/* A server that names no tracking server may be one (RFC 3887 2). */
static int
from_fields(const struct command_run *run, const struct answer *a,
    struct mtqp_uri_parsed *out)
{
	const struct answer_field *envid = answer_find(a, "token", "envid");
	const struct answer_field *secret = answer_find(a, "token", "secret");
	const char *server = run->options->server;
	long len = -1;

	if (envid != NULL && secret != NULL && envid->len <= ENVID_MAX &&
	    secret->len <= BASE64_LEN(SECRET_MAX) &&
	    strlen(server) < sizeof(out->server))
		len = codec_base64_decode(
		    secret->value, secret->len, true, out->secret);
	if (len <= 0)
		return problem_set(run->problem, PROBLEM_SERVER,
		    "the server sent no secret to track by");
	strcpy(out->server, server);
	memcpy(out->envid, envid->value, envid->len);
	out->uri = (struct mtqp_uri){ .server = out->server,
		.envid = { (const uint8_t *)out->envid, envid->len },
		.secret = { out->secret, (size_t)len } };
	return 0;
}

static int
from_answer(const struct command_run *run, const struct answer *a,
    struct mtqp_uri_parsed *out)
{
	const struct answer_field *uri = answer_find(a, "token", "uri");

	if (uri == NULL)
		return from_fields(run, a, out);
	if (mtqp_uri_read(uri->value, uri->len, out) == MTQP_URI_OK)
		return 0;
	return problem_set(run->problem, PROBLEM_SERVER,
	    "the server sent something else than an mtqp URI");
}

static int
ask_server(struct command_run *run, struct mtqp_uri_parsed *out)
{
	struct answer answer = { 0 };
	int rc;

	if (run->options->user == NULL)
		return options_lack_user(run->options, run->problem);
	rc = client_open(run->client, run->options, run->problem);
	if (rc == 0)
		rc = ask_one(run, "TOKEN", &answer);
	if (rc == 0)
		rc = from_answer(run, &answer, out);
	run->own = rc == 0;
	answer_free(&answer);
	client_close(run->client);
	return rc;
}

static int
find(struct command_run *run, char *name, struct mtqp_uri_parsed *out)
{
	size_t len = strlen(name);
	int rc;

	if (strncasecmp(name, "mtqp:", 5) != 0) {
		run->id = name;
		return ask_server(run, out);
	}
	rc = read_uri(name, len, out, run->problem);
	explicit_bzero(name, len);
	return rc;
}

/* The first line of standard input, without space around it. */
static int
read_input(char *line, size_t size, struct problem *p)
{
	size_t used = 0, from;
	ssize_t n = 0;

	while (used < size - 1 && memchr(line, '\n', used) == NULL &&
	    (n = read(STDIN_FILENO, line + used, size - 1 - used)) > 0)
		used += (size_t)n;
	line[used] = '\0';
	if (n < 0)
		return problem_set(p, PROBLEM_USAGE,
		    "cannot read standard input: %s", strerror(errno));
	from = strspn(line, " \t\r\n");
	used = strcspn(line + from, " \t\r\n");
	if (used == 0)
		return problem_set(p, PROBLEM_USAGE,
		    "track which message? There is nothing on standard input");
	memmove(line, line + from, used);
	line[used] = '\0';
	return 0;
}

int
track_source_find(struct command_run *run, struct mtqp_uri_parsed *out)
{
	char line[INPUT_MAX];
	int rc;

	if (run->id != NULL && strcmp(run->id, "-") != 0)
		return find(run, run->id, out);
	if (run->id == NULL && isatty(STDIN_FILENO))
		return problem_set(run->problem, PROBLEM_USAGE,
		    "track which message? Give an envelope id, a Message-ID, "
		    "\"last\" or a URI");
	rc = read_input(line, sizeof(line), run->problem);
	if (rc == 0)
		rc = find(run, line, out);
	run->id = NULL;
	explicit_bzero(line, sizeof(line));
	return rc;
}
