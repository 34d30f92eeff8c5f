/*
 * Probing the MSA; see probe.h.
 */
#include "proxy/probe.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "proxy/caps.h"
#include "proxy/msa.h"
#include "proxy/worker.h"

enum { PROBE_RETRY_MS = 1000 }; /* until the MSA has answered once */

struct probe {
	struct worker *w;
	struct event *timer;
	struct msa *msa; /* the probe under way, or NULL */
	bool failing;
};

static void
probe_in(struct probe *p, int64_t ms)
{
	struct timeval tv = { (time_t)(ms / 1000),
		(suseconds_t)(ms % 1000) * 1000 };

	evtimer_add(p->timer, &tv);
}

static void
probe_log(const struct msa_caps *caps)
{
	static const char *const names[] = {
#define X(name, keyword) keyword,
		CAPS_LIST(X)
#undef X
	};
	char list[512] = "";
	struct log_line l;
	unsigned i;

	for (i = 0; i < CAPS_COUNT; i++) {
		if ((caps->mask & 1u << i) == 0)
			continue;
		if (list[0] != '\0')
			strcat(list, " ");
		strcat(list, names[i]);
	}
	log_begin(&l, LOG_IS_INFO, "msa_capabilities");
	log_text(&l, "offers", list);
	log_number(&l, "size", (int64_t)caps->size);
	log_end(&l);
}

void
probe_note(struct worker *w, const struct msa_caps *caps)
{
	if (w->caps_known && ehlo_same_caps(&w->caps, caps))
		return;
	w->caps = *caps;
	w->caps_known = true;
	probe_log(caps);
}

static void
probe_on_msa(void *arg, enum msa_event event)
{
	struct probe *p = arg;

	if (event == MSA_READY) {
		if (p->failing)
			log_info("msa_up", "the MSA answers again");
		p->failing = false;
		probe_note(p->w, msa_announced(p->msa));
		msa_quit(p->msa);
	} else if (event == MSA_LOST || event == MSA_LATE) {
		if (!p->failing)
			log_warning("msa_down", "%s", msa_trouble(p->msa));
		p->failing = true;
		msa_drop(p->msa);
	} else {
		return;
	}
	p->msa = NULL;
	probe_in(p,
	    p->w->caps_known ? p->w->conf->msa.probe_interval : PROBE_RETRY_MS);
}

static void
probe_on_timer(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;

	(void)fd;
	(void)what;
	p->msa = msa_dial(p->w, NULL, probe_on_msa, p);
	if (p->msa == NULL)
		probe_in(p, PROBE_RETRY_MS);
}

struct probe *
probe_start(struct worker *w)
{
	struct probe *p = calloc(1, sizeof(*p));

	if (p == NULL ||
	    (p->timer = evtimer_new(w->base, probe_on_timer, p)) == NULL)
		fatal("out of memory");
	p->w = w;
	probe_in(p, 0);
	return p;
}

void
probe_stop(struct probe *p)
{
	if (p == NULL)
		return;
	if (p->msa != NULL)
		msa_drop(p->msa);
	event_free(p->timer);
	free(p);
}
