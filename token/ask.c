/*
 * Questions about one message, by whatever the user calls it.
 */
#include "token/ask.h"

#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "token/text.h"

enum { ENVID_OCTETS_MAX = 100 }; /* RFC 3461 4.4 */

static int
ask(struct command_run *run, const char *verb, const char *id,
    struct answer *answer)
{
	char argument[ASK_ARGUMENT_MAX], command[ASK_ARGUMENT_MAX + 32];

	if (codec_xtext_encode(id, strlen(id), argument, sizeof(argument)) < 0)
		return problem_set(run->problem, PROBLEM_USAGE,
		    "that name of a message is too long");
	snprintf(command, sizeof(command), "XMTRK %s %s", verb, argument);
	return client_ask(run->client, command, answer);
}

static int
ask_last(struct command_run *run, const char *verb, struct answer *answer)
{
	struct answer newest = { 0 };
	const struct answer_field *envid = NULL;
	int rc = client_ask(run->client, "XMTRK LIST LIMIT=1", &newest);

	if (rc == 0)
		envid = answer_find(&newest, "message", "envid");
	if (envid != NULL)
		rc = ask(run, verb, envid->value, answer);
	else if (rc == 0)
		rc = problem_set(run->problem, PROBLEM_REFUSED,
		    "there is no message of yours here");
	answer_free(&newest);
	return rc;
}

static bool
may_be_envid(const char *id)
{
	char decoded[ENVID_OCTETS_MAX];
	size_t len = strlen(id);

	return len <= sizeof(decoded) && id[0] != '<' &&
	    codec_xtext_decode(id, len, decoded) > 0;
}

static int
ask_by_message_id(
    struct command_run *run, const char *verb, struct answer *answer)
{
	char bracketed[ASK_ARGUMENT_MAX];
	int len;

	if (run->id[0] == '<')
		return ask(run, verb, run->id, answer);
	len = snprintf(bracketed, sizeof(bracketed), "<%s>", run->id);
	if (len < 0 || (size_t)len >= sizeof(bracketed))
		return problem_set(run->problem, PROBLEM_USAGE,
		    "that name of a message is too long");
	return ask(run, verb, bracketed, answer);
}

int
ask_one(struct command_run *run, const char *verb, struct answer *answer)
{
	char first[sizeof(run->client->reply)] = "", id[256];
	int rc = 1;

	if (strcmp(run->id, "last") == 0)
		rc = ask_last(run, verb, answer);
	else if (may_be_envid(run->id))
		rc = ask(run, verb, run->id, answer);
	if (rc == 1 && run->client->code == 550)
		memcpy(first, run->client->reply, sizeof(first));
	/* People leave out "<>", which shells do not like. */
	if (rc == 1 && strchr(run->id, '@') != NULL)
		rc = ask_by_message_id(run, verb, answer);
	if (rc != 1)
		return rc;
	text_clean(run->id, strlen(run->id), id, sizeof(id));
	if (first[0] == '\0' && run->client->code != 550)
		return problem_set(run->problem, PROBLEM_USAGE,
		    "%s is no envelope id and no Message-ID", id);
	return problem_set(run->problem, PROBLEM_REFUSED, "%s: %s", id,
	    first[0] != '\0' ? first : run->client->reply);
}
