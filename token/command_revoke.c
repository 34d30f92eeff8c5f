/*
 * waybill revoke: nobody tracks a message with its secret any more, at our
 * own tracking server (RFC 3885 4.2).
 */
#include "token/commands.h"

#include <stdio.h>
#include <string.h>

#include "token/ask.h"
#include "token/print.h"

static const struct print_key revoke_keys[] = { { "envid", PRINT_TEXT },
	{ "mtrk", PRINT_FLAG }, { NULL, PRINT_TEXT } };

static void
print_json(const struct answer *a)
{
	struct json j = { .out = stdout };

	json_begin(&j, NULL, '{');
	for (size_t i = 0; i < a->count; i++)
		if (strcmp(a->records[i]->word, "revoked") == 0)
			print_json_fields(&j, a->records[i], revoke_keys);
	json_end(&j, '}');
	putchar('\n');
}

/* What was handed on cannot be called back. */
static void
tell_what_is_left(const struct answer *a)
{
	const struct answer_field *mtrk = answer_find(a, "revoked", "mtrk");

	if (mtrk != NULL && strcmp(mtrk->value, "yes") == 0)
		fprintf(stderr,
		    "waybill: the secret's hash went on with the message: "
		    "servers that took it go on answering\n");
}

int
command_revoke(struct command_run *run)
{
	struct answer answer = { 0 };
	int rc = ask_one(run, "REVOKE", &answer);

	if (rc == 0 && answer_find(&answer, "revoked", "envid") == NULL)
		rc = problem_set(run->problem, PROBLEM_SERVER,
		    "the server did not say what it revoked");
	if (rc == 0 && run->options->json)
		print_json(&answer);
	else if (rc == 0)
		print_field(stdout, "revoked",
		    answer_find(&answer, "revoked", "envid"));
	if (rc == 0)
		tell_what_is_left(&answer);
	answer_free(&answer);
	return rc;
}
