/*
 * The lists of options.h as tables, for the code that treats all options
 * alike: the reader, the snapshot, the tests of sample and manual.
 */
#ifndef CONF_CONF_TABLE_H
#define CONF_CONF_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf/conf.h"

enum conf_kind {
	CONF_KIND_TEXT,
	CONF_KIND_LIST,
	CONF_KIND_NUMBER,
	CONF_KIND_TIME,
	CONF_KIND_OCTETS,
	CONF_KIND_FLAG,
	CONF_KIND_WORD
};

struct conf_option {
	const char *name; /* as in the file */
	enum conf_kind kind;
	const char *normal; /* its default, as in the file */
	int64_t low;
	int64_t high;
	const char *words;
	const char *about;
	size_t offset; /* of the member in its section's struct */
};

struct conf_section {
	/* "" for options outside of sections; "msa.log": log inside of msa */
	const char *name;
	const struct conf_option *options;
	size_t count;
	size_t offset; /* in struct conf; of listen: 0 */
};

enum conf_section_number {
	CONF_SECTION_TOP,
	CONF_SECTION_LISTEN,
#define CONF_SECTION_NUMBER(member, name, options) CONF_SECTION_of_##member,
	CONF_SECTIONS(CONF_SECTION_NUMBER)
#undef CONF_SECTION_NUMBER
	    CONF_SECTION_COUNT
};

extern const struct conf_section conf_sections[CONF_SECTION_COUNT];

/* Where the option's value stands; base is the section's struct. */
void *conf_member(void *base, const struct conf_option *);
const void *conf_member_const(const void *base, const struct conf_option *);

/* The struct of a section of conf; not of listen, which are many. */
void *conf_section_base(struct conf *, const struct conf_section *);

/* The word that begins a section in the file: "log" of "msa.log". */
const char *conf_section_word(const struct conf_section *);
/* Does it stand directly in outer, "" for outside of sections? */
bool conf_section_is_in(const struct conf_section *, const char *outer);

/* The section or option of that name, or NULL. */
const struct conf_section *conf_section_find(const char *name);
const struct conf_option *
conf_option_find(const struct conf_section *, const char *name);

#endif
