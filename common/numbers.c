/*
 * A hash table of things by number. Numbers are given out in sequence, so
 * their low bits spread them well.
 */
#include "common/numbers.h"

#include <stdlib.h>
#include <string.h>

enum { NUMBERS_FIRST_SIZE = 8 };

static struct numbered **
head_of(const struct numbers *table, uint64_t number)
{
	return &table->heads[number & (table->size - 1)];
}

static void
push(struct numbers *table, struct numbered *item)
{
	struct numbered **head = head_of(table, item->number);

	item->next = *head;
	*head = item;
	if ((size_t)(head - table->heads) < table->first)
		table->first = (size_t)(head - table->heads);
}

static int
grow(struct numbers *table)
{
	struct numbers larger = { NULL, table->size * 2, table->count, 0 };
	struct numbered *item;

	if (larger.size == 0)
		larger.size = NUMBERS_FIRST_SIZE;
	if ((larger.heads = calloc(larger.size, sizeof(void *))) == NULL)
		return -1;
	for (size_t i = 0; i < table->size; i++) {
		while ((item = table->heads[i]) != NULL) {
			table->heads[i] = item->next;
			push(&larger, item);
		}
	}
	free(table->heads);
	*table = larger;
	return 0;
}

int
numbers_put(struct numbers *table, struct numbered *item)
{
	/* A full table that cannot grow still works, only slower. */
	if (table->count == table->size && grow(table) == -1 &&
	    table->size == 0)
		return -1;
	push(table, item);
	table->count++;
	return 0;
}

struct numbered *
numbers_find(const struct numbers *table, uint64_t number)
{
	struct numbered *item;

	if (table->count == 0)
		return NULL;
	for (item = *head_of(table, number); item != NULL; item = item->next)
		if (item->number == number)
			return item;
	return NULL;
}

struct numbered *
numbers_take(struct numbers *table, uint64_t number)
{
	struct numbered *item = numbers_find(table, number);
	struct numbered **place;

	if (item == NULL)
		return NULL;
	place = head_of(table, number);
	while (*place != item)
		place = &(*place)->next;
	*place = item->next;
	table->count--;
	return item;
}

struct numbered *
numbers_take_any(struct numbers *table)
{
	if (table->count == 0)
		return NULL;
	while (table->heads[table->first] == NULL)
		table->first++;
	return numbers_take(table, table->heads[table->first]->number);
}

void
numbers_free(struct numbers *table)
{
	free(table->heads);
	memset(table, 0, sizeof(*table));
}
