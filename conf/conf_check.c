/*
 * What no option shows alone: options that contradict each other, names that
 * are none, paths that are not there. RFC 3885 3.1 bounds the retention.
 */
#include "conf/conf_reading.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clients.h"

static const int64_t day = 86400000;

/* Labels of letters, digits and hyphens, at least two: RFC 5321 4.1.2. */
static bool
is_domain(const char *name)
{
	size_t label = 0, labels = 1;

	if (strlen(name) > 253)
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (*p == '.') {
			if (label == 0 || p[-1] == '-')
				return false;
			label = 0;
			labels++;
		} else if (isalnum((unsigned char)*p) ||
		    (*p == '-' && label > 0)) {
			if (++label > 63)
				return false;
		} else {
			return false;
		}
	}
	return label > 0 && labels > 1 && name[strlen(name) - 1] != '-';
}

static bool
is_address(const char *text)
{
	struct in6_addr a;

	return inet_pton(AF_INET, text, &a) == 1 ||
	    inet_pton(AF_INET6, text, &a) == 1;
}

/* The system's full name, or NULL where it has none. */
static char *
system_name(void)
{
	struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_CANONNAME };
	struct addrinfo *found = NULL;
	char name[256], *full = NULL;

	if (gethostname(name, sizeof(name)) != 0)
		return NULL;
	name[sizeof(name) - 1] = '\0';
	if (is_domain(name))
		return strdup(name);
	if (getaddrinfo(name, NULL, &hints, &found) == 0) {
		if (found->ai_canonname != NULL &&
		    is_domain(found->ai_canonname))
			full = strdup(found->ai_canonname);
		freeaddrinfo(found);
	}
	return full;
}

static void
check_hostname(struct conf_reading *r)
{
	struct conf *c = r->conf;
	char *full;

	if (conf_is_bad(r, "", "", "hostname"))
		return;
	if (*c->hostname != '\0') {
		if (!is_domain(c->hostname))
			conf_mistake(r, conf_line(r, "", "", "hostname"),
			    "hostname = \"%.60s\" is no full domain name; give "
			    "one as \"submit.example.net\"",
			    c->hostname);
		return;
	}
	full = system_name();
	if (full == NULL) {
		conf_mistake(r, conf_line(r, "", "", "hostname"),
		    "the system has no full domain name; set hostname = "
		    "\"submit.example.net\" or the like");
		return;
	}
	free(c->hostname);
	c->hostname = full;
}

void
conf_check_path(struct conf_reading *r, const char *section, const char *option,
    const char *path)
{
	if (*path == '\0' || *path == '/' ||
	    conf_is_bad(r, section, "", option))
		return;
	conf_mistake(r, conf_line(r, section, "", option),
	    "%s = \"%.60s\" depends on where waybilld is started; give the "
	    "path from / on",
	    option, path);
}

/* Is path the directory, or inside of it? */
static bool
is_within(const char *path, const char *directory)
{
	size_t len = strlen(directory);

	while (len > 1 && directory[len - 1] == '/')
		len--;
	return strncmp(directory, path, len) == 0 &&
	    (path[len] == '\0' || path[len] == '/');
}

static void
check_paths(struct conf_reading *r)
{
	const struct conf *c = r->conf;

	conf_check_path(r, "", "run_dir", c->run_dir);
	conf_check_path(r, "tls", "certificate", c->tls.certificate);
	conf_check_path(r, "tls", "key", c->tls.key);
	conf_check_path(r, "vault", "path", c->vault.path);
	conf_check_path(r, "vault", "keys", c->vault.keys);
	conf_check_path(r, "log", "file", c->log.file);
	if (is_within(c->vault.keys, c->vault.path))
		conf_mistake(r, conf_line(r, "vault", "", "keys"),
		    "the master keys lie in the vault itself; give keys a "
		    "directory of its own");
}

static bool
is_same_address(const char *a, const char *b)
{
	return strcmp(a, b) == 0 || strcmp(a, "*") == 0 || strcmp(b, "*") == 0;
}

/* "*" is both families; anything else must be an address already. */
void
conf_check_addresses(
    struct conf_reading *r, int line, const struct conf_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		const char *address = list->item[i];

		if (strcmp(address, "*") != 0 && !is_address(address))
			conf_mistake(r, line,
			    "address \"%.60s\" is no address; give "
			    "an IPv4 or IPv6 address, or *",
			    address);
		for (size_t j = 0; j < i; j++)
			if (is_same_address(list->item[j], address))
				conf_mistake(r, line,
				    "address \"%.60s\" stands beside "
				    "\"%.60s\"; leave one out",
				    address, list->item[j]);
	}
}

bool
conf_shares_address(const struct conf_list *a, const struct conf_list *b)
{
	for (size_t i = 0; i < a->count; i++)
		for (size_t j = 0; j < b->count; j++)
			if (is_same_address(a->item[i], b->item[j]))
				return true;
	return false;
}

static void
check_listens(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	size_t sockets = 0;

	if (c->listen_count == 0)
		conf_mistake(r, 0,
		    "no section listen; name a port, as "
		    "listen \"submission\" { port = 587 }");
	for (size_t i = 0; i < c->listen_count; i++) {
		const struct conf_listen *l = &c->listen[i];

		conf_check_addresses(r,
		    conf_line(r, "listen", l->title, "address"), &l->address);
		sockets += 2 * l->address.count;
		for (size_t j = 0; l->port != 0 && j < i; j++)
			if (c->listen[j].port == l->port &&
			    conf_shares_address(
				&c->listen[j].address, &l->address))
				conf_mistake(r,
				    conf_line(r, "listen", l->title, "port"),
				    "listen \"%s\" has the "
				    "address and port of listen \"%s\"; change "
				    "one",
				    l->title, c->listen[j].title);
	}
	if (sockets > CLIENTS_SOCKETS_MAX)
		conf_mistake(r, 0,
		    "more than 50 addresses to listen on; use * "
		    "for all of them");
}

static bool
is_here(const char *address)
{
	return strcmp(address, "127.0.0.1") == 0 ||
	    strcmp(address, "::1") == 0 || strcmp(address, "localhost") == 0;
}

static bool
listens_on(const struct conf_listen *l, const char *address)
{
	for (size_t i = 0; i < l->address.count; i++)
		if (strcmp(l->address.item[i], address) == 0 ||
		    (strcmp(l->address.item[i], "*") == 0 && is_here(address)))
			return true;
	return false;
}

static void
check_msa(struct conf_reading *r)
{
	const struct conf *c = r->conf;
	const struct conf_msa *m = &c->msa;
	int line = conf_line(r, "msa", c->msa_name, "address");

	for (size_t i = 0; i < c->listen_count; i++)
		if (c->listen[i].port == m->port &&
		    listens_on(&c->listen[i], m->address))
			conf_mistake(r, line,
			    "the MSA would be Waybill itself "
			    "(listen \"%s\"); give address and port of your "
			    "mail server",
			    c->listen[i].title);
	if (!is_address(m->address) && !is_domain(m->address) &&
	    strcmp(m->address, "localhost") != 0 &&
	    strspn(m->address,
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
		"RSTUVWXYZ0123456789-_.") != strlen(m->address))
		conf_mistake(r, line,
		    "address \"%.60s\" is neither a name nor "
		    "an address; leave the port to port =",
		    m->address);
	if (*m->ca_file != '\0' && access(m->ca_file, R_OK) != 0)
		conf_mistake(r, conf_line(r, "msa", c->msa_name, "ca_file"),
		    "ca_file \"%.200s\" cannot be read: %m; correct its path "
		    "or its mode",
		    m->ca_file);
	if (*m->ca_file != '\0' && m->tls == CONF_MSA_TLS_NONE)
		conf_warning(r, conf_line(r, "msa", c->msa_name, "ca_file"),
		    "ca_file has no effect with tls = \"none\"");
	if (m->tls == CONF_MSA_TLS_NONE && !is_here(m->address))
		conf_warning(r, line,
		    "mail goes to %s without TLS; set tls = "
		    "\"starttls\" unless the way there is yours",
		    m->address);
}

static bool
list_has(const struct conf_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->item[i], text) == 0)
			return true;
	return false;
}

/* RFC 4422 3.1: 1 to 20 of A-Z, digits, "-" and "_". */
static bool
is_mechanism(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= 20 &&
	    strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == len;
}

static void
check_mechanisms(struct conf_reading *r)
{
	const struct conf_list *list = &r->conf->auth.mechanisms;
	int line = conf_line(r, "auth", "", "mechanisms");
	bool scram = false;

	for (size_t i = 0; i < list->count; i++) {
		const char *m = list->item[i];

		if (!is_mechanism(m))
			conf_mistake(r, line,
			    "mechanism \"%.40s\" is no name "
			    "of one; write it in capitals, as \"PLAIN\"",
			    m);
		scram = scram || strncmp(m, "SCRAM-", 6) == 0;
	}
	if (scram && list_has(&r->conf->auth.sasl, "pwcheck_method=saslauthd"))
		conf_warning(r, line,
		    "SCRAM is offered, but saslauthd cannot "
		    "verify it; leave SCRAM out unless an auxprop plugin "
		    "knows the passwords");
}

static void
check_auth(struct conf_reading *r)
{
	const struct conf_auth *a = &r->conf->auth;

	if (a->workers > a->workers_max)
		conf_mistake(r, conf_line(r, "auth", "", "workers"),
		    "workers is more than workers_max; raise workers_max to "
		    "%lld",
		    (long long)a->workers);
	for (size_t i = 0; i < a->sasl.count; i++) {
		const char *equal = strchr(a->sasl.item[i], '=');

		if (equal == NULL || equal == a->sasl.item[i] ||
		    strcspn(a->sasl.item[i], " \t:") <
			(size_t)(equal - a->sasl.item[i]))
			conf_mistake(r, conf_line(r, "auth", "", "sasl"),
			    "sasl \"%.60s\" is not name=value; write it as "
			    "\"pwcheck_method=saslauthd\"",
			    a->sasl.item[i]);
	}
	check_mechanisms(r);
}

static void
check_tracking(struct conf_reading *r)
{
	static const char *const known[] = { "message-id", "recipients",
		"subject" };
	const struct conf *c = r->conf;
	const struct conf_tracking *t = &c->tracking;

	for (size_t i = 0; i < t->remember.count; i++) {
		const char *word = t->remember.item[i];

		if (strcmp(word, known[0]) != 0 &&
		    strcmp(word, known[1]) != 0 && strcmp(word, known[2]) != 0)
			conf_mistake(r,
			    conf_line(r, "tracking", "", "remember"),
			    "remember \"%.40s\" is unknown; give "
			    "any of message-id, recipients, subject",
			    word);
	}
	if (t->retention <= c->msa.queue_lifetime + day)
		conf_mistake(r, conf_line(r, "tracking", "", "retention"),
		    "retention must be longer than the MSA's queue_lifetime "
		    "and a day, or a queued message would be denied; give more "
		    "than \"%lld days\"",
		    (long long)((c->msa.queue_lifetime + 2 * day - 1) / day));
	if (*t->server != '\0' && !is_domain(t->server))
		conf_mistake(r, conf_line(r, "tracking", "", "server"),
		    "server = \"%.60s\" is no full domain name; give one as "
		    "\"track.example.net\"",
		    t->server);
}

static void
check_log(struct conf_reading *r)
{
	const struct conf_log *l = &r->conf->log;

	if (l->target == CONF_LOG_FILE && *l->file == '\0')
		conf_mistake(r, conf_line(r, "log", "", "target"),
		    "target = \"file\" without a file; set file = "
		    "\"/var/log/waybill.log\"");
	if (l->target != CONF_LOG_FILE && *l->file != '\0')
		conf_warning(r, conf_line(r, "log", "", "file"),
		    "file has no effect without target = \"file\"");
}

void
conf_check(struct conf_reading *r)
{
	check_hostname(r);
	check_paths(r);
	check_listens(r);
	check_msa(r);
	check_auth(r);
	check_tracking(r);
	check_log(r);
	conf_check_track(r);
	conf_check_tls(r);
}
