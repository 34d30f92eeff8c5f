/*
 * From the lines of a log to steps of messages: puts TLS to the delivery it
 * belongs to, follows a message through a content filter and through aliases,
 * and forgets a queue id when it has ended.
 */
#include "track/log_join.h"

#include <stdlib.h>

#include "track/known_ids.h"
#include "track/scan.h"
#include "track/tls_lines.h"

enum {
	IDS_DEFAULT = 65536,
	REPLY_MS = 3600000 /* a filter's is not awaited for longer */
};

struct log_join {
	struct known_ids *ids;
	struct tls_lines *tls;
	const char *const *filters;
	log_join_step *step;
	void *arg;
};

struct log_join *
log_join_new(
    const struct log_join_options *options, log_join_step *step, void *arg)
{
	struct log_join *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return NULL;
	j->ids = known_ids_new(options->ids > 0 ? options->ids : IDS_DEFAULT);
	j->tls = tls_lines_new();
	j->filters = options->filters;
	j->step = step;
	j->arg = arg;
	if (j->ids == NULL || j->tls == NULL) {
		log_join_free(j);
		return NULL;
	}
	return j;
}

void
log_join_free(struct log_join *j)
{
	if (j == NULL)
		return;
	known_ids_free(j->ids);
	tls_lines_free(j->tls);
	free(j);
}

static bool
is_named(const struct log_join *j, struct octets filter)
{
	for (size_t i = 0; j->filters != NULL && j->filters[i] != NULL; i++)
		if (scan_is(filter, j->filters[i]))
			return true;
	return false;
}

/* Is the other end a content filter: this machine, or one that is named? */
static bool
is_filter(const struct log_join *j, struct octets peer)
{
	if (peer.len == 0)
		return false;
	return is_named(j, peer) || scan_is(peer, "local") ||
	    scan_is(peer, "::1") ||
	    (peer.len > 4 && memcmp(peer.data, "127.", 4) == 0) ||
	    memchr(peer.data, '/', peer.len) != NULL;
}

static uint64_t
id_key(const struct log_join *j, const struct log_event *event)
{
	return known_ids_key(j->ids, event->host, event->queue_id);
}

static void
emit(struct log_join *j, enum log_kind kind, const struct log_event *event)
{
	struct log_event step = *event;

	step.kind = kind;
	j->step(j->arg, &step);
}

static void
emit_end(
    struct log_join *j, struct octets queue_id, const struct log_event *event)
{
	struct log_event step = { .host = event->host,
		.queue_id = queue_id,
		.status = {
		    .time = event->status.time, .source = SOURCE_LOG } };

	emit(j, LOGGED_END, &step);
}

/* RFC 3886 3.3.3: expanded, if an alias leads to several. */
static void
emit_expanded(struct log_join *j, struct known_id *id, struct octets queue_id,
    const struct log_event *event)
{
	id->forwarded = false;
	if (id->recipients < 2)
		return;
	for (struct known_origin *o = id->origins; o != NULL; o = o->next) {
		struct log_event step = { .host = event->host,
			.queue_id = queue_id,
			.status = { .time = event->status.time,
			    .source = SOURCE_LOG,
			    .action = ACTION_EXPANDED,
			    .status = "2.0.0",
			    .recipient = o->recipient } };

		if (o->original.len != o->recipient.len ||
		    memcmp(o->original.data, o->recipient.data,
			o->original.len) != 0)
			step.status.original = o->original;
		emit(j, LOGGED_STATUS, &step);
	}
}

static void
add_born(struct log_join *j, const struct log_event *event)
{
	struct known_id *id = known_ids_get(j->ids, id_key(j, event));

	if (event->peer.len > 0 || id->ended)
		known_ids_renew(j->ids, id);
	if (id->born == 0)
		id->born = event->status.time;
	if (event->peer.len > 0)
		id->by_filter = is_filter(j, event->peer);
	if (event->message_id.len > 0)
		id->message_id =
		    known_ids_key(j->ids, event->host, event->message_id);
	if (event->recipients > 0) {
		id->recipients = event->recipients;
		if (id->forwarded)
			emit_expanded(j, id, event->queue_id, event);
	}
}

static uint64_t
process_key(const struct log_join *j, const struct log_event *event)
{
	return known_ids_key(j->ids, event->host,
	    (struct octets){
		(const uint8_t *)&event->pid, sizeof(event->pid) });
}

static void
add_tls(struct log_join *j, const struct log_event *event)
{
	tls_lines_keep(j->tls, process_key(j, event),
	    known_ids_key(j->ids, event->host, event->relay),
	    event->status.tls);
}

static void
find_tls(struct log_join *j, uint64_t key, struct log_event *event)
{
	if (event->pid != 0 && event->relay.len > 0 &&
	    event->status.tls.len == 0)
		event->status.tls =
		    tls_lines_find(j->tls, process_key(j, event),
			known_ids_key(j->ids, event->host, event->relay), key);
}

/* What it was submitted as, before any alias and any filter. */
static void
find_original(const struct known_id *id, struct history_event *status)
{
	struct octets original;

	if (id == NULL || id->origins == NULL)
		return;
	original = known_ids_origin(id,
	    status->original.len > 0 ? status->original : status->recipient);
	if (original.len > 0)
		status->original = original;
}

/*
 * Does the id that a next hop names mean the same message here? The next hop
 * has to be a filter, which gave it back to us under that id; another server
 * may name whatever it likes.
 */
static bool
is_same_message(const struct log_join *j, const struct log_event *event,
    const struct known_id *id, const struct known_id *next)
{
	uint64_t key = id_key(j, event);

	return is_filter(j, event->peer) && next != NULL && next->by_filter &&
	    next->key != key &&
	    (next->joined_from == 0 || next->joined_from == key) &&
	    (id == NULL || id->message_id == 0 || next->message_id == 0 ||
		id->message_id == next->message_id);
}

/*
 * A filter answers after it gave the message back, and the next id may have
 * got far by then: it means the message since it was born, and what was said
 * of it lacks the original of each recipient, which each join tells.
 */
static void
emit_join(struct log_join *j, struct known_id *next, uint64_t from,
    const struct log_event *event)
{
	struct known_id *id = known_ids_find(j->ids, from);
	struct log_event join = *event;
	bool again = next->joined_from == from;

	if (id != NULL)
		id->passed_on = true;
	if (again && event->status.original.len == 0)
		return;
	next->joined_from = from;
	if (next->born < join.status.time &&
	    join.status.time - next->born <= REPLY_MS)
		join.status.time = next->born;
	emit(j, LOGGED_JOIN, &join);
	if (!again && next->forwarded && next->recipients > 0)
		emit_expanded(j, next, event->next_id, event);
	if (next->ended)
		emit_end(j, event->next_id, event);
}

static void
follow_alias(struct log_join *j, uint64_t from, const struct log_event *event)
{
	const struct history_event *s = &event->status;
	struct known_id *next = known_ids_get(
	    j->ids, known_ids_key(j->ids, event->host, event->next_id));

	next->forwarded = true;
	known_ids_add_origin(j->ids, next, s->recipient,
	    s->original.len > 0 ? s->original : s->recipient);
	emit_join(j, next, from, event);
}

static void
add_status(struct log_join *j, const struct log_event *given)
{
	struct log_event event = *given;
	uint64_t key = id_key(j, &event);
	struct known_id *id = known_ids_find(j->ids, key), *next;

	if (id != NULL && event.status.original.len > 0)
		id->aliased = true;
	find_original(id, &event.status);
	find_tls(j, key, &event);
	if (event.next_id.len == 0) {
		/* A program that is a filter: nobody says where it went. */
		if (event.status.action == ACTION_DELIVERED &&
		    is_named(j, event.relay))
			event.status.action = ACTION_OPAQUE;
		emit(j, LOGGED_STATUS, &event);
		return;
	}
	if (event.forwarded) {
		follow_alias(j, key, &event);
		return;
	}
	next = known_ids_find(
	    j->ids, known_ids_key(j->ids, event.host, event.next_id));
	if (!is_same_message(j, &event, id, next)) {
		event.next_id.len = 0;
		emit(j, LOGGED_STATUS, &event);
		return;
	}
	known_ids_add_origin(
	    j->ids, next, event.status.recipient, event.status.original);
	emit_join(j, next, key, &event);
}

static void
end_id(struct log_join *j, struct known_id *id)
{
	if (id == NULL)
		return;
	id->ended = true;
	known_ids_drop_origins(j->ids, id);
}

/* The log itself says that an id goes on as another. */
static void
add_join(struct log_join *j, const struct log_event *event)
{
	uint64_t key = id_key(j, event);
	struct known_id *id = known_ids_find(j->ids, key);
	struct known_id *next = known_ids_get(
	    j->ids, known_ids_key(j->ids, event->host, event->next_id));

	if (next == id)
		return;
	/* Making room for the one may have taken the other. */
	id = known_ids_find(j->ids, key);
	if (id != NULL)
		for (struct known_origin *o = id->origins; o != NULL;
		     o = o->next)
			known_ids_add_origin(
			    j->ids, next, o->recipient, o->original);
	emit_join(j, next, key, event);
	if (event->requeued) {
		emit_end(j, event->queue_id, event);
		end_id(j, id);
	}
}

/*
 * The MSA has done with the message, but where addresses became others it
 * may not have named each of them: who still waits will not hear more. What
 * is a part of a message does not tell that of the whole.
 */
static bool
leaves_unnamed(const struct known_id *id, const struct log_event *event)
{
	return event->unnamed && id != NULL && id->aliased && !id->passed_on &&
	    id->joined_from == 0;
}

static void
add_end(struct log_join *j, const struct log_event *event)
{
	struct known_id *id = known_ids_find(j->ids, id_key(j, event));

	if (event->status.action != ACTION_OPAQUE || leaves_unnamed(id, event))
		emit(j, LOGGED_STATUS, event);
	emit_end(j, event->queue_id, event);
	end_id(j, id);
}

static void
add_nothing(struct log_join *j, const struct log_event *event)
{
	(void)j;
	(void)event;
}

void
log_join_add(struct log_join *j, const struct log_event *event)
{
	static void (*const by_kind[])(
	    struct log_join *, const struct log_event *) = {
		[LOGGED_NOTHING] = add_nothing,
		[LOGGED_BORN] = add_born,
		[LOGGED_STATUS] = add_status,
		[LOGGED_TLS] = add_tls,
		[LOGGED_JOIN] = add_join,
		[LOGGED_END] = add_end,
	};

	by_kind[event->kind](j, event);
}
