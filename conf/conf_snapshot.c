/*
 * The configuration as waybilld hands it to its children: every option in the
 * order of options.h, in a sealed memfd. Who reads it keeps only what its
 * role needs.
 */
#include "conf/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/wire.h"
#include "conf/conf_defaults.h"
#include "conf/conf_table.h"
#include "conf/conf_value.h"

enum {
	SNAPSHOT_MAGIC = 0x57420002, /* its last octets: the format */
	TEXT_LONGEST = 4096,
	LISTENS_MAX = 1024
};

static void
put_value(struct wire_out *out, const struct conf_option *o, const void *member)
{
	const struct conf_list *list = member;

	switch (o->kind) {
	case CONF_KIND_TEXT:
		wire_put_text(out, *(char *const *)member);
		break;
	case CONF_KIND_LIST:
		wire_put_u16(out, (uint16_t)list->count);
		for (size_t i = 0; i < list->count; i++)
			wire_put_text(out, list->item[i]);
		break;
	case CONF_KIND_NUMBER:
	case CONF_KIND_TIME:
	case CONF_KIND_OCTETS:
		wire_put_u64(out, (uint64_t) * (const int64_t *)member);
		break;
	case CONF_KIND_FLAG:
		wire_put_u8(out, *(const bool *)member);
		break;
	case CONF_KIND_WORD:
		wire_put_u8(out, (uint8_t) * (const int *)member);
		break;
	}
}

static void
put_section(
    struct wire_out *out, const struct conf_section *section, const void *base)
{
	for (size_t i = 0; i < section->count; i++)
		put_value(out, &section->options[i],
		    conf_member_const(base, &section->options[i]));
}

static void
put_conf(struct wire_out *out, const struct conf *conf)
{
	wire_begin(out);
	wire_put_u32(out, SNAPSHOT_MAGIC);
	wire_put_text(out, conf->msa_name);
	wire_put_u8(out, conf->msa_log_on);
	wire_put_u8(out, conf->track_on);
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (i != CONF_SECTION_LISTEN)
			put_section(out, &conf_sections[i],
			    (const char *)conf + conf_sections[i].offset);
	wire_put_u16(out, (uint16_t)conf->listen_count);
	for (size_t i = 0; i < conf->listen_count; i++) {
		wire_put_text(out, conf->listen[i].title);
		put_section(
		    out, &conf_sections[CONF_SECTION_LISTEN], &conf->listen[i]);
	}
}

int
conf_snapshot_write(const struct conf *conf)
{
	struct wire_out out = { 0 };
	int fd, saved;

	put_conf(&out, conf);
	if (out.failed) {
		wire_free(&out);
		errno = ENOMEM;
		return -1;
	}
	fd = memfd_create("waybill-conf", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 &&
	    (write(fd, out.data, out.len) != (ssize_t)out.len ||
		fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
		    0)) {
		saved = errno;
		close(fd);
		errno = saved;
		fd = -1;
	}
	wire_free(&out);
	return fd;
}

/* A text in fresh memory, instead of what stands in *text. */
static void
get_text(struct wire_in *in, char **text)
{
	struct octets o = wire_get_octets(in, TEXT_LONGEST);

	free(*text);
	*text = NULL;
	if (in->failed || memchr(o.data, '\0', o.len) != NULL ||
	    (*text = strndup((const char *)o.data, o.len)) == NULL)
		in->failed = true;
}

static void
get_list(
    struct wire_in *in, const struct conf_option *o, struct conf_list *list)
{
	uint16_t count = wire_get_u16(in);

	conf_value_clear(o, list);
	if (in->failed || count > o->high ||
	    (list->item = calloc(count + 1u, sizeof(*list->item))) == NULL) {
		in->failed = true;
		return;
	}
	while (list->count < count && !in->failed)
		get_text(in, &list->item[list->count++]);
}

static void
get_value(struct wire_in *in, const struct conf_option *o, void *member)
{
	switch (o->kind) {
	case CONF_KIND_TEXT:
		get_text(in, member);
		break;
	case CONF_KIND_LIST:
		get_list(in, o, member);
		break;
	case CONF_KIND_NUMBER:
	case CONF_KIND_TIME:
	case CONF_KIND_OCTETS:
		*(int64_t *)member = (int64_t)wire_get_u64(in);
		break;
	case CONF_KIND_FLAG:
		*(bool *)member = wire_get_u8(in) != 0;
		break;
	case CONF_KIND_WORD:
		*(int *)member = wire_get_u8(in);
		break;
	}
}

static void
get_section(struct wire_in *in, const struct conf_section *section, void *base)
{
	for (size_t i = 0; i < section->count && !in->failed; i++)
		get_value(in, &section->options[i],
		    conf_member(base, &section->options[i]));
}

static void
get_conf(struct wire_in *in, struct conf *conf)
{
	uint16_t listens;

	if (wire_get_u32(in) != SNAPSHOT_MAGIC)
		in->failed = true;
	get_text(in, &conf->msa_name);
	conf->msa_log_on = wire_get_u8(in) != 0;
	conf->track_on = wire_get_u8(in) != 0;
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++)
		if (i != CONF_SECTION_LISTEN)
			get_section(in, &conf_sections[i],
			    conf_section_base(conf, &conf_sections[i]));
	listens = wire_get_u16(in);
	if (in->failed || listens > LISTENS_MAX ||
	    (conf->listen = calloc(listens + 1u, sizeof(*conf->listen))) ==
		NULL) {
		in->failed = true;
		return;
	}
	while (conf->listen_count < listens && !in->failed) {
		struct conf_listen *l = &conf->listen[conf->listen_count++];

		get_text(in, &l->title);
		get_section(in, &conf_sections[CONF_SECTION_LISTEN], l);
	}
}

static void
drop_option(void *base, const struct conf_option *o, bool *failed)
{
	void *member = conf_member(base, o);

	conf_value_clear(o, member);
	if (o->kind == CONF_KIND_TEXT &&
	    (*(char **)member = strdup("")) == NULL)
		*failed = true;
}

/* What a role reads: a whole section (option NULL) or one option of it. */
static const struct need {
	enum conf_role role;
	const char *section;
	const char *option;
} needs[] = {
	{ CONF_FOR_PROXY, "", NULL },
	{ CONF_FOR_PROXY, "tls", "min_version" },
	{ CONF_FOR_PROXY, "tls", "ciphers" },
	{ CONF_FOR_PROXY, "auth", "timeout" },
	{ CONF_FOR_PROXY, "auth", "idle_timeout" },
	{ CONF_FOR_PROXY, "auth", "failures" },
	{ CONF_FOR_PROXY, "auth", "penalty_max" },
	{ CONF_FOR_PROXY, "auth", "exchanges_per_address" },
	{ CONF_FOR_PROXY, "msa", NULL },
	{ CONF_FOR_PROXY, "tracking", NULL },
	{ CONF_FOR_PROXY, "limits", NULL },
	{ CONF_FOR_PROXY, "log", NULL },
	{ CONF_FOR_AUTH, "", "hostname" },
	{ CONF_FOR_AUTH, "", "drain_timeout" },
	{ CONF_FOR_AUTH, "", "user_proxy" },
	{ CONF_FOR_AUTH, "", "user_auth" },
	{ CONF_FOR_AUTH, "auth", NULL },
	{ CONF_FOR_AUTH, "limits", "session_max" },
	{ CONF_FOR_AUTH, "log", NULL },
	{ CONF_FOR_KEEPER, "", "hostname" },
	{ CONF_FOR_KEEPER, "", "drain_timeout" },
	{ CONF_FOR_KEEPER, "", "user_proxy" },
	{ CONF_FOR_KEEPER, "", "user_keeper" },
	{ CONF_FOR_KEEPER, "", "user_feed" },
	{ CONF_FOR_KEEPER, "", "user_track" },
	{ CONF_FOR_KEEPER, "msa", "queue_lifetime" },
	{ CONF_FOR_KEEPER, "tracking", NULL },
	{ CONF_FOR_KEEPER, "vault", NULL },
	{ CONF_FOR_KEEPER, "log", NULL },
	{ CONF_FOR_TRACK, "", "hostname" },
	{ CONF_FOR_TRACK, "", "run_dir" },
	{ CONF_FOR_TRACK, "", "drain_timeout" },
	{ CONF_FOR_TRACK, "tls", "min_version" },
	{ CONF_FOR_TRACK, "tls", "ciphers" },
	{ CONF_FOR_TRACK, "msa", "queue_lifetime" },
	{ CONF_FOR_TRACK, "tracking", "reveal_aliases" },
	{ CONF_FOR_TRACK, "tracking", "reveal_hosts" },
	{ CONF_FOR_TRACK, "tracking", "inner_hosts" },
	{ CONF_FOR_TRACK, "limits", "handshake_timeout" },
	{ CONF_FOR_TRACK, "track", NULL },
	{ CONF_FOR_TRACK, "log", NULL },
	{ CONF_FOR_FEED, "", "run_dir" },
	{ CONF_FOR_FEED, "", "drain_timeout" },
	{ CONF_FOR_FEED, "msa.log", NULL },
	{ CONF_FOR_FEED, "log", NULL },
};

static bool
is_needed(enum conf_role role, const char *section, const char *option)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (needs[i].role == role &&
		    strcmp(needs[i].section, section) == 0 &&
		    (needs[i].option == NULL ||
			strcmp(needs[i].option, option) == 0))
			return true;
	return false;
}

/* Returns -1 without memory. */
static int
reduce(struct conf *conf, enum conf_role role)
{
	bool failed = false;

	if (role == CONF_FOR_DAEMON)
		return 0;
	for (size_t i = 0; i < CONF_SECTION_COUNT; i++) {
		const struct conf_section *s = &conf_sections[i];

		for (size_t o = 0; i != CONF_SECTION_LISTEN && o < s->count;
		     o++)
			if (!is_needed(role, s->name, s->options[o].name))
				drop_option(conf_section_base(conf, s),
				    &s->options[o], &failed);
	}
	if (role != CONF_FOR_PROXY)
		conf_listens_clear(conf);
	return failed ? -1 : 0;
}

/* Map fd, read it all, and insist on the end. */
static int
get_from(int fd, struct conf *conf)
{
	struct wire_in in;
	struct stat st;
	void *map;
	int status;

	if (fstat(fd, &st) < 0)
		return -1;
	if (st.st_size <= 0 || st.st_size > (off_t)WIRE_BODY_MAX) {
		errno = EBADMSG;
		return -1;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return -1;
	wire_read(&in, map, (size_t)st.st_size);
	get_conf(&in, conf);
	status = wire_end(&in);
	munmap(map, (size_t)st.st_size);
	if (status < 0)
		errno = EBADMSG;
	return status;
}

struct conf *
conf_snapshot_read(int fd, enum conf_role role)
{
	struct conf *conf = conf_new();
	int saved;

	if (conf == NULL)
		return NULL;
	if (get_from(fd, conf) < 0 || reduce(conf, role) < 0) {
		saved = errno;
		conf_free(conf);
		errno = saved;
		return NULL;
	}
	return conf;
}
