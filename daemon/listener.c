/*
 * Listening sockets: bound from the configuration, kept across reloads.
 */
#include "daemon/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clients.h"
#include "common/log.h"
#include "conf/conf.h"

enum { BACKLOG = 4096 };

static socklen_t
address_len(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					 : sizeof(struct sockaddr_in);
}

static void
set_address(struct sockaddr_storage *out, const char *text, int64_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port) };

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(out, &in, sizeof(in));
	else if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(out, &in6, sizeof(in6));
}

static void
show_address(const struct sockaddr_storage *ss, char *out, int *port)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, out, INET6_ADDRSTRLEN);
		*port = ntohs(in6.sin6_port);
	} else {
		memcpy(&in, ss, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, out, INET6_ADDRSTRLEN);
		*port = ntohs(in.sin_port);
	}
}

static int
same_listener(const struct listener *a, const struct listener *b)
{
	char x[INET6_ADDRSTRLEN], y[INET6_ADDRSTRLEN];
	int p, q;

	show_address(&a->wanted, x, &p);
	show_address(&b->wanted, y, &q);
	return a->wanted.ss_family == b->wanted.ss_family && p == q &&
	    strcmp(x, y) == 0 &&
	    (p != 0 ||
		(a->of_tracker == b->of_tracker &&
		    strcmp(a->title, b->title) == 0));
}

static const struct listener *
find(const struct listener *l, const struct listeners *all)
{
	for (size_t i = 0; all != NULL && i < all->count; i++)
		if (same_listener(l, &all->list[i]))
			return &all->list[i];
	return NULL;
}

/* The socket of l, for one more generation. */
static int
take_over(const struct listener *l)
{
	return l != NULL ? fcntl(l->fd, F_DUPFD_CLOEXEC, 3) : -1;
}

/* With shared, beside sockets that are marked so, too. */
static int
bind_address(const struct sockaddr_storage *ss, bool shared)
{
	const struct sockaddr *sa = (const struct sockaddr *)ss;
	int fd, saved, on = 1, also = shared;

	fd = socket(
	    ss->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	/* IPv4 has a socket of its own, so that a client's address is plain. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &also, sizeof(also)) !=
		0 ||
	    (ss->ss_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) !=
		    0) ||
	    bind(fd, sa, address_len(ss)) != 0 || listen(fd, BACKLOG) != 0) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void
mark_shared(int fd, int shared)
{
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &shared, sizeof(shared));
}

/*
 * From * to one address at the same port, or back: our own sockets of before
 * are in the way, and nobody else's may be. The kernel gives a client to the
 * more exact of the two. Returns the socket, or -1 with EADDRINUSE.
 */
static int
bind_beside(const struct listener *l, const struct listeners *old)
{
	size_t count = old != NULL ? old->count : 0;
	int fd;

	for (size_t i = 0; i < count; i++)
		mark_shared(old->list[i].fd, 1);
	fd = bind_address(&l->wanted, true);
	for (size_t i = 0; i < count; i++)
		mark_shared(old->list[i].fd, 0);
	if (fd >= 0)
		mark_shared(fd, 0);
	else
		errno = EADDRINUSE;
	return fd;
}

static void
explain(const struct listener *l, char *why, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	int port, error = errno;
	const char *cure = "correct address or port";

	show_address(&l->wanted, address, &port);
	if (error == EADDRINUSE)
		cure = "stop the program that listens there, or change the "
		       "port";
	else if (error == EACCES)
		cure = "start waybilld as root, or choose a port above 1023";
	snprintf(why, size, "%s \"%s\": %s port %d: %s; %s",
	    l->of_tracker ? "section" : "listen", l->title, address, port,
	    strerror(error), cure);
}

/* Addresses to open, and who had sockets before. */
struct section {
	const struct conf_listen *conf;
	bool of_tracker;
	const struct listeners *old; /* or NULL */
};

static struct listener *
add(struct listeners *all, const struct section *section)
{
	struct listener *grown;

	grown = realloc(all->list, (all->count + 1) * sizeof(*grown));
	if (grown == NULL)
		return NULL;
	all->list = grown;
	grown += all->count;
	memset(grown, 0, sizeof(*grown));
	grown->fd = -1;
	grown->of_tracker = section->of_tracker;
	grown->title = strdup(section->conf->title);
	if (grown->title == NULL)
		return NULL;
	all->count++;
	return grown;
}

/* Open one address of a section; IPv6 is left out where there is none. */
static int
open_one(
    struct listeners *all, const struct section *section, const char *address)
{
	struct listener *l = add(all, section);

	if (l == NULL)
		return -1;
	set_address(&l->wanted, address, section->conf->port);
	l->fd = take_over(find(l, section->old));
	if (l->fd < 0)
		l->fd = bind_address(&l->wanted, false);
	if (l->fd < 0 && errno == EADDRINUSE)
		l->fd = bind_beside(l, section->old);
	return l->fd < 0 ? -1 : 0;
}

static void
remove_last(struct listeners *all)
{
	free(all->list[--all->count].title);
}

/* With port 0, both families of "*" shall have the same port. */
static int
open_any(struct listeners *all, const struct section *section)
{
	const struct conf_listen *conf = section->conf;
	struct sockaddr_storage bound = { 0 };
	socklen_t len = sizeof(bound);
	struct listener *four;
	char address[INET6_ADDRSTRLEN];
	int port;

	if (open_one(all, section, "0.0.0.0") < 0)
		return -1;
	four = &all->list[all->count - 1];
	if (conf->port == 0 &&
	    getsockname(four->fd, (struct sockaddr *)&bound, &len) == 0) {
		struct conf_listen same = *conf;
		struct section bound_too = *section;

		show_address(&bound, address, &port);
		same.port = port;
		bound_too.conf = &same;
		if (open_one(all, &bound_too, "::") == 0)
			return 0;
	} else if (open_one(all, section, "::") == 0) {
		return 0;
	}
	if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
		return -1;
	remove_last(all);
	return 0;
}

/* All addresses of a section; where one fails it is the last of all. */
static int
open_section(struct listeners *all, const struct section *section)
{
	const struct conf_list *addresses = &section->conf->address;

	for (size_t a = 0; a < addresses->count; a++) {
		const char *address = addresses->item[a];

		if ((strcmp(address, "*") == 0
			    ? open_any(all, section)
			    : open_one(all, section, address)) < 0)
			return -1;
	}
	return 0;
}

/* The section track has what a section listen has. */
static int
open_track(
    struct listeners *all, const struct conf *conf, const struct listeners *old)
{
	char title[] = "track";
	const struct conf_listen l = { .title = title,
		.address = conf->track.address,
		.port = conf->track.port };
	const struct section section = { &l, true, old };

	return conf->track_on ? open_section(all, &section) : 0;
}

static bool
is_any(const struct listener *l, int *port)
{
	char address[INET6_ADDRSTRLEN];

	show_address(&l->wanted, address, port);
	return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

/* The listener for any address of the family and at the port of l. */
static const struct listener *
find_any(const struct listener *l, const struct listeners *all)
{
	int port, wanted;

	if (is_any(l, &wanted) || wanted == 0)
		return NULL;
	for (size_t i = 0; i < all->count; i++)
		if (is_any(&all->list[i], &port) && port == wanted &&
		    all->list[i].wanted.ss_family == l->wanted.ss_family)
			return &all->list[i];
	return NULL;
}

/*
 * A socket of before that "*" now covers would go on taking clients, being
 * the more exact, until it is closed, and closing resets those that wait in
 * it: so it stays, for as long as it is covered.
 */
static int
keep_covered(struct listeners *all, const struct listeners *old)
{
	for (size_t i = 0; old != NULL && i < old->count; i++) {
		const struct listener *l = &old->list[i];
		const struct listener *any = find_any(l, all);
		struct conf_listen conf = { .title = NULL };
		struct section section = { &conf, false, NULL };
		struct listener *kept;

		if (any == NULL || find(l, all) != NULL ||
		    all->count >= CLIENTS_SOCKETS_MAX)
			continue;
		conf.title = any->title;
		section.of_tracker = any->of_tracker;
		if ((kept = add(all, &section)) == NULL)
			return -1;
		kept->wanted = l->wanted;
		if ((kept->fd = take_over(l)) == -1)
			return -1;
	}
	return 0;
}

int
listeners_open(struct listeners *all, const struct conf *conf,
    const struct listeners *old, char *why, size_t size)
{
	int status = 0;

	*all = (struct listeners){ 0, NULL };
	for (size_t i = 0; status == 0 && i < conf->listen_count; i++) {
		const struct section section = { &conf->listen[i], false, old };

		status = open_section(all, &section);
	}
	if (status == 0)
		status = open_track(all, conf, old);
	if (status == 0)
		status = keep_covered(all, old);
	if (status == 0)
		return 0;
	if (all->count > 0)
		explain(&all->list[all->count - 1], why, size);
	else
		snprintf(why, size, "no memory");
	listeners_close(all);
	return -1;
}

void
listeners_log(const struct listeners *all)
{
	for (size_t i = 0; i < all->count; i++) {
		struct sockaddr_storage bound = { 0 };
		socklen_t len = sizeof(bound);
		char address[INET6_ADDRSTRLEN] = "";
		struct log_line l;
		int port = 0;

		if (getsockname(
			all->list[i].fd, (struct sockaddr *)&bound, &len) == 0)
			show_address(&bound, address, &port);
		log_begin(&l, LOG_IS_INFO, "listening");
		log_text(&l, "address", address);
		log_number(&l, "port", port);
		log_text(&l, "title", all->list[i].title);
		log_end(&l);
	}
}

void
listeners_close(struct listeners *all)
{
	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].fd >= 0)
			close(all->list[i].fd);
		free(all->list[i].title);
	}
	free(all->list);
	*all = (struct listeners){ 0, NULL };
}
