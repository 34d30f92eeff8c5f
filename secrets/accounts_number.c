/*
 * Accounts by number: whoever asks with an ENVID or a queue id knows no name.
 */
#include <stdlib.h>
#include <string.h>

#include "secrets/accounts.h"

#define PREFIX_LEN (sizeof(ACCOUNTS_NUMBER_PREFIX) - 1)
#define KEY_LEN	   (PREFIX_LEN + 8)

/* A look for a name under way. */
struct look {
	struct accounts *accounts;
	struct accounts_want want;
	uint64_t number;
};

static struct octets
key_of(uint64_t number, uint8_t out[KEY_LEN])
{
	memcpy(out, ACCOUNTS_NUMBER_PREFIX, PREFIX_LEN);
	for (size_t i = 0; i < 8; i++)
		out[PREFIX_LEN + i] = (uint8_t)(number >> (56 - 8 * i));
	return (struct octets){ out, KEY_LEN };
}

void
accounts_put_number(struct group *g, uint64_t number, const char *name)
{
	uint8_t key[KEY_LEN];

	group_put(g, STORE_META, key_of(number, key),
	    (struct octets){ (const uint8_t *)name, strlen(name) });
}

static void
number_known(void *arg, struct account *a, enum store_status status)
{
	struct look *look = arg;

	if (a != NULL && a->number != look->number) {
		accounts_release(a);
		a = NULL;
		status = STORE_NOT_FOUND;
	}
	look->want.found(look->want.arg, a, status);
	free(look);
}

static void
name_known(void *arg, enum store_status status, struct octets value)
{
	struct look *look = arg;
	struct accounts_want want = { NULL, false, number_known, look };
	char name[ACCOUNT_MAX + 1];

	if (status == STORE_OK && value.len > ACCOUNT_MAX)
		status = STORE_DAMAGED;
	if (status != STORE_OK) {
		number_known(look, NULL, status);
		return;
	}
	memcpy(name, value.data, value.len);
	name[value.len] = '\0';
	want.name = name;
	accounts_want(look->accounts, &want);
}

void
accounts_want_number(
    struct accounts *as, uint64_t number, const struct accounts_want *want)
{
	struct look *look = calloc(1, sizeof(*look));
	uint8_t key[KEY_LEN];

	if (look == NULL) {
		want->found(want->arg, NULL, STORE_FAILED);
		return;
	}
	*look = (struct look){ as, *want, number };
	store_get(as->store, STORE_META, key_of(number, key), name_known, look);
}

struct all {
	struct group *group;
	enum store_status status;
};

static bool
all_row(void *arg, struct octets key, struct octets value)
{
	struct all *all = arg;
	char name[ACCOUNT_MAX + 1];
	uint64_t number = 0;

	if (key.len > ACCOUNT_MAX || value.len < 9)
		return true;
	memcpy(name, key.data, key.len);
	name[key.len] = '\0';
	for (size_t i = 1; i < 9; i++)
		number = number << 8 | value.data[i];
	accounts_put_number(all->group, number, name);
	return true;
}

static void
all_done(void *arg, enum store_status status)
{
	struct all *all = arg;

	all->status = status;
}

int
accounts_put_numbers(struct group *g)
{
	struct all all = { g, STORE_FAILED };
	struct store_scan scan = { .family = STORE_ACCOUNTS,
		.prefix = { (const uint8_t *)"", 0 },
		.row = all_row,
		.done = all_done,
		.arg = &all };

	store_scan(g->store, &scan);
	return all.status == STORE_OK ? 0 : -1;
}
