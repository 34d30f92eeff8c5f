/*
 * The stored events of a message: written, counted, read.
 */
#include "secrets/events.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "common/log.h"

#define VERSION		 1
#define EVENT_OCTETS_MAX 4096 /* all its texts at their longest, and more */

static struct octets
all_of(const struct wire_out *out)
{
	return (struct octets){ out->data, out->len };
}

static int
seal_into(const struct events_of *of, struct octets plain,
    const uint8_t key[RECORD_EVENT_LEN], struct wire_out *value)
{
	uint8_t box[EVENT_OCTETS_MAX + SEAL_OVERHEAD];

	if (plain.len > EVENT_OCTETS_MAX ||
	    seal_close(of->account->seal,
		(struct octets){ key, RECORD_EVENT_LEN }, plain, box) == -1)
		return -1;
	wire_begin(value);
	wire_put_u8(value, VERSION);
	wire_put_raw(value, box, plain.len + SEAL_OVERHEAD);
	return value->failed ? -1 : 0;
}

int
events_put(const struct events_of *of, const struct history_event *event)
{
	struct wire_out plain = { 0 }, value = { 0 };
	uint8_t hash[SEAL_HASH_LEN], key[RECORD_EVENT_LEN];
	int rc = -1;

	wire_begin(&plain);
	history_event_put(&plain, event);
	if (!plain.failed)
		rc = seal_hash(
		    of->account->index, "event", all_of(&plain), hash);
	if (rc == 0) {
		record_event(&of->parts, hash, key);
		rc = seal_into(of, all_of(&plain), key, &value);
	}
	if (rc == 0)
		group_put(&of->vault->group, record_day(of->parts.time),
		    (struct octets){ key, sizeof(key) }, all_of(&value));
	wire_free(&plain);
	wire_free(&value);
	return rc;
}

static struct octets
prefix_of(const struct events_of *of, uint8_t key[RECORD_KEY_LEN])
{
	record_key(&of->parts, key);
	key[0] = RECORD_EVENT;
	return (struct octets){ key, RECORD_KEY_LEN };
}

struct counting {
	events_counted *counted;
	void *arg;
	size_t count;
};

static bool
count_row(void *arg, struct octets key, struct octets value)
{
	struct counting *c = arg;

	(void)key;
	(void)value;
	return ++c->count < EVENTS_MAX;
}

static void
count_done(void *arg, enum store_status status)
{
	struct counting *c = arg;

	c->counted(c->arg, status, c->count);
	free(c);
}

void
events_count(const struct events_of *of, events_counted *counted, void *arg)
{
	struct store_scan scan = { .row = count_row, .done = count_done };
	struct counting *c = calloc(1, sizeof(*c));
	uint8_t key[RECORD_KEY_LEN];

	if (c == NULL) {
		counted(arg, STORE_FAILED, 0);
		return;
	}
	*c = (struct counting){ counted, arg, 0 };
	scan.family = record_day(of->parts.time);
	scan.prefix = prefix_of(of, key);
	scan.arg = c;
	store_scan(of->vault->store, &scan);
}

/* Open a value into memory of its own. NULL: damaged, or no memory. */
static struct event *
event_open(const struct events_of *of, struct octets key, struct octets value)
{
	struct octets box = { value.data + 1, value.len - 1 };
	struct event *e;
	struct wire_in in;
	size_t len;

	if (key.len != RECORD_EVENT_LEN || value.len <= 1 + SEAL_OVERHEAD ||
	    value.data[0] != VERSION)
		return NULL;
	len = box.len - SEAL_OVERHEAD;
	e = calloc(1, sizeof(*e) + len);
	if (e == NULL)
		return NULL;
	memcpy(e->key, key.data, key.len);
	e->len = len;
	if (seal_open(of->account->seal, key, box, e->octets) == 0) {
		wire_read(&in, e->octets, len);
		history_event_get(&in, &e->event);
		if (wire_end(&in) == 0)
			return e;
	}
	free(e);
	return NULL;
}

static bool
read_row(void *arg, struct octets key, struct octets value)
{
	struct events *es = arg;
	struct event *e;

	if (es->count == es->size) {
		size_t size = es->size == 0 ? 16 : 2 * es->size;
		struct event **list =
		    reallocarray(es->list, size, sizeof(*list));

		if (list == NULL) {
			es->failed = true;
			return false;
		}
		es->list = list;
		es->size = size;
	}
	e = event_open(&es->of, key, value);
	if (e == NULL)
		log_error("vault-damaged", "an event cannot be opened");
	else
		es->list[es->count++] = e;
	return es->count < HISTORY_MAX;
}

/*
 * Logs know seconds: of the same time, what is more final came later. The
 * key is last, so that the order is always the same.
 */
static int
by_time(const void *a, const void *b)
{
	const struct event *x = *(const struct event *const *)a;
	const struct event *y = *(const struct event *const *)b;

	if (x->event.time != y->event.time)
		return x->event.time < y->event.time ? -1 : 1;
	if (x->event.action != y->event.action)
		return x->event.action < y->event.action ? -1 : 1;
	return memcmp(x->key, y->key, sizeof(x->key));
}

static void
read_done(void *arg, enum store_status status)
{
	struct events *es = arg;

	if (es->failed)
		status = STORE_FAILED;
	if (es->count != 0)
		qsort(es->list, es->count, sizeof(*es->list), by_time);
	es->done(es->arg, es, status);
}

void
events_read(struct events *es, const struct events_of *of)
{
	struct store_scan scan = { .row = read_row, .done = read_done };
	uint8_t key[RECORD_KEY_LEN];

	es->of = *of;
	scan.family = record_day(of->parts.time);
	scan.prefix = prefix_of(of, key);
	scan.arg = es;
	store_scan(of->vault->store, &scan);
}

struct history_event *
events_plain(const struct events *es)
{
	struct history_event *all = NULL;

	if (es->count != 0)
		all = calloc(es->count, sizeof(*all));
	for (size_t i = 0; all != NULL && i < es->count; i++)
		all[i] = es->list[i]->event;
	return all;
}

void
events_free(struct events *es)
{
	for (size_t i = 0; i < es->count; i++) {
		OPENSSL_cleanse(es->list[i]->octets, es->list[i]->len);
		free(es->list[i]);
	}
	free(es->list);
	es->list = NULL;
	es->count = es->size = 0;
}
