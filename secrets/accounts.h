/*
 * Accounts: a name and its number, the account's secret and the three keys
 * that come from it, and how many messages it began without ending them.
 */
#ifndef SECRETS_ACCOUNTS_H
#define SECRETS_ACCOUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/ticket.h"
#include "secrets/group.h"
#include "secrets/masterkeys.h"
#include "secrets/seal.h"

struct account {
	struct group_waiter made; /* first: tells that it is durable */
	TAILQ_ENTRY(account) recent;
	LIST_ENTRY(account) chain;
	struct accounts *accounts;
	uint64_t number;
	uint8_t certify[SEAL_KEY_LEN]; /* draws A */
	uint8_t seal[SEAL_KEY_LEN];    /* seals records */
	uint8_t index[SEAL_KEY_LEN];   /* hashes events */
	bool durable;		       /* nothing of it may leave before */
	bool lost;		       /* could not be written */
	unsigned held;		       /* by questions under way */
	unsigned slow;		       /* listings and searches under way */
	uint32_t unfinished;	       /* begun, not ended, not yet forgiven */
	uint64_t forgiven_at;	       /* ms: when the last one was */
	char name[];
};

struct accounts {
	struct store *store;
	struct group *group;
	const struct masterkeys *keys;
	uint64_t next_number;
	size_t count;
	size_t most;		       /* kept in memory; a power of two */
	uint64_t seed;		       /* of the chains' hash */
	LIST_HEAD(, account) * chains; /* as many as most */
	TAILQ_HEAD(account_list, account) recent; /* used last at the head */
};

/*
 * next_number: 1 in a new vault, else as it was written to STORE_META. From
 * 65,536 to 1,048,576 accounts are kept in memory, as many as fit into a 64th
 * of the machine's at 256 octets each. Returns 0, or -1 without memory.
 */
int accounts_start(struct accounts *, struct group *, const struct masterkeys *,
    uint64_t next_number) __attribute__((warn_unused_result));
/* Wipe all; nobody may hold one. */
void accounts_free(struct accounts *);

/* In STORE_META: a name by this and its number, a big-endian u64. */
#define ACCOUNTS_NUMBER_PREFIX "account/"

/* The key of next_number in STORE_META, a big-endian u64. */
#define ACCOUNTS_NEXT_KEY "next-account"

/*
 * Find the account of name, in memory or in the store; with make, one that
 * is not there is drawn and put into the present group: it is durable when
 * that is. found gets an account that it holds until accounts_release(), or
 * NULL with STORE_NOT_FOUND or what else went wrong; perhaps before this
 * returns.
 */
typedef void accounts_found(void *arg, struct account *, enum store_status);
struct accounts_want {
	const char *name; /* copied */
	bool make;
	accounts_found *found;
	void *arg;
};
void accounts_want(struct accounts *, const struct accounts_want *);
/* The same by number: want's name and make are not looked at. */
void accounts_want_number(
    struct accounts *, uint64_t number, const struct accounts_want *);
/* Put the name of number into the present group. */
void accounts_put_number(struct group *, uint64_t number, const char *name);
/*
 * Put those of all accounts of a vault from before names were kept by number.
 * Returns 0, or -1 where they cannot be read; everything completes at once.
 */
int accounts_put_numbers(struct group *);
void accounts_release(struct account *);

/*
 * Begin a message: at most limit may be unfinished. accounts_ended() takes
 * one back; time does, too, all of them within an hour. now in ms. Returns
 * whether it may begin.
 */
bool accounts_begin(struct account *, uint32_t limit, uint64_t now);
void accounts_ended(struct account *);

#endif
