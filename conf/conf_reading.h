/*
 * A configuration while it is read and checked: what it says so far, on which
 * line each option stands, and the mistakes found.
 */
#ifndef CONF_CONF_READING_H
#define CONF_CONF_READING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "conf/conf.h"

/* Where an option, or (option "") a section, stands in the file. */
struct conf_place {
	char *section; /* "" outside of sections */
	char *title;   /* "" where it has none */
	char *option;
	int line;
	bool bad; /* its value is a mistake already */
};

struct conf_mistake {
	int line;     /* 0: of the file as a whole */
	bool warning; /* worth saying, but no reason to refuse */
	char *text;
};

struct conf_reading {
	const char *file; /* its name, for messages */
	struct conf *conf;
	struct conf_place *places;
	size_t place_count;
	struct conf_mistake *mistakes;
	size_t mistake_count;
	size_t error_count; /* mistakes that are no warnings */
};

/* Write down a mistake; the same one at the same line is kept once. */
void conf_mistake(struct conf_reading *, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warning(struct conf_reading *, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* All mistakes, by line: "file:line: text". */
void conf_mistakes_print(struct conf_reading *, FILE *);

/* The place of an option, NULL where it is not in the file. */
struct conf_place *conf_place_find(const struct conf_reading *,
    const char *section, const char *title, const char *option);
/* Note a place; NULL without memory. */
struct conf_place *conf_place_add(struct conf_reading *, const char *section,
    const char *title, const char *option, int line);
void conf_places_clear(struct conf_reading *);

/*
 * The line to name for an option: its own, or where its section begins, or 0.
 * conf_is_bad() says that its value has been complained about.
 */
int conf_line(const struct conf_reading *, const char *section,
    const char *title, const char *option);
bool conf_is_bad(const struct conf_reading *, const char *section,
    const char *title, const char *option);

/*
 * Text into conf, by libconfuse; mistakes are written down. Returns false
 * where it could not be read to its end, so that conf holds nothing.
 */
bool conf_parse(struct conf_reading *, const char *text);

/* What no single option shows, checked over the whole configuration. */
void conf_check(struct conf_reading *);
/* Its part for certificates and keys. */
void conf_check_tls(struct conf_reading *);
/* Its part for who follows messages: track, msa.log, inner_hosts. */
void conf_check_track(struct conf_reading *);
/* Write down which item of a list is neither "*" nor an address. */
void
conf_check_addresses(struct conf_reading *, int line, const struct conf_list *);
/* Write down that path does not begin with "/"; an empty one may be. */
void conf_check_path(struct conf_reading *, const char *section,
    const char *option, const char *path);
/* Would sockets at one port be in each other's way? */
bool conf_shares_address(const struct conf_list *, const struct conf_list *);

void conf_reading_free(struct conf_reading *);

/*
 * Read, as conf_read() does, a text that is already here; file is its name in
 * messages, which go to out. The fuzzer and the tests come in here.
 */
struct conf *conf_read_text(const char *file, const char *text, FILE *out);

#endif
