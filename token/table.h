/*
 * Tables for people: aligned columns, and nothing in them that a terminal
 * would obey.
 */
#ifndef TOKEN_TABLE_H
#define TOKEN_TABLE_H

#include <stddef.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 8 };

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

/* Print all; the last column is cut to the terminal's width, if not 0. */
void table_print(const struct table *, FILE *, size_t terminal);

/* Columns of the terminal that is standard output; 0: it is none. */
size_t table_terminal_width(void);

void table_free(struct table *);

#endif
