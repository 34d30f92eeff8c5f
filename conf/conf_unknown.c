/*
 * Unknown names of a configuration, and the nearest known one.
 */
#include "conf/conf_unknown.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "conf/conf_table.h"

struct conf_unknown *
conf_unknown_find(
    struct conf_unknowns *unknowns, const char *section, const char *name)
{
	for (size_t i = 0; i < unknowns->count; i++) {
		struct conf_unknown *u = &unknowns->list[i];

		if (strcmp(u->section, section) == 0 &&
		    strcmp(u->name, name) == 0)
			return u;
	}
	return NULL;
}

int
conf_unknown_add(
    struct conf_unknowns *unknowns, const char *section, const char *name)
{
	struct conf_unknown u = { NULL, NULL, CONF_UNKNOWN_VALUE };

	if (unknowns->count == CONF_UNKNOWN_MAX)
		return -1;
	u.section = strdup(section);
	u.name = strdup(name);
	if (u.section == NULL || u.name == NULL) {
		free(u.section);
		free(u.name);
		return -1;
	}
	unknowns->list[unknowns->count++] = u;
	return 0;
}

void
conf_unknowns_clear(struct conf_unknowns *unknowns)
{
	for (size_t i = 0; i < unknowns->count; i++) {
		free(unknowns->list[i].section);
		free(unknowns->list[i].name);
	}
	unknowns->count = 0;
}

static unsigned
least(unsigned a, unsigned b, unsigned c)
{
	unsigned d = a < b ? a : b;

	return d < c ? d : c;
}

/* How many letters to add, drop or change to make b of a. */
static unsigned
distance(const char *a, const char *b)
{
	enum { LONGEST = 40 };
	unsigned row[LONGEST + 1], corner, above;
	size_t m = strlen(a), n = strlen(b);

	if (m > LONGEST || n > LONGEST)
		return LONGEST;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; i <= m; i++) {
		corner = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= n; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
			    corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

/* The nearest name among a section's options, and outside its sections. */
static const char *
nearest(const char *section, const char *name)
{
	const struct conf_section *s = conf_section_find(section);
	const char *best = NULL;
	unsigned bound = (unsigned)strlen(name) / 3 + 2, d;

	for (size_t i = 0; s != NULL && i < s->count; i++) {
		d = distance(name, s->options[i].name);
		if (d < bound) {
			bound = d;
			best = s->options[i].name;
		}
	}
	for (size_t i = 1; *section == '\0' && i < CONF_SECTION_COUNT; i++) {
		d = distance(name, conf_sections[i].name);
		if (d < bound) {
			bound = d;
			best = conf_sections[i].name;
		}
	}
	return best;
}

/* The section that knows an option of that name, or NULL. */
static const struct conf_section *
home_of(const char *name)
{
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (conf_option_find(&conf_sections[i], name) != NULL)
			return &conf_sections[i];
	return NULL;
}

bool
conf_unknown_is_unit(const char *name)
{
	static const char *const units[] = { "ms", "s", "sec", "second",
		"seconds", "min", "minute", "minutes", "h", "hour", "hours",
		"d", "day", "days", "week", "weeks", "k", "M", "G", "T" };

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcasecmp(name, units[i]) == 0)
			return true;
	return false;
}

void
conf_unknown_report(
    struct conf_reading *r, int line, const char *section, const char *name)
{
	const char *near = nearest(section, name);
	const struct conf_section *home = home_of(name);

	if (conf_unknown_is_unit(name))
		conf_mistake(r, line,
		    "stray '%s'; put a number and its unit "
		    "into quotes, as \"60 s\"",
		    name);
	else if (home != NULL && *home->name != '\0')
		conf_mistake(r, line,
		    "unknown option '%s' here; it belongs "
		    "into section %s",
		    name, home->name);
	else if (home != NULL)
		conf_mistake(r, line,
		    "unknown option '%s' in section %s; it "
		    "belongs outside of sections",
		    name, section);
	else if (near != NULL)
		conf_mistake(r, line, "unknown option '%s'; did you mean %s?",
		    name, near);
	else
		conf_mistake(r, line,
		    "unknown option '%s'; remove it, or see "
		    "waybill.conf(5)",
		    name);
}
