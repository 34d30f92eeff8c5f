/*
 * The values that libconfuse has read, into struct conf.
 */
#include "conf/conf_fill.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf_value.h"

bool
conf_has_title(const struct conf_section *section)
{
	return strcmp(section->name, "listen") == 0 ||
	    strcmp(section->name, "msa") == 0;
}

const char *
conf_title(const cfg_t *cfg)
{
	return cfg->title != NULL ? cfg->title : "";
}

/* Values of one option; those that were not good have been reported. */
static void
fill_option(struct conf_reading *r, cfg_t *cfg, const struct conf_option *o,
    cfg_opt_t *opt, void *member)
{
	char why[256];

	if (o->kind == CONF_KIND_LIST)
		conf_value_clear(o, member);
	for (unsigned n = 0; n < cfg_opt_size(opt); n++)
		if (conf_value_set(o, cfg_opt_getnstr(opt, n), member, why,
			sizeof(why)) < 0 &&
		    o->kind == CONF_KIND_LIST)
			conf_mistake(r, cfg->line, "%s: %s", o->name, why);
	if (o->kind == CONF_KIND_LIST && o->low > 0 && cfg_opt_size(opt) == 0)
		conf_mistake(
		    r, cfg->line, "%s is empty; name at least one", o->name);
}

static void
fill_section(struct conf_reading *r, cfg_t *cfg,
    const struct conf_section *section, void *base)
{
	for (size_t i = 0; i < section->count; i++) {
		const struct conf_option *o = &section->options[i];
		cfg_opt_t *opt = cfg_getopt(cfg, o->name);

		if (opt != NULL && (opt->flags & CFGF_MODIFIED))
			fill_option(r, cfg, o, opt, conf_member(base, o));
	}
}

static int
set_title(struct conf_reading *r, char **title, const char *text, int line)
{
	if (strlen(text) > 50 || *text == '\0' ||
	    strspn(text,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_.") != strlen(text))
		conf_mistake(r, line,
		    "'%.60s' cannot name a "
		    "section; use 1 to 50 letters, digits, -, _ and .",
		    text);
	free(*title);
	*title = strdup(text);
	return *title != NULL ? 0 : -1;
}

static int
fill_listens(struct conf_reading *r, cfg_t *cfg)
{
	struct conf *conf = r->conf;
	const struct conf_section *s = &conf_sections[CONF_SECTION_LISTEN];
	unsigned n = cfg_size(cfg, "listen");

	conf->listen = calloc(n != 0 ? n : 1, sizeof(*conf->listen));
	if (conf->listen == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		cfg_t *one = cfg_getnsec(cfg, "listen", i);
		struct conf_listen *l = &conf->listen[conf->listen_count++];

		for (size_t o = 0; o < s->count; o++)
			if (conf_value_default(&s->options[o],
				conf_member(l, &s->options[o])) < 0)
				return -1;
		if (set_title(r, &l->title, conf_title(one), one->line) < 0)
			return -1;
		fill_section(r, one, s, l);
	}
	return 0;
}

/* libconfuse makes a section that is not in the file, too. */
static bool
is_there(const struct conf_reading *r, enum conf_section_number number)
{
	return conf_place_find(r, conf_sections[number].name, "", "") != NULL;
}

static int
fill_msa(struct conf_reading *r, cfg_t *cfg)
{
	struct conf *conf = r->conf;
	unsigned n = cfg_size(cfg, "msa");
	cfg_t *msa;

	if (n != 1)
		conf_mistake(r, n == 0 ? 0 : cfg_getnsec(cfg, "msa", 1)->line,
		    n == 0
			? "no section msa; name the server that mail goes to, "
			  "as "
			  "msa \"main\" { address = \"127.0.0.1\" port = 10587 "
			  "}"
			: "a second section msa; this version submits to one, "
			  "remove the other");
	if (n == 0)
		return 0;
	msa = cfg_getnsec(cfg, "msa", 0);
	if (set_title(r, &conf->msa_name, conf_title(msa), msa->line) < 0)
		return -1;
	fill_section(r, msa, &conf_sections[CONF_SECTION_of_msa], &conf->msa);
	conf->msa_log_on = is_there(r, CONF_SECTION_of_msa_log);
	fill_section(r, cfg_getsec(msa, "log"),
	    &conf_sections[CONF_SECTION_of_msa_log], &conf->msa_log);
	return 0;
}

int
conf_fill(struct conf_reading *r, cfg_t *cfg)
{
	struct conf *conf = r->conf;

	fill_section(r, cfg, &conf_sections[CONF_SECTION_TOP], conf);
	for (size_t i = 1; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];

		if (!conf_has_title(s) && conf_section_is_in(s, ""))
			fill_section(r, cfg_getsec(cfg, s->name), s,
			    conf_section_base(conf, s));
	}
	conf->track_on = is_there(r, CONF_SECTION_of_track);
	if (fill_listens(r, cfg) < 0 || fill_msa(r, cfg) < 0)
		return -1;
	return 0;
}
