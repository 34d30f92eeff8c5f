/*
 * One value of an option: from text, and what is wrong with it.
 */
#ifndef CONF_CONF_VALUE_H
#define CONF_CONF_VALUE_H

#include <stddef.h>

#include "conf/conf_table.h"

/*
 * Read text as a value of option and, where member is not NULL, store it
 * there (conf_member()); of a LIST text is one item, which is added. Returns
 * 0, or -1 with what is wrong and its cure in why.
 */
int conf_value_set(const struct conf_option *, const char *text, void *member,
    char *why, size_t size) __attribute__((warn_unused_result));

/* Store the option's default. Returns 0, or -1 without memory. */
int conf_value_default(const struct conf_option *, void *member)
    __attribute__((warn_unused_result));

/* Give back what a member holds; it is empty or 0 then. */
void conf_value_clear(const struct conf_option *, void *member);

#endif
