/*
 * How far a log is done with: the low-water mark over steps that are under
 * way.
 */
#include "track/feed_marks.h"

#include <stdlib.h>

enum { MARKS_MAX = 4096 };

void
feed_marks_init(struct feed_marks *m, const struct follow_record *at)
{
	TAILQ_INIT(&m->list);
	m->count = 0;
	m->done = *at;
}

static void
drop(struct feed_marks *m, struct feed_mark *mark)
{
	TAILQ_REMOVE(&m->list, mark, next);
	m->count--;
	free(mark);
}

void
feed_marks_free(struct feed_marks *m)
{
	struct feed_mark *mark, *next;

	for (mark = TAILQ_FIRST(&m->list); mark != NULL; mark = next) {
		next = TAILQ_NEXT(mark, next);
		drop(m, mark);
	}
}

struct feed_mark *
feed_marks_take(struct feed_marks *m)
{
	struct feed_mark *mark = TAILQ_LAST(&m->list, feed_mark_list);

	if (mark == NULL || mark->closed) {
		mark = calloc(1, sizeof(*mark));
		if (mark == NULL)
			return NULL;
		mark->end = m->done;
		TAILQ_INSERT_TAIL(&m->list, mark, next);
		m->count++;
	}
	mark->steps++;
	return mark;
}

void
feed_mark_done(struct feed_mark *mark)
{
	mark->steps--;
}

void
feed_marks_move(struct feed_marks *m, const struct follow_record *at)
{
	struct feed_mark *mark = TAILQ_LAST(&m->list, feed_mark_list), *next;

	/* A stretch without steps belongs to the one before it. */
	if (mark != NULL) {
		mark->end = *at;
		mark->closed = m->count < MARKS_MAX;
	}
	for (mark = TAILQ_FIRST(&m->list); mark != NULL && mark->steps == 0;
	     mark = next) {
		next = TAILQ_NEXT(mark, next);
		m->done = mark->end;
		drop(m, mark);
	}
	if (mark == NULL)
		m->done = *at;
}
