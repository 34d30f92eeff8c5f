/*
 * Unknown names of a configuration, and the nearest known one.
 */
#include "conf/conf_unknown.h"

#include <stdio.h>
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

/* The nearest name among a section's options and the sections in it. */
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
	for (size_t i = 1; i < CONF_SECTION_COUNT; i++) {
		const char *word = conf_section_word(&conf_sections[i]);

		if (!conf_section_is_in(&conf_sections[i], section))
			continue;
		d = distance(name, word);
		if (d < bound) {
			bound = d;
			best = word;
		}
	}
	return best;
}

/* The section that knows an option of that name, one in here first, or NULL. */
static const struct conf_section *
home_of(const char *here, const char *name)
{
	const struct conf_section *found = NULL;

	for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];

		if (conf_option_find(s, name) == NULL)
			continue;
		if (*here != '\0' && conf_section_is_in(s, here))
			return s;
		if (found == NULL)
			found = s;
	}
	return found;
}

/* A section as messages name it: "log", "log of msa". */
static const char *
show_section(const char *name, char *out, size_t size)
{
	const char *dot = strchr(name, '.');

	if (dot == NULL)
		return name;
	snprintf(out, size, "%s of %.*s", dot + 1, (int)(dot - name), name);
	return out;
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
	const struct conf_section *home = home_of(section, name);
	char shown[80];

	if (conf_unknown_is_unit(name))
		conf_mistake(r, line,
		    "stray '%s'; put a number and its unit "
		    "into quotes, as \"60 s\"",
		    name);
	else if (home != NULL && *home->name != '\0')
		conf_mistake(r, line,
		    "unknown option '%s' here; it belongs "
		    "into section %s",
		    name, show_section(home->name, shown, sizeof(shown)));
	else if (home != NULL)
		conf_mistake(r, line,
		    "unknown option '%s' in section %s; it "
		    "belongs outside of sections",
		    name, show_section(section, shown, sizeof(shown)));
	else if (near != NULL)
		conf_mistake(r, line, "unknown option '%s'; did you mean %s?",
		    name, near);
	else
		conf_mistake(r, line,
		    "unknown option '%s'; remove it, or see "
		    "waybill.conf(5)",
		    name);
}
