/*
 * One question under way: its copy of the body, its answer, its end.
 */
#include <stdlib.h>
#include <string.h>

#include "secrets/vault_inside.h"

void *
job_start(
    struct vault *v, struct question from, size_t size, struct wire_in *body)
{
	struct job *job = calloc(1, size);

	if (job == NULL)
		return NULL;
	job->vault = v;
	job->from = from;
	job->size = size;
	job->body_len = (size_t)(body->end - body->next);
	job->body = malloc(job->body_len + 1);
	if (job->body == NULL) {
		free(job);
		return NULL;
	}
	memcpy(job->body, body->next, job->body_len);
	body->next = body->end;
	v->jobs++;
	return job;
}

void
job_read(struct job *job, struct wire_in *in)
{
	wire_read(in, job->body, job->body_len);
}

void
job_answer(struct job *job, unsigned type, const struct wire_out *body)
{
	struct vault *v = job->vault;

	if (job->from.asker != 0 && body != NULL && !body->failed)
		v->owner.reply(v->owner.arg, job->from, type, body);
	job_end(job);
}

void
job_end(struct job *job)
{
	accounts_release(job->account);
	job->vault->jobs--;
	explicit_bzero(job->body, job->body_len);
	free(job->body);
	explicit_bzero(job, job->size);
	free(job);
}
