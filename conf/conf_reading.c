/*
 * Mistakes and places of a configuration that is being read.
 */
#include "conf/conf_reading.h"

#include <stdlib.h>
#include <string.h>

static bool
is_known_mistake(const struct conf_reading *r, int line, const char *text)
{
	for (size_t i = 0; i < r->mistake_count; i++)
		if (r->mistakes[i].line == line &&
		    strcmp(r->mistakes[i].text, text) == 0)
			return true;
	return false;
}

__attribute__((format(printf, 4, 0))) static void
note(struct conf_reading *r, bool warning, int line, const char *format,
    va_list ap)
{
	struct conf_mistake *grown;
	char *text;

	/* Without memory for its text a mistake still counts. */
	if (!warning)
		r->error_count++;
	if (vasprintf(&text, format, ap) < 0)
		return;
	for (char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	grown = is_known_mistake(r, line, text)
	    ? NULL
	    : realloc(r->mistakes, (r->mistake_count + 1) * sizeof(*grown));
	if (grown == NULL) {
		free(text);
		return;
	}
	r->mistakes = grown;
	r->mistakes[r->mistake_count++] =
	    (struct conf_mistake){ line, warning, text };
}

void
conf_mistake(struct conf_reading *r, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, false, line, format, ap);
	va_end(ap);
}

void
conf_warning(struct conf_reading *r, int line, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	note(r, true, line, format, ap);
	va_end(ap);
}

static int
by_line(const void *a, const void *b)
{
	const struct conf_mistake *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

void
conf_mistakes_print(struct conf_reading *r, FILE *out)
{
	if (r->mistake_count > 1)
		qsort(r->mistakes, r->mistake_count, sizeof(*r->mistakes),
		    by_line);
	for (size_t i = 0; i < r->mistake_count; i++) {
		const struct conf_mistake *m = &r->mistakes[i];
		const char *kind = m->warning ? "warning: " : "";

		if (m->line > 0)
			fprintf(out, "%s:%d: %s%s\n", r->file, m->line, kind,
			    m->text);
		else
			fprintf(out, "%s: %s%s\n", r->file, kind, m->text);
	}
}

struct conf_place *
conf_place_find(const struct conf_reading *r, const char *section,
    const char *title, const char *option)
{
	for (size_t i = 0; i < r->place_count; i++) {
		struct conf_place *p = &r->places[i];

		if (strcmp(p->section, section) == 0 &&
		    strcmp(p->title, title) == 0 &&
		    strcmp(p->option, option) == 0)
			return p;
	}
	return NULL;
}

static void
place_clear(struct conf_place *place)
{
	free(place->section);
	free(place->title);
	free(place->option);
}

struct conf_place *
conf_place_add(struct conf_reading *r, const char *section, const char *title,
    const char *option, int line)
{
	struct conf_place place = { strdup(section), strdup(title),
		strdup(option), line, false };
	struct conf_place *grown =
	    realloc(r->places, (r->place_count + 1) * sizeof(*grown));

	if (grown != NULL)
		r->places = grown;
	if (grown == NULL || place.section == NULL || place.title == NULL ||
	    place.option == NULL) {
		place_clear(&place);
		return NULL;
	}
	r->places[r->place_count] = place;
	return &r->places[r->place_count++];
}

void
conf_places_clear(struct conf_reading *r)
{
	for (size_t i = 0; i < r->place_count; i++)
		place_clear(&r->places[i]);
	r->place_count = 0;
}

int
conf_line(const struct conf_reading *r, const char *section, const char *title,
    const char *option)
{
	const struct conf_place *p;
	int line = 0;

	p = conf_place_find(r, section, title, option);
	if (p != NULL)
		return p->line;
	if (*section == '\0')
		return 0;
	for (size_t i = 0; i < r->place_count; i++) {
		p = &r->places[i];
		if (strcmp(p->section, section) == 0 &&
		    strcmp(p->title, title) == 0 &&
		    (line == 0 || p->line < line))
			line = p->line;
	}
	return line;
}

bool
conf_is_bad(const struct conf_reading *r, const char *section,
    const char *title, const char *option)
{
	const struct conf_place *p;

	p = conf_place_find(r, section, title, option);
	return p != NULL && p->bad;
}

void
conf_reading_free(struct conf_reading *r)
{
	conf_places_clear(r);
	free(r->places);
	for (size_t i = 0; i < r->mistake_count; i++)
		free(r->mistakes[i].text);
	free(r->mistakes);
	conf_free(r->conf);
}
