/*
 * The master keys: a directory of files of 32 octets, the newest of which (by
 * name) seals while all of them open. The vault knows them by fingerprint.
 */
#ifndef SECRETS_MASTERKEYS_H
#define SECRETS_MASTERKEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/wire.h"
#include "secrets/seal.h"

enum { MASTERKEY_ID_LEN = 16, MASTERKEY_NAME_MAX = 255 };

/* What a box sealed by a master key takes beside its plain octets. */
#define MASTERKEY_OVERHEAD (MASTERKEY_ID_LEN + SEAL_OVERHEAD)

struct masterkey {
	char name[MASTERKEY_NAME_MAX + 1]; /* of its file */
	uint8_t id[MASTERKEY_ID_LEN];	   /* its fingerprint */
	uint8_t key[SEAL_KEY_LEN];
};

struct masterkeys {
	struct masterkey *key; /* in the order of their names */
	size_t count;
};

/*
 * Read every file of dir whose name does not begin with a dot, or, where
 * there is none, the credentials of systemd named "waybill-master*". A file
 * of another length, or that others may read, is an error. Returns 0, with
 * count 0 where there are no keys, or -1 with the reason and its cure in why.
 */
int
masterkeys_read(struct masterkeys *, const char *dir, char *why, size_t size);

/*
 * Draw a new key into dir (made where it is missing), named after now (ms
 * since 1970), durable with its directory. Returns 0, or -1 with why.
 */
int masterkeys_make(const char *dir, uint64_t now, char *why, size_t size);

/*
 * A mark beside the keys says that a vault was made with them, so that an
 * empty directory in that one's place is not taken for a new one. It is left
 * out where dir cannot be written, as with systemd's credentials.
 */
bool masterkeys_are_used(const char *dir);
void masterkeys_mark_used(const char *dir);

/* The key that seals, or NULL without any; the one of that id, or NULL. */
const struct masterkey *masterkeys_newest(const struct masterkeys *);
const struct masterkey *
masterkeys_find(const struct masterkeys *, const uint8_t id[MASTERKEY_ID_LEN]);

/*
 * Seal plain by the newest key: out takes plain.len + MASTERKEY_OVERHEAD.
 * Open such a box: out takes box.len - MASTERKEY_OVERHEAD. Return 0 or -1.
 */
int masterkeys_close(const struct masterkeys *, struct octets with,
    struct octets plain, uint8_t *out) __attribute__((warn_unused_result));
int masterkeys_open(const struct masterkeys *, struct octets with,
    struct octets box, uint8_t *out) __attribute__((warn_unused_result));

/* Wipe and give back. */
void masterkeys_free(struct masterkeys *);

#endif
