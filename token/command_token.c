/*
 * waybill token and waybill delegate: the secret of a message, or the URI by
 * which somebody else can track it (RFC 3888 4, RFC 3887 9).
 */
#include "token/commands.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "token/ask.h"
#include "token/print.h"

static const struct print_key token_keys[] = { { "envid", PRINT_TEXT },
	{ "secret", PRINT_TEXT }, { "certifier", PRINT_TEXT },
	{ "expires", PRINT_TEXT }, { "tracked", PRINT_TEXT },
	{ "uri", PRINT_TEXT }, { NULL, PRINT_TEXT } };

static const struct print_key delegate_keys[] = { { "envid", PRINT_TEXT },
	{ "expires", PRINT_TEXT }, { "uri", PRINT_TEXT },
	{ NULL, PRINT_TEXT } };

static void
print_json(const struct answer *a, const struct print_key *keys)
{
	struct json j = { .out = stdout };

	json_begin(&j, NULL, '{');
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, "token") == 0)
			print_json_fields(&j, a->records[i], keys);
	json_end(&j, '}');
	putchar('\n');
}

int
command_token(struct command_run *run)
{
	struct answer answer = { 0 };
	int rc = ask_one(run, "TOKEN", &answer);

	if (rc == 0 && answer_find(&answer, "token", "secret") == NULL)
		rc = problem_set(
		    run->problem, PROBLEM_SERVER, "the server sent no secret");
	if (rc == 0 && run->options->json)
		print_json(&answer, token_keys);
	else if (rc == 0)
		for (size_t i = 0; token_keys[i].key != NULL; i++)
			print_field(stdout, token_keys[i].key,
			    answer_find(&answer, "token", token_keys[i].key));
	answer_free(&answer);
	return rc;
}

/* It goes out as it is, to terminals, scripts and other people. */
static bool
is_uri(const struct answer_field *f)
{
	static const char scheme[] = "mtqp://";

	for (size_t i = 0; i < f->len; i++)
		if (f->value[i] <= ' ' || f->value[i] >= 0x7f)
			return false;
	return strncmp(f->value, scheme, sizeof(scheme) - 1) == 0;
}

/* Whoever gives it away should know what it is. */
static void
tell_what_it_is(const struct answer *a)
{
	char until[64];

	print_time(answer_find(a, "token", "expires"), "%Y-%m-%d %H:%M", until,
	    sizeof(until));
	fprintf(stderr,
	    "waybill: whoever has this URI can see what became of this one "
	    "message, until %s or until you take it back: waybill revoke\n",
	    until[0] != '\0' ? until : "it expires");
}

int
command_delegate(struct command_run *run)
{
	struct answer answer = { 0 };
	const struct answer_field *uri;
	int rc = ask_one(run, "TOKEN", &answer);

	uri = answer_find(&answer, "token", "uri");
	if (rc == 0 && answer_find(&answer, "token", "tracked") != NULL)
		rc = problem_set(run->problem, PROBLEM_REFUSED,
		    "it was revoked: nobody can track it any more");
	if (rc == 0 && uri == NULL)
		rc = problem_set(run->problem, PROBLEM_REFUSED,
		    "the server has no URI for it; see waybill token");
	if (rc == 0 && uri != NULL && !is_uri(uri))
		rc = problem_set(run->problem, PROBLEM_SERVER,
		    "the server sent something else than an mtqp URI");
	if (rc == 0 && run->options->json)
		print_json(&answer, delegate_keys);
	else if (rc == 0 && uri != NULL)
		printf("%s\n", uri->value);
	if (rc == 0)
		tell_what_it_is(&answer);
	answer_free(&answer);
	return rc;
}
