/*
 * Tables for people: aligned columns.
 */
#include "token/table.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "token/text.h"

#define GAP	    2
#define LEAST_WIDTH 10

struct table {
	const struct table_column *columns;
	size_t column_count;
	char **cells; /* clean; NULL where there was no memory */
	size_t count;
	size_t size;
	size_t widths[TABLE_COLUMNS_MAX];
};

struct table *
table_new(const struct table_column *columns, size_t count)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return NULL;
	t->columns = columns;
	t->column_count = count;
	for (size_t i = 0; i < count; i++)
		t->widths[i] = text_width(columns[i].head);
	return t;
}

/* Cut to columns, the last of them "...". */
static void
shorten(char *cell, size_t columns)
{
	size_t len;

	if (columns < 4 || text_width(cell) <= columns)
		return;
	len = text_fit(cell, columns - 3);
	/* A cell wider than columns has more octets than are kept and "...". */
	memcpy(cell + len, "...", 4);
}

void
table_add(struct table *t, const void *text, size_t len)
{
	size_t column = t->count % t->column_count;
	size_t size = t->size == 0 ? 64 : 2 * t->size;
	char **grown, *cell;

	if (t->count == t->size) {
		grown = reallocarray(t->cells, size, sizeof(void *));
		if (grown == NULL)
			return;
		t->cells = grown;
		t->size = size;
	}
	cell = malloc(len + 1);
	if (cell != NULL) {
		text_clean(text, len, cell, len + 1);
		shorten(cell, t->columns[column].widest);
		if (text_width(cell) > t->widths[column])
			t->widths[column] = text_width(cell);
	}
	t->cells[t->count++] = cell;
}

static void
print_last(const char *cell, FILE *out, size_t room)
{
	size_t width = text_width(cell);

	if (room >= LEAST_WIDTH && width > room)
		fprintf(out, "%.*s...\n", (int)text_fit(cell, room - 3), cell);
	else
		fprintf(out, "%s\n", cell);
}

static void
print_row(
    const struct table *t, const char *const *cells, FILE *out, size_t terminal)
{
	size_t used = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		const char *cell = cells[i] == NULL ? "" : cells[i];

		if (i + 1 == t->column_count) {
			print_last(
			    cell, out, terminal > used ? terminal - used : 0);
			return;
		}
		fprintf(out, "%s%*s", cell,
		    (int)(t->widths[i] + GAP - text_width(cell)), "");
		used += t->widths[i] + GAP;
	}
}

void
table_print(const struct table *t, FILE *out, size_t terminal)
{
	const char *heads[TABLE_COLUMNS_MAX];

	for (size_t i = 0; i < t->column_count; i++)
		heads[i] = t->columns[i].head;
	print_row(t, heads, out, terminal);
	for (size_t i = 0; i + t->column_count <= t->count;
	     i += t->column_count)
		print_row(t, (const char *const *)t->cells + i, out, terminal);
}

size_t
table_terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) ||
	    ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

void
table_free(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; i < t->count; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}
