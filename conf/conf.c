/*
 * struct conf: its defaults and its end.
 */
#include "conf/conf.h"

#include <stdlib.h>
#include <string.h>

#include "conf/conf_defaults.h"
#include "conf/conf_table.h"
#include "conf/conf_value.h"

struct conf *
conf_new(void)
{
	struct conf *conf = calloc(1, sizeof(*conf));

	if (conf == NULL || (conf->msa_name = strdup("")) == NULL) {
		free(conf);
		return NULL;
	}
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];
		void *base = conf_section_base(conf, s);

		if (i == CONF_SECTION_LISTEN)
			continue;
		for (size_t o = 0; o < s->count; o++) {
			if (conf_value_default(&s->options[o],
				conf_member(base, &s->options[o])) < 0) {
				conf_free(conf);
				return NULL;
			}
		}
	}
	return conf;
}

static void
clear_section(const struct conf_section *section, void *base)
{
	for (size_t i = 0; i < section->count; i++)
		conf_value_clear(&section->options[i],
		    conf_member(base, &section->options[i]));
}

void
conf_listens_clear(struct conf *conf)
{
	for (size_t i = 0; i < conf->listen_count; i++) {
		clear_section(
		    &conf_sections[CONF_SECTION_LISTEN], &conf->listen[i]);
		free(conf->listen[i].title);
	}
	free(conf->listen);
	conf->listen = NULL;
	conf->listen_count = 0;
}

void
conf_free(struct conf *conf)
{
	if (conf == NULL)
		return;
	conf_listens_clear(conf);
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (i != CONF_SECTION_LISTEN)
			clear_section(&conf_sections[i],
			    conf_section_base(conf, &conf_sections[i]));
	free(conf->msa_name);
	free(conf);
}

const char *
conf_vault_differs(const struct conf *a, const struct conf *b)
{
	if (a->vault.engine != b->vault.engine)
		return "engine";
	if (strcmp(a->vault.path, b->vault.path) != 0)
		return "path";
	if (strcmp(a->vault.keys, b->vault.keys) != 0)
		return "keys";
	return NULL;
}
