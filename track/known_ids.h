/*
 * The queue ids that a log has named lately, and what is to be known of each
 * for as long as it means one message. The oldest makes room for the newest.
 */
#ifndef TRACK_KNOWN_IDS_H
#define TRACK_KNOWN_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/wire.h"

/* A recipient of this id, and what it was submitted as. */
struct known_origin {
	struct known_origin *next;
	struct octets recipient;
	struct octets original;
};

struct known_id {
	TAILQ_ENTRY(known_id) age;
	struct known_id *next; /* of the same bucket */
	uint64_t key;
	uint64_t message_id;  /* its key, 0: unknown */
	uint64_t joined_from; /* key of the id before it, 0: none */
	uint64_t born;	      /* when it came to mean this, ms; 0: unknown */
	uint32_t recipients;  /* 0: unknown */
	bool by_filter;	      /* it came from a content filter */
	bool forwarded;	      /* by an alias, to who knows how many */
	bool aliased;	      /* an address of it became another */
	bool passed_on;	      /* it goes on as another id */
	bool ended;
	struct known_origin *origins;
};

struct known_ids;

/* At most max ids; NULL without memory. */
struct known_ids *known_ids_new(size_t max) __attribute__((warn_unused_result));
void known_ids_free(struct known_ids *);

/* A number for host and text that nobody outside can foresee; never 0. */
uint64_t
known_ids_key(const struct known_ids *, struct octets host, struct octets text);

struct known_id *known_ids_find(struct known_ids *, uint64_t key);
/* The same, new if it is not there. */
struct known_id *known_ids_get(struct known_ids *, uint64_t key);

/* It means another message from now on. */
void known_ids_renew(struct known_ids *, struct known_id *);

/*
 * What recipient was submitted as: added (kept silently undone where there is
 * no room: all of them together are bounded), or looked up, empty if unknown.
 */
void known_ids_add_origin(struct known_ids *, struct known_id *,
    struct octets recipient, struct octets original);
struct octets
known_ids_origin(const struct known_id *, struct octets recipient);
void known_ids_drop_origins(struct known_ids *, struct known_id *);

#endif
