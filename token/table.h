/*
 * Tables for people: aligned columns, and nothing in them that a terminal
 * would obey.
 */
#ifndef TOKEN_TABLE_H
#define TOKEN_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 8 };

/* As widest of the last column: a terminal shows all of it, in many lines. */
#define TABLE_WHOLE SIZE_MAX

struct table_column {
	const char *head;
	size_t widest; /* cells are cut to it; 0: never */
};

struct table;

/* Returns NULL without memory. columns must outlive the table. */
struct table *table_new(const struct table_column *columns, size_t count);

/*
 * Add the next cell, row by row; any octets. What it lacks memory for is
 * missing when it is printed.
 */
void table_add(struct table *, const void *text, size_t len);

/*
 * Print all. Where terminal is 0, each row is one line, however long.
 * Otherwise no line is wider than terminal (14 or more): columns that are
 * empty in all rows are left out; from the first that does not fit, they stand
 * on indented lines below their row, TABLE_WHOLE on lines of its own; another
 * last column is cut.
 */
void table_print(const struct table *, FILE *, size_t terminal);

/*
 * Columns of the terminal that is standard output, 80 where it does not know;
 * 0: it is none.
 */
size_t table_terminal_width(void);

void table_free(struct table *);

#endif
