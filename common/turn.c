/*
 * What is freed at the end of a turn; see turn.h.
 */
#include "common/turn.h"

#include <stdlib.h>
#include <sys/queue.h>

#include "common/log.h"

struct turn_grave {
	void (*destroy)(void *);
	void *object;
	SLIST_ENTRY(turn_grave) next;
};

static SLIST_HEAD(, turn_grave) graves = SLIST_HEAD_INITIALIZER(graves);

void
turn_free_later(void (*destroy)(void *), void *object)
{
	struct turn_grave *grave = malloc(sizeof(*grave));

	if (grave == NULL)
		fatal("out of memory");
	grave->destroy = destroy;
	grave->object = object;
	SLIST_INSERT_HEAD(&graves, grave, next);
}

void
turn_end(void)
{
	struct turn_grave *grave;

	while ((grave = SLIST_FIRST(&graves)) != NULL) {
		SLIST_REMOVE_HEAD(&graves, next);
		grave->destroy(grave->object);
		free(grave);
	}
}
