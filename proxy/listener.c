/*
 * Accepting mail clients; see listener.h.
 */
#include "proxy/listener.h"

#include <stdio.h>

#include "common/child.h"
#include "common/clients.h"
#include "proxy/session.h"
#include "proxy/worker.h"

static void
listener_on_starttls(void *arg, int fd, const struct sockaddr_storage *peer)
{
	session_start(arg, fd, peer, false);
}

static void
listener_on_implicit(void *arg, int fd, const struct sockaddr_storage *peer)
{
	session_start(arg, fd, peer, true);
}

void
listener_take(struct worker *w, struct child_start *start)
{
	char name[CHILD_NAME_MAX + 1];
	size_t i;
	int fd;

	for (i = 0; i < w->conf->listen_count; i++) {
		const struct conf_listen *conf = &w->conf->listen[i];

		snprintf(name, sizeof(name), "listen.%s", conf->title);
		while ((fd = child_take_fd(start, name)) != -1)
			clients_listen(w->base, fd,
			    conf->tls == CONF_LISTEN_IMPLICIT
				? listener_on_implicit
				: listener_on_starttls,
			    w);
	}
}

void
listener_begin(struct worker *w)
{
	if (!w->draining)
		clients_begin();
}

void
listener_stop(void)
{
	clients_stop();
}
