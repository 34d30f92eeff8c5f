/*
 * Generations: made from a configuration, released with their last process.
 */
#include "daemon/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conf/conf.h"
#include "daemon/secret_file.h"

enum { TLS_TICKET_KEYS_LEN = 80 };

static int
open_log(const struct conf *conf)
{
	if (conf->log.target != CONF_LOG_FILE)
		return -1;
	return open(conf->log.file,
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
	    0640);
}

static int
open_files(struct generation *g, char *why, size_t size)
{
	const struct conf *c = g->conf;

	g->log = open_log(c);
	if (g->log < 0 && c->log.target == CONF_LOG_FILE) {
		snprintf(why, size,
		    "log file %s cannot be opened: %s; make "
		    "its directory, or correct file",
		    c->log.file, strerror(errno));
		return -1;
	}
	g->certificate = secret_file_copy("certificate", c->tls.certificate);
	if (g->certificate < 0) {
		snprintf(why, size, "certificate %s: %s", c->tls.certificate,
		    strerror(errno));
		return -1;
	}
	g->key = secret_file_copy("key", c->tls.key);
	if (g->key < 0) {
		snprintf(why, size, "key %s: %s", c->tls.key, strerror(errno));
		return -1;
	}
	g->ticket_keys =
	    secret_file_random("tls-ticket-keys", TLS_TICKET_KEYS_LEN);
	g->snapshot = conf_snapshot_write(c);
	if (g->ticket_keys < 0 || g->snapshot < 0) {
		snprintf(why, size, "memfd: %s", strerror(errno));
		return -1;
	}
	return 0;
}

/* What the tracker shows beside the certificate of all. */
static int
open_track_certificates(struct generation *g, char *why, size_t size)
{
	const struct conf_list *files = &g->conf->track.certificates;

	if (!g->conf->track_on || files->count == 0)
		return 0;
	g->track_certificates =
	    calloc(files->count, sizeof(*g->track_certificates));
	if (g->track_certificates == NULL) {
		snprintf(why, size, "no memory");
		return -1;
	}
	for (size_t i = 0; i < files->count; i++) {
		int fd = secret_file_copy("track-certificate", files->item[i]);

		if (fd < 0) {
			snprintf(why, size, "certificates %s: %s",
			    files->item[i], strerror(errno));
			return -1;
		}
		g->track_certificates[g->track_certificate_count++] = fd;
	}
	return 0;
}

struct generation *
generation_new(struct conf *conf, uint32_t number, const struct generation *old,
    char *why, size_t size)
{
	struct generation *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		conf_free(conf);
		snprintf(why, size, "no memory");
		return NULL;
	}
	g->number = number;
	g->users = 1;
	g->conf = conf;
	g->snapshot = g->certificate = g->key = g->ticket_keys = g->log = -1;
	if (identities_find(conf, g->identities, why, size) < 0 ||
	    open_files(g, why, size) < 0 ||
	    open_track_certificates(g, why, size) < 0 ||
	    listeners_open(&g->listeners, conf,
		old != NULL ? &old->listeners : NULL, why, size) < 0) {
		generation_release(g);
		return NULL;
	}
	return g;
}

struct generation *
generation_hold(struct generation *g)
{
	g->users++;
	return g;
}

void
generation_stop_listening(struct generation *g)
{
	listeners_close(&g->listeners);
}

static void
close_if_open(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
generation_release(struct generation *g)
{
	if (--g->users > 0)
		return;
	listeners_close(&g->listeners);
	close_if_open(g->snapshot);
	close_if_open(g->certificate);
	close_if_open(g->key);
	close_if_open(g->ticket_keys);
	close_if_open(g->log);
	for (size_t i = 0; i < g->track_certificate_count; i++)
		close(g->track_certificates[i]);
	free(g->track_certificates);
	conf_free(g->conf);
	free(g);
}

struct fd_list {
	size_t count;
	struct child_fd *fds;
};

static void
give(struct fd_list *list, const char *name, int fd)
{
	struct child_fd *c;

	if (fd < 0 || list->count == CHILD_FDS_MAX)
		return;
	c = &list->fds[list->count++];
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->fd = fd;
}

static void
give_listeners(
    struct fd_list *list, const struct listeners *all, bool of_tracker)
{
	char name[CHILD_NAME_MAX + 1];

	for (size_t i = 0; i < all->count; i++) {
		if (all->list[i].of_tracker != of_tracker)
			continue;
		snprintf(name, sizeof(name), "listen.%s", all->list[i].title);
		give(list, name, all->list[i].fd);
	}
}

static void
give_track_certificates(struct fd_list *list, const struct generation *g)
{
	char name[CHILD_NAME_MAX + 1];

	for (size_t i = 0; i < g->track_certificate_count; i++) {
		snprintf(name, sizeof(name), "track-certificate.%zu", i);
		give(list, name, g->track_certificates[i]);
	}
}

size_t
generation_fds(const struct generation *g, const struct lasting *lasting,
    enum role role, struct child_fd fds[CHILD_FDS_MAX])
{
	struct fd_list list = { 0, fds };

	give(&list, "lock", lasting->children_lock);
	give(&list, "snapshot", g->snapshot);
	give(&list, "log", g->log);
	switch (role) {
	case ROLE_KEEPER:
		give(&list, "ticket-key", lasting->ticket_key);
		give(&list, "door.keeper.proxy", lasting->door_keeper);
		give(&list, "door.keeper.feed", lasting->door_feed);
		give(&list, "door.keeper.tracker", lasting->door_tracker);
		break;
	case ROLE_AUTH:
		give(&list, "ticket-key", lasting->ticket_key);
		give(&list, "door.auth", lasting->door_auth);
		break;
	case ROLE_PROXY:
		give(&list, "tls-ticket-keys", g->ticket_keys);
		give(&list, "tls-certificate", g->certificate);
		give(&list, "tls-key", g->key);
		give(&list, "penalties", lasting->penalties);
		give_listeners(&list, &g->listeners, false);
		break;
	case ROLE_TRACK:
		give(&list, "tls-certificate", g->certificate);
		give(&list, "tls-key", g->key);
		give_track_certificates(&list, g);
		give_listeners(&list, &g->listeners, true);
		break;
	case ROLE_FEED:
		break;
	case ROLE_COUNT:
		break;
	}
	return list.count;
}
