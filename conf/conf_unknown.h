/*
 * Names in a configuration that nobody knows: kept, so that libconfuse, which
 * stops at the first, can be sent past them, and a guess at what was meant.
 */
#ifndef CONF_CONF_UNKNOWN_H
#define CONF_CONF_UNKNOWN_H

#include <stddef.h>

#include "conf/conf_reading.h"

/* How libconfuse found it to be written. */
enum conf_unknown_form {
	CONF_UNKNOWN_VALUE,
	CONF_UNKNOWN_SECTION,
	CONF_UNKNOWN_TITLED
};

struct conf_unknown {
	char *section; /* "" outside of sections */
	char *name;
	enum conf_unknown_form form;
};

enum { CONF_UNKNOWN_MAX = 64 };

struct conf_unknowns {
	size_t count;
	struct conf_unknown list[CONF_UNKNOWN_MAX];
};

struct conf_unknown *conf_unknown_find(
    struct conf_unknowns *, const char *section, const char *name);
/* Returns -1 where there are too many. */
int conf_unknown_add(struct conf_unknowns *, const char *section,
    const char *name) __attribute__((warn_unused_result));
void conf_unknowns_clear(struct conf_unknowns *);

/* A unit of time or size, which stands alone where quotes were forgotten. */
bool conf_unknown_is_unit(const char *name);

/* Write the mistake down, with what was perhaps meant. */
void conf_unknown_report(
    struct conf_reading *, int line, const char *section, const char *name);

#endif
