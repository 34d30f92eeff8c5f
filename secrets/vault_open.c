/*
 * Opening the vault: master keys against the fingerprints it holds, its own
 * secret, the time it has reached; and closing it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "common/codec.h"
#include "common/log.h"
#include "secrets/vault_inside.h"

#define FORMAT	      "2" /* records have claims; "1" is read */
#define MASTER_PREFIX "master/"
#define NUMBERS_DONE  "accounts-by-number"
#define SECRET_KEY    "vault-secret"
#define SECRET_BOUND  "waybill vault secret"

/* What is read of STORE_META at the start, when every call completes. */
struct fact {
	bool answered;
	enum store_status status;
	size_t len;
	uint8_t value[256];
};

struct opening {
	struct vault *vault;
	char *why;
	size_t size;
	unsigned masters; /* fingerprints in the vault */
	bool missing;	  /* one of them has no key */
};

static struct octets
text(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static void
fact_got(void *arg, enum store_status status, struct octets value)
{
	struct fact *f = arg;

	f->answered = true;
	f->status = status;
	if (status != STORE_OK)
		return;
	f->len = value.len;
	if (value.len > sizeof(f->value))
		f->status = STORE_DAMAGED;
	else
		memcpy(f->value, value.data, value.len);
}

/* Returns 1 with the value, 0 where there is none, or -1 with why. */
static int
fact_get(struct opening *o, const char *name, struct fact *f)
{
	memset(f, 0, sizeof(*f));
	store_get(o->vault->store, STORE_META, text(name), fact_got, f);
	if (f->answered && f->status == STORE_OK)
		return 1;
	if (f->answered && f->status == STORE_NOT_FOUND)
		return 0;
	snprintf(o->why, o->size,
	    "the vault's \"%s\" cannot be read; nothing was changed: see the "
	    "line before, and restore the vault from a copy",
	    name);
	return -1;
}

static bool
master_row(void *arg, struct octets key, struct octets value)
{
	struct opening *o = arg;
	size_t skip = strlen(MASTER_PREFIX);
	char hex[2 * MASTERKEY_ID_LEN + 1];

	if (key.len != skip + MASTERKEY_ID_LEN)
		return true;
	o->masters++;
	if (masterkeys_find(&o->vault->keys, key.data + skip) != NULL)
		return true;
	o->missing = true;
	codec_hex_encode(key.data + skip, MASTERKEY_ID_LEN, hex);
	snprintf(o->why, o->size,
	    "master key \"%.*s\" (fingerprint %s) is missing, and the vault "
	    "needs it; nothing was changed: put it back",
	    (int)value.len, (const char *)value.data, hex);
	return false;
}

static void
masters_done(void *arg, enum store_status status)
{
	struct opening *o = arg;

	if (status == STORE_OK)
		return;
	o->missing = true;
	snprintf(o->why, o->size,
	    "the fingerprints of the master keys cannot be read");
}

/* Every key that the vault was sealed by must be here. */
static int
masters_check(struct opening *o)
{
	struct store_scan scan = { .family = STORE_META,
		.prefix = text(MASTER_PREFIX),
		.row = master_row,
		.done = masters_done,
		.arg = o };

	store_scan(o->vault->store, &scan);
	return o->missing ? -1 : 0;
}

/* The newest key is about to seal, in this format: both are needed now. */
void
vault_put_facts(struct vault *v)
{
	const struct masterkey *k = masterkeys_newest(&v->keys);
	uint8_t key[sizeof(MASTER_PREFIX) + MASTERKEY_ID_LEN];
	size_t len = strlen(MASTER_PREFIX);

	memcpy(key, MASTER_PREFIX, len);
	memcpy(key + len, k->id, MASTERKEY_ID_LEN);
	group_put(&v->group, STORE_META,
	    (struct octets){ key, len + MASTERKEY_ID_LEN }, text(k->name));
	group_put(&v->group, STORE_META, text("format"), text(FORMAT));
}

/* From the vault's own secret come the key of ENVIDs and that of indexes. */
static int
secret_use(struct vault *v, const uint8_t secret[SEAL_KEY_LEN])
{
	uint8_t key[ENVID_KEY_LEN];
	int rc = -1;

	if (seal_derive(secret, "waybill envid", key, sizeof(key)) == 0 &&
	    seal_derive(secret, "waybill vault index", v->index_key,
		sizeof(v->index_key)) == 0) {
		v->cipher = envid_cipher_new(key);
		rc = v->cipher != NULL ? 0 : -1;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return rc;
}

static int
secret_make(struct opening *o)
{
	uint8_t secret[SEAL_KEY_LEN], box[SEAL_KEY_LEN + MASTERKEY_OVERHEAD];
	struct vault *v = o->vault;
	int rc = -1;

	if (RAND_bytes(secret, sizeof(secret)) == 1 &&
	    masterkeys_close(&v->keys, text(SECRET_BOUND),
		(struct octets){ secret, sizeof(secret) }, box) == 0)
		rc = secret_use(v, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == -1) {
		snprintf(o->why, o->size, "no random octets or no AES");
		return -1;
	}
	group_put(&v->group, STORE_META, text(SECRET_KEY),
	    (struct octets){ box, sizeof(box) });
	return 0;
}

static int
secret_open(struct opening *o, const struct fact *f)
{
	uint8_t secret[sizeof(f->value)];
	struct vault *v = o->vault;
	int rc = -1;

	if (f->len == SEAL_KEY_LEN + MASTERKEY_OVERHEAD &&
	    masterkeys_open(&v->keys, text(SECRET_BOUND),
		(struct octets){ f->value, f->len }, secret) == 0)
		rc = secret_use(v, secret);
	OPENSSL_cleanse(secret, sizeof(secret));
	if (rc == -1)
		snprintf(o->why, o->size,
		    "the vault's secret cannot be opened by its master key; "
		    "nothing was changed: restore key and vault from one copy");
	return rc;
}

static uint64_t
number_of(const struct fact *f)
{
	uint64_t number = 0;

	for (size_t i = 0; i < 8 && i < f->len; i++)
		number = number << 8 | f->value[i];
	return number;
}

/* Names of accounts are kept by number, too; older vaults had none of it. */
static int
numbers_ready(struct opening *o)
{
	struct fact done;
	int has = fact_get(o, NUMBERS_DONE, &done);

	if (has == 1)
		return 0;
	if (has == -1 || accounts_put_numbers(&o->vault->group) == -1) {
		snprintf(o->why, o->size, "the accounts cannot be read");
		return -1;
	}
	group_put(&o->vault->group, STORE_META, text(NUMBERS_DONE), text("1"));
	return 0;
}

/* Time and numbers go on where an earlier run may have come to. */
static int
progress_read(struct opening *o)
{
	struct vault *v = o->vault;
	struct fact next, clock, node, claims;
	int has_next = fact_get(o, ACCOUNTS_NEXT_KEY, &next);
	int has_clock = fact_get(o, "clock", &clock);
	int has_node = fact_get(o, "node", &node);
	int has_claims = fact_get(o, CLAIMS_KEPT_KEY, &claims);

	if (has_next == -1 || has_clock == -1 || has_node == -1 ||
	    has_claims == -1)
		return -1;
	if (has_claims == 1)
		v->claims.state = CLAIMS_KEPT;
	if (has_node == 1 && node.len == 2)
		v->node = (uint16_t)(node.value[0] << 8 | node.value[1]);
	if (accounts_start(&v->accounts, &v->group, &v->keys,
		has_next == 1 ? number_of(&next) : 1) == -1) {
		snprintf(o->why, o->size, "no memory");
		return -1;
	}
	if (numbers_ready(o) == -1)
		return -1;
	timeline_start(&v->timeline, has_clock == 1 ? number_of(&clock) : 0,
	    has_clock == 1 && clock.len == 9 && clock.value[8] == 1,
	    vault_now(v));
	return 0;
}

struct first_commit {
	struct group_waiter waiter; /* first */
	bool answered;
	enum store_status status;
};

static void
first_done(struct group_waiter *w, enum store_status status)
{
	struct first_commit *c = (struct first_commit *)(void *)w;

	c->answered = true;
	c->status = status;
}

/* What was put so far, durable before anything is served. */
static int
first_commit(struct opening *o)
{
	struct first_commit c = { .waiter.done = first_done };

	vault_reserve(o->vault);
	group_wait(&o->vault->group, &c.waiter);
	group_commit(&o->vault->group, true);
	if (c.answered && c.status == STORE_OK)
		return 0;
	snprintf(o->why, o->size,
	    c.status == STORE_FULL
		? "a new vault cannot be made: less than vault.min_free is "
		  "free on its disk"
		: "the vault cannot be written");
	return -1;
}

static int
meta_read(struct opening *o)
{
	struct fact format, secret;
	int has_format = fact_get(o, "format", &format);
	int has_secret = fact_get(o, SECRET_KEY, &secret);
	size_t days;

	if (has_format == -1 || has_secret == -1 || masters_check(o) == -1)
		return -1;
	if (has_format == 1 &&
	    (format.len != 1 || format.value[0] > FORMAT[0])) {
		snprintf(o->why, o->size,
		    "the vault was written by a newer Waybill; use that one");
		return -1;
	}
	store_days(o->vault->store, &days);
	if (has_secret == 0 && (has_format == 1 || days != 0)) {
		snprintf(o->why, o->size,
		    "the vault has lost its secret; nothing was changed: "
		    "restore it from a copy");
		return -1;
	}
	if (masterkeys_newest(&o->vault->keys) == NULL) {
		snprintf(o->why, o->size,
		    "there is no master key, but the vault's directory is not "
		    "empty; nothing was changed: put the keys back");
		return -1;
	}
	vault_put_facts(o->vault);
	if ((has_secret == 1 ? secret_open(o, &secret) : secret_make(o)) == -1)
		return -1;
	return progress_read(o);
}

/* A disk that is not mounted, or was lost, looks like a new vault. */
static int
empty_may_be_new(struct opening *o, const struct vault_settings *set)
{
	if (masterkeys_are_used(set->keys)) {
		snprintf(o->why, o->size,
		    "%s is empty, but a vault was made with the keys in %s; "
		    "nothing was changed: mount its disk, or restore the vault "
		    "from a copy. If it is lost for good, remove %s/.used: a "
		    "new one is made then, and what became of earlier messages "
		    "stays unknown",
		    set->path, set->keys, set->keys);
		return -1;
	}
	log_warning("vault-new",
	    "%s is empty, and a new vault is made there with the keys in %s: "
	    "if those are another vault's, stop now, empty the directory and "
	    "mount or restore that one",
	    set->path, set->keys);
	return 0;
}

/* A key is made by itself only where there is nothing it could not open. */
static int
keys_ready(struct opening *o, const struct vault_settings *set)
{
	struct masterkeys *keys = &o->vault->keys;

	if (masterkeys_read(keys, set->keys, o->why, o->size) == -1)
		return -1;
	if (!store_is_empty(set->path))
		return 0;
	if (keys->count != 0)
		return empty_may_be_new(o, set);
	if (masterkeys_make(set->keys, vault_now(o->vault), o->why, o->size) ==
	    -1)
		return -1;
	log_info("master-key",
	    "a new master key was made in %s: keep a copy of it apart from "
	    "the vault",
	    set->keys);
	return masterkeys_read(keys, set->keys, o->why, o->size);
}

static int
open_all(struct opening *o, const struct vault_settings *set)
{
	struct store_options options = { set->path, set->min_free };
	struct vault *v = o->vault;

	if (keys_ready(o, set) == -1)
		return -1;
	v->store = store_open(&options, o->why, o->size);
	if (v->store == NULL)
		return -1;
	group_start(&v->group, v->store);
	if (meta_read(o) == -1)
		return -1;
	/* An old vault is served on a full disk, too. */
	if (store_is_writable(v->store) || v->timeline.reserved == 0)
		return first_commit(o);
	v->facts_due = true;
	return 0;
}

void
vault_set(struct vault *v, const struct vault_settings *set)
{
	envid_fqhn(set->hostname, v->fqhn);
	v->retention = set->retention;
	v->queue_lifetime = set->queue_lifetime;
	v->mints_unfinished = set->mints_unfinished;
	v->random = set->random;
	v->remember_message_id = set->remember_message_id;
	v->remember_recipients = set->remember_recipients;
	v->remember_subject = set->remember_subject;
	store_set_min_free(v->store, set->min_free);
}

struct vault *
vault_open(const struct vault_settings *set, const struct vault_owner *owner,
    char *why, size_t size)
{
	struct vault *v = calloc(1, sizeof(*v));
	struct opening o = { .vault = v, .why = why, .size = size };

	if (v == NULL ||
	    (v->tickets = tickets_new(owner->ticket_key)) == NULL) {
		snprintf(why, size, "no memory");
		free(v);
		return NULL;
	}
	v->owner = *owner;
	v->writable = true;
	TAILQ_INIT(&v->slow);
	TAILQ_INIT(&v->feeds);
	described_start(v);
	if (open_all(&o, set) == 0) {
		masterkeys_mark_used(set->keys);
	} else {
		store_batch_free(v->group.batch);
		vault_close(v);
		return NULL;
	}
	vault_set(v, set);
	v->open = true;
	vault_hour(v);
	vault_commit(v);
	return v;
}

/* No time above this one was given: the next run need not skip any. */
static void
leave_clock(struct vault *v)
{
	uint64_t now = vault_now(v);

	timeline_watch(&v->timeline, now);
	vault_put_clock(v, now > v->timeline.time ? now : v->timeline.time);
	group_commit(&v->group, true);
}

void
vault_close(struct vault *v)
{
	if (v == NULL)
		return;
	if (v->open) {
		claims_stop(v);
		described_write(v, 0, UINT64_MAX);
		leave_clock(v);
		do
			vault_commit(v);
		while (vault_slices(v));
	}
	described_free(v);
	if (v->accounts.store != NULL)
		accounts_free(&v->accounts);
	store_close(v->store);
	envid_cipher_free(v->cipher);
	masterkeys_free(&v->keys);
	tickets_free(v->tickets);
	OPENSSL_cleanse(v, sizeof(*v));
	free(v);
}
