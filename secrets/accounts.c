/*
 * Accounts: numbers, secrets and keys (RFC 5869), sealed by a master key.
 */
#include "secrets/accounts.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/log.h"
#include "secrets/envid.h"

#define VERSION	     1
#define VALUE_LEN    (1 + 8 + MASTERKEY_OVERHEAD + SEAL_KEY_LEN)
#define KEPT_LEAST   65536u
#define KEPT_MOST    1048576u
#define KEPT_OCTETS  256 /* of memory for one with a name of 20 characters */
#define KEPT_SHARE   64	 /* of the machine's memory, one part in so many */
#define FORGIVE_MS   3600000u
#define BOUND_PREFIX "waybill account"

/* A look into the store under way. */
struct look {
	struct accounts *accounts;
	struct accounts_want want;
	char name[ACCOUNT_MAX + 1];
};

/*
 * How many are kept in memory, a power of two. To read one from the store and
 * to open it costs as much as the half of its message does.
 */
static size_t
kept_most(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	size_t most = KEPT_LEAST;
	uint64_t fit;

	if (pages <= 0 || page <= 0)
		return most;
	fit = (uint64_t)pages * (uint64_t)page / KEPT_SHARE / KEPT_OCTETS;
	while (most < KEPT_MOST && most * 2 <= fit)
		most *= 2;
	return most;
}

int
accounts_start(struct accounts *as, struct group *group,
    const struct masterkeys *keys, uint64_t next_number)
{
	size_t most = kept_most();

	memset(as, 0, sizeof(*as));
	TAILQ_INIT(&as->recent);
	/* Pages of it that no account needs yet are not there either. */
	as->chains = calloc(most, sizeof(*as->chains));
	if (as->chains == NULL)
		return -1;
	as->store = group->store;
	as->group = group;
	as->keys = keys;
	as->next_number = next_number;
	as->most = most;
	if (RAND_bytes((unsigned char *)&as->seed, sizeof(as->seed)) != 1)
		as->seed = (uint64_t)(uintptr_t)as;
	return 0;
}

static size_t
chain_of(const struct accounts *as, const char *name)
{
	uint64_t hash = as->seed ^ 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3u;
	return (size_t)(hash >> 20) & (as->most - 1);
}

static struct account *
find(struct accounts *as, const char *name)
{
	struct account *a;

	LIST_FOREACH(a, &as->chains[chain_of(as, name)], chain)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

static void
account_unlink(struct account *a)
{
	LIST_REMOVE(a, chain);
	TAILQ_REMOVE(&a->accounts->recent, a, recent);
	a->accounts->count--;
}

static void
account_wipe(struct account *a)
{
	OPENSSL_cleanse(a, sizeof(*a) + strlen(a->name) + 1);
	free(a);
}

static void
account_drop(struct account *a)
{
	account_unlink(a);
	account_wipe(a);
}

void
accounts_free(struct accounts *as)
{
	struct account *a, *next;

	for (a = TAILQ_FIRST(&as->recent); a != NULL; a = next) {
		next = TAILQ_NEXT(a, recent);
		account_wipe(a);
	}
	TAILQ_INIT(&as->recent);
	free(as->chains);
	as->chains = NULL;
}

/* Forget what was used longest ago and nobody holds. */
static void
make_room(struct accounts *as)
{
	struct account *a, *oldest = NULL;

	TAILQ_FOREACH_REVERSE(a, &as->recent, account_list, recent)
	{
		if (a->held == 0 && a->durable) {
			oldest = a;
			break;
		}
	}
	if (oldest != NULL)
		account_drop(oldest);
}

static struct account *
account_new(struct accounts *as, const char *name, uint64_t number)
{
	size_t len = strnlen(name, ACCOUNT_MAX);
	struct account *a = calloc(1, sizeof(*a) + len + 1);

	if (a == NULL)
		return NULL;
	if (as->count >= as->most)
		make_room(as);
	a->accounts = as;
	memcpy(a->name, name, len);
	a->number = number;
	LIST_INSERT_HEAD(&as->chains[chain_of(as, name)], a, chain);
	TAILQ_INSERT_HEAD(&as->recent, a, recent);
	as->count++;
	return a;
}

/* What the box of a secret is bound to: the account's number and name. */
static struct octets
bound_to(const char *name, uint64_t number,
    uint8_t out[sizeof(BOUND_PREFIX) + 8 + ACCOUNT_MAX])
{
	size_t len = sizeof(BOUND_PREFIX), name_len;

	memcpy(out, BOUND_PREFIX, len);
	for (int shift = 56; shift >= 0; shift -= 8)
		out[len++] = (uint8_t)(number >> shift);
	name_len = strnlen(name, ACCOUNT_MAX);
	memcpy(out + len, name, name_len);
	return (struct octets){ out, len + name_len };
}

static int
keys_derive(struct account *a, const uint8_t secret[SEAL_KEY_LEN])
{
	if (seal_derive(secret, "waybill certify", a->certify,
		sizeof(a->certify)) == -1 ||
	    seal_derive(secret, "waybill seal", a->seal, sizeof(a->seal)) == -1)
		return -1;
	return seal_derive(secret, "waybill index", a->index, sizeof(a->index));
}

static void
made_done(struct group_waiter *w, enum store_status status)
{
	struct account *a = (struct account *)(void *)w;

	a->durable = status == STORE_OK;
	if (a->durable)
		return;
	/* Its secret is not in the store: whoever asks next starts anew. */
	account_unlink(a);
	a->lost = true;
	if (a->held == 0)
		account_wipe(a);
}

static void
value_put(struct accounts *as, struct account *a, const uint8_t *value)
{
	struct octets key = { (const uint8_t *)a->name, strlen(a->name) };
	struct octets next_key = { (const uint8_t *)ACCOUNTS_NEXT_KEY,
		strlen(ACCOUNTS_NEXT_KEY) };
	uint8_t next[8];

	for (int i = 0; i < 8; i++)
		next[i] = (uint8_t)(as->next_number >> (56 - 8 * i));
	group_put(as->group, STORE_ACCOUNTS, key,
	    (struct octets){ value, VALUE_LEN });
	group_put(as->group, STORE_META, next_key,
	    (struct octets){ next, sizeof(next) });
	accounts_put_number(as->group, a->number, a->name);
	a->made.done = made_done;
	group_wait(as->group, &a->made);
}

/* Draw a new account and put it into the present group. */
static struct account *
account_make(struct accounts *as, const char *name)
{
	uint8_t with_octets[sizeof(BOUND_PREFIX) + 8 + ACCOUNT_MAX];
	uint8_t secret[SEAL_KEY_LEN], value[VALUE_LEN];
	struct octets with;
	struct account *a;
	int rc = -1;

	if (as->next_number > ENVID_ACCOUNT_MAX)
		return NULL;
	a = account_new(as, name, as->next_number);
	if (a == NULL)
		return NULL;
	with = bound_to(a->name, a->number, with_octets);
	value[0] = VERSION;
	for (int i = 0; i < 8; i++)
		value[1 + i] = (uint8_t)(a->number >> (56 - 8 * i));
	if (RAND_bytes(secret, sizeof(secret)) == 1 &&
	    masterkeys_close(as->keys, with,
		(struct octets){ secret, sizeof(secret) }, value + 9) == 0)
		rc = keys_derive(a, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == -1) {
		account_drop(a);
		return NULL;
	}
	as->next_number++;
	value_put(as, a, value);
	return a;
}

/* Open what the store holds about name. */
static struct account *
account_open(struct accounts *as, const char *name, struct octets value)
{
	uint8_t with_octets[sizeof(BOUND_PREFIX) + 8 + ACCOUNT_MAX];
	uint8_t secret[SEAL_KEY_LEN];
	struct octets with, box;
	struct account *a;
	uint64_t number = 0;
	int rc;

	if (value.len != VALUE_LEN || value.data[0] != VERSION)
		return NULL;
	for (int i = 0; i < 8; i++)
		number = number << 8 | value.data[1 + i];
	a = account_new(as, name, number);
	if (a == NULL)
		return NULL;
	a->durable = true;
	with = bound_to(a->name, number, with_octets);
	box = (struct octets){ value.data + 9, value.len - 9 };
	rc = masterkeys_open(as->keys, with, box, secret);
	if (rc == 0)
		rc = keys_derive(a, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == 0)
		return a;
	account_drop(a);
	return NULL;
}

static void
give(const struct accounts_want *want, struct account *a,
    enum store_status status)
{
	if (a != NULL) {
		a->held++;
		status = STORE_OK;
	}
	want->found(want->arg, a, status);
}

static void
looked(void *arg, enum store_status status, struct octets value)
{
	struct look *look = arg;
	struct accounts *as = look->accounts;
	struct account *a = find(as, look->name);

	if (a == NULL && status == STORE_OK) {
		a = account_open(as, look->name, value);
		if (a == NULL) {
			log_error("vault-damaged",
			    "the secret of an account cannot be opened");
			status = STORE_DAMAGED;
		}
	} else if (a == NULL && status == STORE_NOT_FOUND && look->want.make) {
		a = account_make(as, look->name);
		if (a == NULL)
			status = STORE_FAILED;
	}
	give(&look->want, a, status);
	free(look);
}

void
accounts_want(struct accounts *as, const struct accounts_want *want)
{
	struct account *a = find(as, want->name);
	struct octets key;
	struct look *look;

	if (a != NULL) {
		TAILQ_REMOVE(&as->recent, a, recent);
		TAILQ_INSERT_HEAD(&as->recent, a, recent);
		give(want, a, STORE_OK);
		return;
	}
	look = calloc(1, sizeof(*look));
	if (look == NULL) {
		give(want, NULL, STORE_FAILED);
		return;
	}
	look->accounts = as;
	look->want = *want;
	memcpy(look->name, want->name, strnlen(want->name, ACCOUNT_MAX));
	look->want.name = look->name;
	key.data = (const uint8_t *)look->name;
	key.len = strlen(look->name);
	store_get(as->store, STORE_ACCOUNTS, key, looked, look);
}

void
accounts_release(struct account *a)
{
	if (a == NULL)
		return;
	a->held--;
	if (a->lost && a->held == 0)
		account_wipe(a);
}

bool
accounts_begin(struct account *a, uint32_t limit, uint64_t now)
{
	uint64_t each = FORGIVE_MS / limit + 1, forgiven;

	if (a->unfinished == 0 || now < a->forgiven_at)
		a->forgiven_at = now;
	forgiven = (now - a->forgiven_at) / each;
	a->forgiven_at += forgiven * each;
	a->unfinished -=
	    forgiven < a->unfinished ? (uint32_t)forgiven : a->unfinished;
	if (a->unfinished >= limit)
		return false;
	a->unfinished++;
	return true;
}

void
accounts_ended(struct account *a)
{
	if (a->unfinished > 0)
		a->unfinished--;
}
