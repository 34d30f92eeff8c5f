/*
 * The text of waybill.conf into struct conf, by libconfuse. It stops at the
 * first unknown name and cannot be told to go on, so its tables are made anew
 * with that name in them, and it starts again: all mistakes are found.
 */
#include "conf/conf_reading.h"

#include <confuse.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf_comments.h"
#include "conf/conf_fill.h"
#include "conf/conf_table.h"
#include "conf/conf_unknown.h"
#include "conf/conf_value.h"

/* libconfuse gives its callbacks nothing of ours, hence one static. */
static struct parse {
	struct conf_reading *reading;
	struct conf_unknowns unknowns;
	/* What libconfuse stopped at. */
	const char *format;
	char name[256];
	char section[256];
	int line;
	int last_line; /* of the file */
} * now;

/*
 * A row that nobody can set, with the section's name behind a blank, opens
 * each table: libconfuse does not say in which section another one stands.
 */
enum { MARK_LEN = 1 };

static const char *const marks[CONF_SECTION_COUNT] = { " ", " listen",
#define MARK(member, name, options) " " name,
	CONF_SECTIONS(MARK) };

/* The section's name as we know it. */
static const char *
section_of(const cfg_t *cfg)
{
	const char *first = cfg->opts[0].name;

	return first != NULL && *first == ' ' ? first + MARK_LEN : cfg->name;
}

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *format, va_list ap)
{
	const char *name = "";

	if (strstr(format, "'%s'") != NULL)
		name = va_arg(ap, const char *);
	now->format = format;
	now->line = cfg->line;
	snprintf(now->name, sizeof(now->name), "%s", name != NULL ? name : "");
	snprintf(now->section, sizeof(now->section), "%s", section_of(cfg));
}

static void
note_twice(cfg_t *cfg, const char *option, const struct conf_place *first)
{
	conf_mistake(now->reading, cfg->line,
	    "%s is given twice, first on "
	    "line %d; remove one",
	    option, first->line);
}

/* A value of a known option: libconfuse keeps the text, we say if it is good.
 */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	const struct conf_section *section = conf_section_find(section_of(cfg));
	const struct conf_option *option =
	    section == NULL ? NULL : conf_option_find(section, opt->name);
	struct conf_place *place;
	char why[256];

	*(const char **)result = value;
	if (option == NULL) {
		conf_mistake(now->reading, cfg->line,
		    "'%s' cannot be set "
		    "here; write it inside its section",
		    opt->name);
		return 0;
	}
	place = conf_place_find(
	    now->reading, section->name, conf_title(cfg), option->name);
	if (place != NULL && opt->nvalues == 1)
		note_twice(cfg, option->name, place);
	if (place == NULL)
		place = conf_place_add(now->reading, section->name,
		    conf_title(cfg), option->name, cfg->line);
	if (conf_value_set(option, value, NULL, why, sizeof(why)) < 0) {
		conf_mistake(now->reading, cfg->line, "%s = \"%.60s\": %s",
		    option->name, value, why);
		if (place != NULL)
			place->bad = true;
	}
	return 0;
}

/* The section that has just ended: the one that ended on this line. */
static const cfg_t *
ended_section(const cfg_t *cfg, const cfg_opt_t *opt)
{
	for (unsigned i = opt->nvalues; i-- > 0;)
		if (opt->values[i]->section->line == cfg->line)
			return opt->values[i]->section;
	return opt->values[opt->nvalues - 1]->section;
}

/* libconfuse merges or replaces sections of the same name. */
static int
on_section(cfg_t *cfg, cfg_opt_t *opt)
{
	const cfg_t *section = ended_section(cfg, opt);
	const char *name = section_of(section);
	const struct conf_place *first;

	first = conf_place_find(now->reading, name, conf_title(section), "");
	if (first != NULL && *conf_title(section) == '\0')
		conf_mistake(now->reading, cfg->line,
		    "section %s stands twice; "
		    "make one of the two",
		    opt->name);
	else if (first != NULL)
		conf_mistake(now->reading, cfg->line,
		    "section %s \"%s\" stands "
		    "twice; give each its own name",
		    opt->name, conf_title(section));
	else
		conf_place_add(
		    now->reading, name, conf_title(section), "", cfg->line);
	return 0;
}

static int
on_unknown(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	(void)cfg;
	(void)opt;
	*(const char **)result = value;
	return 0;
}

/* Rows for libconfuse: what we know of a section, and what nobody knows. */
struct rows {
	size_t count;
	cfg_opt_t *row;
	bool failed;
};

struct tables {
	struct rows known[CONF_SECTION_COUNT];
	struct rows unknown[CONF_UNKNOWN_MAX];
};

static void
add_row(struct rows *rows, cfg_opt_t row)
{
	enum { STEP = 16 };
	cfg_opt_t *grown = rows->row;

	if (rows->count % STEP == 0)
		grown =
		    reallocarray(rows->row, rows->count + STEP, sizeof(*grown));
	rows->failed = rows->failed || grown == NULL;
	if (rows->failed)
		return;
	rows->row = grown;
	grown[rows->count++] = row;
}

static void
add_options(struct rows *rows, enum conf_section_number number)
{
	const struct conf_section *section = &conf_sections[number];

	add_row(rows,
	    (cfg_opt_t)CFG_STR_CB(
		marks[number], NULL, CFGF_NODEFAULT, on_value));
	for (size_t i = 0; i < section->count; i++) {
		const struct conf_option *o = &section->options[i];

		if (o->kind == CONF_KIND_LIST)
			add_row(rows,
			    (cfg_opt_t)CFG_STR_LIST_CB(
				o->name, NULL, CFGF_NODEFAULT, on_value));
		else
			add_row(rows,
			    (cfg_opt_t)CFG_STR_CB(
				o->name, NULL, CFGF_NODEFAULT, on_value));
	}
}

/* An unknown value is taken as a list: that swallows a single one, too. */
static void
add_unknown(struct tables *t, struct rows *rows, const char *section)
{
	for (size_t i = 0; i < now->unknowns.count; i++) {
		const struct conf_unknown *u = &now->unknowns.list[i];

		if (strcmp(u->section, section) != 0)
			continue;
		if (u->form == CONF_UNKNOWN_VALUE)
			add_row(rows,
			    (cfg_opt_t)CFG_STR_LIST_CB(
				u->name, NULL, CFGF_NODEFAULT, on_unknown));
		else if (u->form == CONF_UNKNOWN_SECTION)
			add_row(rows,
			    (cfg_opt_t)CFG_SEC(
				u->name, t->unknown[i].row, CFGF_MULTI));
		else
			add_row(rows,
			    (cfg_opt_t)CFG_SEC(u->name, t->unknown[i].row,
				CFGF_MULTI | CFGF_TITLE));
	}
	add_row(rows, (cfg_opt_t)CFG_END());
}

/* The sections that stand in outer; their own tables must be whole. */
static void
add_sections(struct tables *t, struct rows *rows, const char *outer)
{
	for (size_t i = 1; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];

		if (conf_section_is_in(s, outer))
			add_row(rows,
			    (cfg_opt_t)CFG_SEC(conf_section_word(s),
				t->known[i].row,
				conf_has_title(s) ? CFGF_MULTI | CFGF_TITLE
						  : CFGF_NONE));
	}
}

/* Returns false without memory. */
static bool
build_tables(struct tables *t)
{
	bool failed = false;

	for (size_t i = 0; i < now->unknowns.count; i++)
		if (now->unknowns.list[i].form != CONF_UNKNOWN_VALUE)
			add_unknown(
			    t, &t->unknown[i], now->unknowns.list[i].name);
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		add_options(&t->known[i], (enum conf_section_number)i);
	for (size_t i = CONF_SECTION_COUNT; i-- > 0;) {
		add_sections(t, &t->known[i], conf_sections[i].name);
		add_unknown(t, &t->known[i], conf_sections[i].name);
	}
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		failed = failed || t->known[i].failed;
	for (size_t i = 0; i < CONF_UNKNOWN_MAX; i++)
		failed = failed || t->unknown[i].failed;
	return !failed;
}

static void
free_tables(struct tables *t)
{
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		free(t->known[i].row);
	for (size_t i = 0; i < CONF_UNKNOWN_MAX; i++)
		free(t->unknown[i].row);
}

/*
 * The scanner of libconfuse keeps its place inside of a string or comment
 * when it gives up, and the next text would begin there. This one ends every
 * such place: whichever it is in, the rest is a comment.
 */
static void
reset_scanner(void)
{
	cfg_opt_t none[] = { CFG_END() };
	cfg_t *cfg = cfg_init(none, CFGF_NONE);

	if (cfg == NULL)
		return;
	cfg_set_error_function(cfg, on_error);
	(void)cfg_parse_buf(cfg, "#'#*/#\"\n");
	cfg_free(cfg);
}

/*
 * libconfuse takes the end of the text for the end of every open section and
 * comment. A } is put behind it, which it must refuse: only then all of them
 * were closed.
 */
static bool
parse_whole(cfg_t *cfg, const char *text)
{
	char *closed;
	bool taken;

	if (asprintf(&closed, "%s\n}", text) < 0)
		return false;
	taken = cfg_parse_buf(cfg, closed) == CFG_SUCCESS;
	free(closed);
	if (taken) {
		now->format = "premature end";
		now->line = now->last_line;
	}
	return !taken && now->line > now->last_line &&
	    strncmp(now->format, "unexpected closing", 18) == 0;
}

static void
watch_section(cfg_t *cfg, const struct conf_section *section)
{
	char path[64];

	snprintf(path, sizeof(path), "%s", section->name);
	for (char *p = path; *p != '\0'; p++)
		if (*p == '.')
			*p = '|'; /* as libconfuse writes it */
	cfg_set_validate_func(cfg, path, on_section);
}

static cfg_t *
try_parse(const char *text)
{
	struct tables tables = { 0 };
	struct parse stopped;
	cfg_t *cfg = NULL;
	bool whole = false;

	now->format = "no memory";
	conf_places_clear(now->reading);
	if (build_tables(&tables))
		cfg = cfg_init(tables.known[CONF_SECTION_TOP].row, CFGF_NONE);
	free_tables(&tables);
	if (cfg != NULL) {
		cfg_set_error_function(cfg, on_error);
		for (size_t i = 1; i < CONF_SECTION_COUNT; i++)
			watch_section(cfg, &conf_sections[i]);
		whole = parse_whole(cfg, text);
	}
	stopped = *now;
	reset_scanner();
	*now = stopped;
	if (whole)
		return cfg;
	if (cfg != NULL)
		cfg_free(cfg);
	return NULL;
}

/* What libconfuse says when it cannot go on, and what to do about it. */
static const struct {
	const char *begins;
	const char *before; /* the name */
	const char *after;  /* NULL where there is no name */
} syntax[] = {
	{ "missing equal sign", "no = after ", "; write it as name = value" },
	{ "missing opening brace", "no { after section ",
	    "; write section { ... }" },
	{ "missing title", "no name after section ",
	    "; write section \"name\" { ... }" },
	{ "unexpected closing brace",
	    "a } too much; remove it, or look above for a { that is missing",
	    NULL },
	{ "premature end",
	    "the file ends inside of a string, list or section; "
	    "close what is open",
	    NULL },
	{ "unterminated string",
	    "nothing closes a string that ' opens; "
	    "close it",
	    NULL },
	{ "unexpected token", "",
	    " does not belong here; correct the line or the one above" },
	{ "attempt to append", "", " is no list; write = instead of +=" },
};

static bool
stopped_with(const char *begins)
{
	return strncmp(now->format, begins, strlen(begins)) == 0;
}

static void
report_syntax(void)
{
	struct conf_reading *r = now->reading;

	if (now->line > now->last_line) {
		now->line = now->last_line;
		if (!stopped_with("unterminated"))
			now->format = "premature end";
	}
	for (size_t i = 0; i < sizeof(syntax) / sizeof(syntax[0]); i++) {
		if (strncmp(now->format, syntax[i].begins,
			strlen(syntax[i].begins)) != 0)
			continue;
		if (syntax[i].after == NULL)
			conf_mistake(r, now->line, "%s", syntax[i].before);
		else
			conf_mistake(r, now->line, "%s'%s'%s", syntax[i].before,
			    now->name, syntax[i].after);
		return;
	}
	conf_mistake(r, now->line, "not understood%s%s; correct the line",
	    *now->name != '\0' ? " at " : "", now->name);
}

/* An unknown name, seen for the first time: report it and go past it. */
static bool
learn_name(void)
{
	if (*now->name == '\0' ||
	    conf_unknown_find(&now->unknowns, now->section, now->name) != NULL)
		return false;
	if (conf_section_find(now->section) != NULL)
		conf_unknown_report(
		    now->reading, now->line, now->section, now->name);
	return conf_unknown_add(&now->unknowns, now->section, now->name) == 0;
}

/* A unit without its quotes was reported: what follows it is its fault. */
static bool
follows_stray_unit(void)
{
	const struct conf_unknowns *u = &now->unknowns;

	return u->count > 0 && conf_unknown_is_unit(u->list[u->count - 1].name);
}

/* A section that is known elsewhere would hold itself in the tables. */
static bool
may_be_section(const struct conf_unknown *u)
{
	return u->form == CONF_UNKNOWN_VALUE &&
	    conf_section_find(u->section) != NULL &&
	    conf_section_find(u->name) == NULL;
}

/*
 * Can the text be tried again, with what libconfuse stopped at in its tables?
 * If not, the mistake that ends it has been reported.
 */
static bool
learn(void)
{
	struct conf_unknown *u;

	if (stopped_with("no such option") && learn_name())
		return true;
	u = conf_unknown_find(&now->unknowns, now->section, now->name);
	if (u != NULL && may_be_section(u) && stopped_with("missing equal")) {
		u->form = CONF_UNKNOWN_SECTION;
		return true;
	}
	if (u != NULL && u->form == CONF_UNKNOWN_SECTION &&
	    stopped_with("missing opening brace")) {
		u->form = CONF_UNKNOWN_TITLED;
		return true;
	}
	if (!follows_stray_unit() &&
	    (u == NULL || !stopped_with("missing equal")))
		report_syntax();
	return false;
}

bool
conf_parse(struct conf_reading *reading, const char *text)
{
	struct parse parse = { .reading = reading, .last_line = 1 };
	char *plain = strdup(text);
	cfg_t *cfg;

	if (plain == NULL) {
		conf_mistake(reading, 0, "no memory");
		return false;
	}
	conf_blank_comments(plain);
	for (const char *p = plain; *p != '\0'; p++)
		parse.last_line += *p == '\n';
	now = &parse;
	do
		cfg = try_parse(plain);
	while (cfg == NULL && learn());
	if (cfg != NULL) {
		if (conf_fill(reading, cfg) < 0)
			conf_mistake(reading, 0, "no memory");
		cfg_free(cfg);
	}
	conf_unknowns_clear(&parse.unknowns);
	free(plain);
	now = NULL;
	return cfg != NULL;
}
