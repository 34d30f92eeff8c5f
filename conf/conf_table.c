/*
 * Tables of all sections and options, expanded from options.h.
 */
#include "conf/conf_table.h"

#include <string.h>

/* Names that are keywords of C bear a "_" there. */
#define SPELLED(text)                                                          \
	(__builtin_strcmp(text, "default_") == 0 ? "default" : text)

#define ROW(structure, kind, member, normal, low, high, words, about)          \
	{ SPELLED(#member), CONF_KIND_##kind, normal, low, high, words, about, \
		offsetof(struct structure, member) },

#define ROW_TOP(...)	  ROW(conf, __VA_ARGS__)
#define ROW_LISTEN(...)	  ROW(conf_listen, __VA_ARGS__)
#define ROW_TLS(...)	  ROW(conf_tls, __VA_ARGS__)
#define ROW_AUTH(...)	  ROW(conf_auth, __VA_ARGS__)
#define ROW_MSA(...)	  ROW(conf_msa, __VA_ARGS__)
#define ROW_TRACKING(...) ROW(conf_tracking, __VA_ARGS__)
#define ROW_VAULT(...)	  ROW(conf_vault, __VA_ARGS__)
#define ROW_LIMITS(...)	  ROW(conf_limits, __VA_ARGS__)
#define ROW_LOG(...)	  ROW(conf_log, __VA_ARGS__)
#define ROW_TRACK(...)	  ROW(conf_track, __VA_ARGS__)
#define ROW_MSA_LOG(...)  ROW(conf_msa_log, __VA_ARGS__)

static const struct conf_option top_rows[] = { CONF_OPTIONS_TOP(ROW_TOP) };
static const struct conf_option listen_rows[] = { CONF_OPTIONS_LISTEN(
    ROW_LISTEN) };
static const struct conf_option tls_rows[] = { CONF_OPTIONS_TLS(ROW_TLS) };
static const struct conf_option auth_rows[] = { CONF_OPTIONS_AUTH(ROW_AUTH) };
static const struct conf_option msa_rows[] = { CONF_OPTIONS_MSA(ROW_MSA) };
static const struct conf_option tracking_rows[] = { CONF_OPTIONS_TRACKING(
    ROW_TRACKING) };
static const struct conf_option vault_rows[] = { CONF_OPTIONS_VAULT(
    ROW_VAULT) };
static const struct conf_option limits_rows[] = { CONF_OPTIONS_LIMITS(
    ROW_LIMITS) };
static const struct conf_option log_rows[] = { CONF_OPTIONS_LOG(ROW_LOG) };
static const struct conf_option track_rows[] = { CONF_OPTIONS_TRACK(
    ROW_TRACK) };
static const struct conf_option msa_log_rows[] = { CONF_OPTIONS_MSA_LOG(
    ROW_MSA_LOG) };

#define COUNT(rows) (sizeof(rows) / sizeof(rows[0]))
#define SECTION(member, name, options)                                         \
	{ name, member##_rows, COUNT(member##_rows),                           \
		offsetof(struct conf, member) },

const struct conf_section conf_sections[CONF_SECTION_COUNT] = {
	{ "", top_rows, COUNT(top_rows), 0 },
	{ "listen", listen_rows, COUNT(listen_rows), 0 }, CONF_SECTIONS(SECTION)
};

void *
conf_member(void *base, const struct conf_option *option)
{
	return (char *)base + option->offset;
}

const void *
conf_member_const(const void *base, const struct conf_option *option)
{
	return (const char *)base + option->offset;
}

void *
conf_section_base(struct conf *conf, const struct conf_section *section)
{
	return (char *)conf + section->offset;
}

const struct conf_section *
conf_section_find(const char *name)
{
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (strcmp(conf_sections[i].name, name) == 0)
			return &conf_sections[i];
	return NULL;
}

const char *
conf_section_word(const struct conf_section *section)
{
	const char *dot = strchr(section->name, '.');

	return dot != NULL ? dot + 1 : section->name;
}

bool
conf_section_is_in(const struct conf_section *section, const char *outer)
{
	size_t len = strlen(outer);

	if (*outer == '\0')
		return *section->name != '\0' &&
		    strchr(section->name, '.') == NULL;
	return strncmp(section->name, outer, len) == 0 &&
	    section->name[len] == '.';
}

const struct conf_option *
conf_option_find(const struct conf_section *section, const char *name)
{
	for (size_t i = 0; i < section->count; i++)
		if (strcmp(section->options[i].name, name) == 0)
			return &section->options[i];
	return NULL;
}
