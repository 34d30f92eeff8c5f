/*
 * Failed logins by address; see penalties.h. A slot is a key and a word of
 * {failures, when}; workers race on it without a lock, and the worst that
 * comes of it is a failure counted once too few.
 */
#include "proxy/penalties.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "common/clock.h"

enum {
	PENALTIES_FREE = 2, /* failures without a delay */
	PENALTIES_FIRST_MS = 500,
	PENALTIES_NEAR = 8 /* slots that a key may be in */
};

struct penalty {
	_Atomic uint64_t key;
	_Atomic uint64_t failures; /* high half: count; low: seconds */
};

struct penalties {
	struct penalty *slots;
	size_t count;
};

struct penalties *
penalties_open(int fd)
{
	struct penalties *p = calloc(1, sizeof(*p));
	struct stat st;
	void *map;

	if (p == NULL || fstat(fd, &st) == -1)
		goto fail;
	p->count = (size_t)st.st_size / sizeof(struct penalty);
	if (p->count < PENALTIES_NEAR) {
		errno = EINVAL;
		goto fail;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED,
	    fd, 0);
	if (map == MAP_FAILED)
		goto fail;
	p->slots = map;
	return p;
fail:
	free(p);
	return NULL;
}

void
penalties_close(struct penalties *p)
{
	if (p == NULL)
		return;
	munmap(p->slots, p->count * sizeof(*p->slots));
	free(p);
}

static uint32_t
penalties_now(void)
{
	return (uint32_t)(clock_ms() / 1000);
}

/* Seconds since a failure; another worker's may be ahead of our turn's time. */
static uint32_t
penalties_age(uint64_t word, uint32_t now)
{
	int32_t age = (int32_t)(now - (uint32_t)word);

	return age > 0 ? (uint32_t)age : 0;
}

/* Failures that are not yet forgotten. */
static unsigned
penalties_left(uint64_t word, uint32_t now)
{
	unsigned failures = (unsigned)(word >> 32);
	unsigned gone = penalties_age(word, now) / PENALTIES_FORGET_S;

	return gone >= failures ? 0 : failures - gone;
}

static struct penalty *
penalties_find(struct penalties *p, uint64_t key)
{
	size_t i;

	for (i = 0; i < PENALTIES_NEAR; i++) {
		struct penalty *slot = &p->slots[(key + i) % p->count];

		if (atomic_load(&slot->key) == key)
			return slot;
	}
	return NULL;
}

/* The slot nearby that has the least to remember. */
static struct penalty *
penalties_take(struct penalties *p, uint64_t key, uint32_t now)
{
	struct penalty *least = NULL;
	unsigned fewest = 0;
	size_t i;

	for (i = 0; i < PENALTIES_NEAR; i++) {
		struct penalty *slot = &p->slots[(key + i) % p->count];
		unsigned left =
		    penalties_left(atomic_load(&slot->failures), now);

		if (least == NULL || left < fewest) {
			least = slot;
			fewest = left;
		}
	}
	atomic_store(&least->key, key);
	atomic_store(&least->failures, 0);
	return least;
}

unsigned
penalties_fail(struct penalties *p, uint64_t key)
{
	uint32_t now = penalties_now();
	struct penalty *slot = penalties_find(p, key);
	uint64_t old, new;

	if (slot == NULL)
		slot = penalties_take(p, key, now);
	old = atomic_load(&slot->failures);
	do {
		new = ((uint64_t)penalties_left(old, now) + 1) << 32 |
		    ((uint32_t)old + penalties_age(old, now));
	} while (!atomic_compare_exchange_weak(&slot->failures, &old, new));
	return (unsigned)(new >> 32);
}

uint64_t
penalties_delay(struct penalties *p, uint64_t key, uint64_t max_ms)
{
	struct penalty *slot = penalties_find(p, key);
	uint64_t ms = PENALTIES_FIRST_MS;
	unsigned left;

	if (slot == NULL)
		return 0;
	left = penalties_left(atomic_load(&slot->failures), penalties_now());
	if (left <= PENALTIES_FREE)
		return 0;
	for (left -= PENALTIES_FREE + 1; left > 0 && ms < max_ms; left--)
		ms *= 2;
	return ms < max_ms ? ms : max_ms;
}
