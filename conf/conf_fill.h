/*
 * From libconfuse's values to the members of struct conf.
 */
#ifndef CONF_CONF_FILL_H
#define CONF_CONF_FILL_H

#include <confuse.h>

#include "conf/conf_reading.h"
#include "conf/conf_table.h"

/* Sections listen and msa have a name: libconfuse's title. */
bool conf_has_title(const struct conf_section *);
/* The name of a section that was read, "" where it has none. */
const char *conf_title(const cfg_t *);

/*
 * Store what was read. Values that were complained about leave the default.
 * Returns 0, or -1 without memory.
 */
int
conf_fill(struct conf_reading *, cfg_t *) __attribute__((warn_unused_result));

#endif
