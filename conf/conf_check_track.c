/*
 * Who follows messages: the tracking server's port and files, the log of the
 * MSA, and the hosts that are the operator's own (RFC 3887, RFC 3886).
 */
#include "conf/conf_reading.h"

#include <errno.h>
#include <string.h>

#include "common/inner_host.h"

static void
check_port(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	const struct conf_track *t = &c->track;

	for (size_t i = 0; t->port != 0 && i < c->listen_count; i++)
		if (c->listen[i].port == t->port &&
		    conf_shares_address(&c->listen[i].address, &t->address))
			conf_mistake(r, conf_line(r, "track", "", "port"),
			    "section track has the address and port of listen "
			    "\"%s\"; change one",
			    c->listen[i].title);
}

static void
check_track(struct conf_reading *r)
{
	const struct conf_track *t = &r->conf->track;

	if (!r->conf->track_on)
		return;
	conf_check_addresses(
	    r, conf_line(r, "track", "", "address"), &t->address);
	check_port(r);
	for (size_t i = 0; i < t->certificates.count; i++)
		conf_check_path(
		    r, "track", "certificates", t->certificates.item[i]);
	if (t->sessions_per_address > t->sessions)
		conf_warning(r, conf_line(r, "track", "", "sessions"),
		    "one address may have all sessions; make "
		    "sessions_per_address less than sessions");
}

static void
check_msa_log(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	const struct conf_msa_log *l = &c->msa_log;

	if (!c->msa_log_on)
		return;
	if (*l->file == '\0' && !conf_is_bad(r, "msa.log", "", "file"))
		conf_mistake(r, conf_line(r, "msa.log", "", "file"),
		    "no file; set it in log { ... } to the MSA's log, as file "
		    "= \"/var/log/mail.log\"");
	conf_check_path(r, "msa.log", "file", l->file);
	conf_check_path(r, "msa.log", "state", l->state);
	if (strcmp(l->file, l->state) == 0)
		conf_mistake(r, conf_line(r, "msa.log", "", "state"),
		    "state is the log itself; give it a file of its own");
	if (*l->file != '\0' && strcmp(l->file, c->log.file) == 0)
		conf_mistake(r, conf_line(r, "msa.log", "", "file"),
		    "file is Waybill's own log; give the MSA's");
}

static bool
is_inner_host(char *item)
{
	struct inner_hosts *hosts = inner_hosts_new(&item, 1);
	bool good = hosts != NULL || errno != EINVAL;

	inner_hosts_free(hosts);
	return good;
}

static void
check_inner_hosts(struct conf_reading *r)
{
	const struct conf_list *list = &r->conf->tracking.inner_hosts;

	for (size_t i = 0; i < list->count; i++)
		if (!is_inner_host(list->item[i]))
			conf_mistake(r,
			    conf_line(r, "tracking", "", "inner_hosts"),
			    "inner_hosts \"%.60s\" is neither a network nor "
			    "a name; write \"10.0.0.0/8\" or \"example.lan\"",
			    list->item[i]);
}

void
conf_check_track(struct conf_reading *r)
{
	check_track(r);
	check_msa_log(r);
	check_inner_hosts(r);
}
