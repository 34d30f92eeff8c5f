/*
 * What became of a message, put together from the answers of several servers.
 */
#include "token/track.h"

#include <stdlib.h>
#include <string.h>

#include "common/codec.h"

const struct track_step *
track_row_now(const struct track_row *row)
{
	return &row->steps[row->count - 1];
}

static bool
is_transferred(const struct track_row *row)
{
	return track_row_now(row)->said->action == ACTION_TRANSFERRED;
}

/* Hosts differ in how they write an address. */
static uint32_t
hash_address(const char *address)
{
	uint32_t hash = 2166136261u;

	for (; *address != '\0'; address++) {
		uint8_t c = (uint8_t)*address;

		hash ^= c >= 'A' && c <= 'Z' ? c | 0x20 : c;
		hash *= 16777619u;
	}
	return hash;
}

/* Original-Recipient goes through all hops unchanged (RFC 3461 5.2.1). */
static bool
is_same(const struct track_row *row, const struct report_recipient *r,
    uint32_t hash)
{
	return row->hash == hash &&
	    strcasecmp(row->steps[0].said->original, r->original) == 0;
}

static struct track_row *
add_row(struct track *t)
{
	if (t->count == t->size) {
		size_t size = 2 * t->size + 16;
		struct track_row *grown =
		    realloc(t->rows, size * sizeof(*grown));

		if (grown == NULL)
			return NULL;
		t->rows = grown;
		t->size = size;
	}
	t->rows[t->count] = (struct track_row){ 0 };
	return &t->rows[t->count++];
}

static void
add_step(struct track_row *row, const struct track_step *step)
{
	if (row->count == TRACK_STEPS_MAX)
		row->count--;
	row->steps[row->count++] = *step;
}

/*
 * The row that was passed on and waits for this block, or NULL. Addresses are
 * compared last: whoever lies can make very many of them alike.
 */
static struct track_row *
find_parent(const struct track *t, const struct track_step *step, bool first,
    uint32_t hash)
{
	/* Rows of the first part wait for nothing in it. */
	for (size_t i = 0; i < t->count && t->parts > 1; i++) {
		struct track_row *row = &t->rows[i];

		if (row->hash == hash && row->part != t->parts &&
		    is_transferred(row) &&
		    (first || row->due == step->server) &&
		    is_same(row, step->said, hash))
			return row;
	}
	return NULL;
}

/* The last row that took a block of the same recipient; count for none. */
static size_t
find_split(
    const struct track *t, const struct report_recipient *r, uint32_t hash)
{
	for (size_t i = t->stepped ? t->count : 0; i-- > 0;) {
		const struct track_row *row = &t->rows[i];

		if (row->part == t->parts && row->count > 1 &&
		    is_same(row, r, hash))
			return i;
	}
	return t->count;
}

/*
 * Take one block. A row that was passed on takes it as its next step; a
 * further block of the same recipient is another address that it became.
 */
static int
take_block(struct track *t, const struct track_step *step, bool first)
{
	uint32_t hash = hash_address(step->said->original);
	struct track_row *row, *parent = find_parent(t, step, first, hash);
	size_t split =
	    parent == NULL ? find_split(t, step->said, hash) : t->count;

	if (parent == NULL &&
	    ((split == t->count && !first) ||
		t->count == REPORT_RECIPIENTS_MAX))
		return 0;
	if (parent == NULL) {
		row = add_row(t);
		if (row == NULL)
			return -1;
		if (split + 1 < t->count) {
			*row = t->rows[split];
			row->count--;
			row->shared = row->count;
		}
		parent = row;
	}
	t->stepped |= parent->count > 0;
	parent->hash = hash;
	parent->part = t->parts;
	add_step(parent, step);
	return 0;
}

/* The report has it decoded (RFC 3461 6.3); some add "<>" (RFC 3887 4.1). */
static bool
is_about(const struct report_part *part, const char *envid)
{
	char decoded[ENVID_MAX + 1];
	const char *said = part->envid;
	size_t len = strlen(said);
	long decoded_len;

	if (len >= 2 && said[0] == '<' && said[len - 1] == '>') {
		said++;
		len -= 2;
	}
	if (len == 0)
		return true;
	if (strlen(envid) == len && memcmp(envid, said, len) == 0)
		return true;
	if (strlen(envid) > ENVID_MAX)
		return false;
	decoded_len = codec_xtext_decode(envid, strlen(envid), decoded);
	return decoded_len >= 0 && (size_t)decoded_len == len &&
	    memcmp(decoded, said, len) == 0;
}

int
track_take(
    struct track *t, const struct track_server *server, const char *envid)
{
	bool first = t->servers[0] == server;
	int taken = 0;

	for (size_t i = 0; i < server->report.count; i++) {
		const struct report_part *part = &server->report.parts[i];
		struct track_step step = { .server = server, .part = part };

		if (!is_about(part, envid))
			continue;
		t->parts++;
		taken++;
		for (size_t k = 0; k < part->count; k++) {
			step.said = &part->recipients[k];
			if (take_block(t, &step, first) != 0)
				return -1;
		}
	}
	return taken;
}

enum track_state
track_row_state(const struct track_row *row)
{
	const struct report_recipient *now = track_row_now(row)->said;

	switch (now->action) {
	case ACTION_DELIVERED:
	case ACTION_RELAYED:
		return TRACK_ARRIVED;
	case ACTION_EXPANDED:
		return strstr(now->branches, "waiting") != NULL
		    ? TRACK_UNDER_WAY
		    : TRACK_ARRIVED;
	case ACTION_FAILED:
		return TRACK_FAILED;
	case ACTION_DELAYED:
		return TRACK_UNDER_WAY;
	case ACTION_TRANSFERRED:
		return row->dead_end != NULL && !row->later ? TRACK_UNKNOWN
							    : TRACK_UNDER_WAY;
	default:
		return TRACK_UNKNOWN;
	}
}

enum track_state
track_state(const struct track *t)
{
	size_t count[TRACK_UNKNOWN + 1] = { 0 };

	for (size_t i = 0; i < t->count; i++)
		count[track_row_state(&t->rows[i])]++;
	if (count[TRACK_FAILED] > 0)
		return TRACK_FAILED;
	if (count[TRACK_UNDER_WAY] > 0)
		return TRACK_UNDER_WAY;
	if (count[TRACK_UNKNOWN] > 0 || t->count == 0)
		return TRACK_UNKNOWN;
	return TRACK_ARRIVED;
}

bool
track_row_is_open(const struct track_row *row)
{
	/* Who was told not to follow will not learn more by waiting. */
	if (is_transferred(row) && !row->later)
		return false;
	return track_row_state(row) == TRACK_UNDER_WAY;
}

bool
track_is_open(const struct track *t)
{
	for (size_t i = 0; i < t->count; i++)
		if (track_row_is_open(&t->rows[i]))
			return true;
	return false;
}

void
track_free(struct track *t)
{
	for (size_t i = 0; i < t->server_count; i++) {
		report_free(&t->servers[i]->report);
		free(t->servers[i]);
	}
	free(t->rows);
	*t = (struct track){ 0 };
}
