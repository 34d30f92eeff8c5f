/*
 * Tables for people: aligned columns.
 */
#include "token/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "token/text.h"

#define GAP	      2
#define INDENT	      4
#define LEAST_WIDTH   10 /* of the last column beside others */
#define LEAST_WHOLE   30 /* of one that is TABLE_WHOLE */
#define USUAL_COLUMNS 80

struct table {
	const struct table_column *columns;
	size_t column_count;
	char **cells; /* clean; NULL where there was no memory */
	size_t count;
	size_t size;
	size_t widths[TABLE_COLUMNS_MAX];
	bool filled[TABLE_COLUMNS_MAX]; /* in some row */
};

/* Where a column stands. */
struct place {
	bool shown;
	bool below; /* the row, after what else stands there */
	size_t at;  /* if not below */
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
		t->filled[column] |= cell[0] != '\0';
	}
	t->cells[t->count++] = cell;
}

/* Columns without which column i had better stand below. */
static size_t
least_width(const struct table *t, size_t i)
{
	size_t least;

	if (i + 1 < t->column_count)
		return t->widths[i];
	least = t->columns[i].widest == TABLE_WHOLE ? LEAST_WHOLE : LEAST_WIDTH;
	return t->widths[i] < least ? t->widths[i] : least;
}

static void
place_columns(const struct table *t, size_t terminal, struct place *places)
{
	bool below = false;
	size_t at = 0;

	for (size_t i = 0; i < t->column_count; i++) {
		bool shown = terminal == 0 || t->count == 0 || t->filled[i];

		if (shown && terminal != 0 && at != 0)
			below |= at + least_width(t, i) > terminal;
		places[i] = (struct place){ shown, below, at };
		if (shown)
			at += t->widths[i] + GAP;
	}
}

static void
print_wrapped(const char *cell, FILE *out, size_t at, size_t room)
{
	for (;;) {
		size_t len = text_fit(cell, room), word = len;

		while (cell[len] != '\0' && word > 0 && cell[word] != ' ')
			word--;
		if (word > 0)
			len = word;
		fprintf(out, "%.*s", (int)len, cell);
		cell += len;
		cell += strspn(cell, " ");
		if (cell[0] == '\0')
			return;
		fprintf(out, "\n%*s", (int)at, "");
	}
}

/* One row of a table, on its way out. */
struct row {
	const struct table *table;
	const struct place *places;
	size_t terminal;
	FILE *out;
};

static bool
is_whole(const struct table *t, size_t i)
{
	return i + 1 < t->column_count || t->columns[i].widest == TABLE_WHOLE;
}

static void
print_cell(const struct row *r, size_t i, const char *cell, size_t at)
{
	size_t room = LEAST_WIDTH;

	if (r->terminal == 0)
		room = SIZE_MAX;
	else if (r->terminal > at + LEAST_WIDTH)
		room = r->terminal - at;
	if (is_whole(r->table, i) || text_width(cell) <= room)
		print_wrapped(cell, r->out, at, room);
	else
		fprintf(r->out, "%.*s...", (int)text_fit(cell, room - 3), cell);
}

/* Where a cell below its row begins: after used, or on a new line. */
static size_t
place_below(const struct row *r, size_t i, const char *cell, size_t used)
{
	if (used == 0 || used + GAP + text_width(cell) > r->terminal ||
	    r->table->columns[i].widest == TABLE_WHOLE)
		return INDENT;
	return used + GAP;
}

static void
print_row(const struct row *r, const char *const *cells)
{
	bool below = false;
	size_t used = 0; /* of the line */

	for (size_t i = 0; i < r->table->column_count; i++) {
		const struct place *p = &r->places[i];
		const char *cell = cells[i] == NULL ? "" : cells[i];
		size_t at = p->at;

		if (!p->shown || (r->terminal != 0 && cell[0] == '\0'))
			continue;
		if (p->below)
			at = place_below(r, i, cell, below ? used : 0);
		below = p->below;
		if (below && at == INDENT) {
			putc('\n', r->out);
			used = 0;
		}
		fprintf(r->out, "%*s", (int)(at - used), "");
		print_cell(r, i, cell, at);
		used = at + text_width(cell);
	}
	putc('\n', r->out);
}

void
table_print(const struct table *t, FILE *out, size_t terminal)
{
	struct place places[TABLE_COLUMNS_MAX];
	const char *heads[TABLE_COLUMNS_MAX];
	const struct row row = { t, places, terminal, out };

	place_columns(t, terminal, places);
	for (size_t i = 0; i < t->column_count; i++)
		heads[i] = t->columns[i].head;
	print_row(&row, heads);
	for (size_t i = 0; i + t->column_count <= t->count;
	     i += t->column_count)
		print_row(&row, (const char *const *)t->cells + i);
}

size_t
table_terminal_width(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return USUAL_COLUMNS;
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
