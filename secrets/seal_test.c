/*
 * Certifiers against known vectors; boxes that open for nobody else; master
 * keys that are made, found and refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "secrets/certifier.h"
#include "secrets/masterkeys.h"
#include "secrets/record.h"
#include "secrets/seal.h"

static void
certifiers_are_as_known(void **state)
{
	static const struct {
		uint8_t secret[16];
		size_t len;
		const char *certifier;
	} table[] = {
		{ { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 }, 16,
		    "VheLhqV/rCKJmplkGFwsyW59pYk" },
		{ { [15] = 0x17 }, 16, "eD72e8cRib6kzdkkE9IFMiKt+FA" },
		{ "abcdefgh", 8, "QlrxKgdDUCsyLpOgFbz4aOMk1Wo" },
		{ "abcdefgh\n", 9, "5BSvcWHJVUCJ9BBtbxeX7xSnNmY" },
	};
	uint8_t most[128], certifier[CERTIFIER_LEN];
	char text[CERTIFIER_TEXT + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		assert_int_equal(
		    certifier_of(table[i].secret, table[i].len, certifier), 0);
		certifier_text(certifier, text);
		assert_string_equal(text, table[i].certifier);
	}
	for (size_t i = 0; i < sizeof(most); i++)
		most[i] = (uint8_t)i;
	assert_int_equal(certifier_of(most, sizeof(most), certifier), 0);
	certifier_text(certifier, text);
	assert_string_equal(text, "5kNLxAH5hgPX7aUEeQyYxnOF1TU");
}

static void
no_certifier_of_ours_has_a_plus(void **state)
{
	const uint8_t key[CERTIFIER_KEY_LEN] = { 1 };
	uint8_t handle[HANDLE_LEN] = { 0 };
	uint8_t a[CERTIFIER_SECRET_LEN], b[CERTIFIER_SECRET_LEN];
	uint8_t certifier[CERTIFIER_LEN], again[CERTIFIER_LEN];
	char text[CERTIFIER_TEXT + 1];

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		handle[0] = (uint8_t)i;
		handle[1] = (uint8_t)(i >> 8);
		assert_int_equal(
		    certifier_derive(key, handle, a, certifier), 0);
		certifier_text(certifier, text);
		assert_null(strchr(text, '+'));
		assert_int_equal(certifier_derive(key, handle, b, again), 0);
		assert_memory_equal(a, b, sizeof(a));
		assert_memory_equal(certifier, again, sizeof(again));
		assert_int_equal(certifier_draw(b, again), 0);
		certifier_text(again, text);
		assert_null(strchr(text, '+'));
		assert_memory_not_equal(a, b, sizeof(a));
	}
}

static struct octets
text_octets(const char *s)
{
	return (struct octets){ (const uint8_t *)s, strlen(s) };
}

static void
a_box_opens_only_whole_with_its_key_and_bond(void **state)
{
	uint8_t key[SEAL_KEY_LEN] = { 1 };
	struct octets plain = text_octets("the secret"),
		      with = text_octets("a");
	uint8_t box[10 + SEAL_OVERHEAD], out[10];
	struct octets sealed = { box, sizeof(box) };

	(void)state;
	assert_int_equal(seal_close(key, with, plain, box), 0);
	assert_int_equal(seal_open(key, with, sealed, out), 0);
	assert_memory_equal(out, "the secret", 10);
	for (size_t i = 0; i < sizeof(box); i++) {
		box[i] ^= 1;
		assert_int_equal(seal_open(key, with, sealed, out), -1);
		assert_int_equal(out[0] | out[9], 0);
		box[i] ^= 1;
	}
	assert_int_equal(seal_open(key, text_octets("b"), sealed, out), -1);
	key[31] = 1;
	assert_int_equal(seal_open(key, with, sealed, out), -1);
	sealed.len = SEAL_OVERHEAD - 1;
	assert_int_equal(seal_open(key, with, sealed, out), -1);
}

static void
a_record_opens_only_in_its_place(void **state)
{
	const uint8_t key[SEAL_KEY_LEN] = { 2 }, other[SEAL_KEY_LEN] = { 3 };
	struct envid_parts p = { 1790000000000, 9, 1, 17, ENVID_RANDOM };
	uint8_t handle[HANDLE_LEN] = { 4 }, moved[HANDLE_LEN] = { 5 };
	struct record in = { .settled = true,
		.secret = text_octets("A"),
		.claim = { 1790000000123, 1790000000007 },
		.body = text_octets("body") };
	struct record r;
	struct wire_out value = { 0 }, plain = { 0 };
	struct record_sealed s = { handle, p, { NULL, 0 } };
	enum envid_kind kind;

	(void)state;
	assert_int_equal(record_close(key, handle, &p, &in, &value), 0);
	s.value = (struct octets){ value.data, value.len };
	assert_int_equal(record_kind(s.value, &kind), 0);
	assert_int_equal(kind, ENVID_RANDOM);
	assert_int_equal(record_open(key, &s, &r, &plain), 0);
	assert_true(r.settled);
	assert_int_equal(r.secret.len, 1);
	assert_memory_equal(r.body.data, "body", 4);
	assert_int_equal(r.claim.claimed, 1790000000123);
	assert_int_equal(r.claim.since, 1790000000007);
	assert_int_equal(record_open(other, &s, &r, &plain), -1);
	s.handle = moved;
	assert_int_equal(record_open(key, &s, &r, &plain), -1);
	s.handle = handle;
	s.parts.counter++;
	assert_int_equal(record_open(key, &s, &r, &plain), -1);
	s.parts = p;
	s.value.len--;
	assert_int_equal(record_open(key, &s, &r, &plain), -1);
	wire_free(&value);
	wire_free(&plain);
}

/* As older vaults have them: version 1, kind, and a box without claim. */
static void
a_record_of_an_older_vault_opens(void **state)
{
	const uint8_t key[SEAL_KEY_LEN] = { 2 };
	const uint8_t plain[] = { 1, 0, 0, 0, 1, 'A', 'b', 'o', 'd', 'y' };
	struct envid_parts p = { 1790000000000, 9, 1, 17, ENVID_DERIVED };
	uint8_t with[RECORD_KEY_LEN + HANDLE_LEN], handle[HANDLE_LEN] = { 4 };
	uint8_t value[2 + sizeof(plain) + SEAL_OVERHEAD] = { 1, 0 };
	struct record_sealed s = { handle, p, { value, sizeof(value) } };
	struct wire_out opened = { 0 };
	struct record r;

	(void)state;
	record_key(&p, with);
	memcpy(with + RECORD_KEY_LEN, handle, HANDLE_LEN);
	assert_int_equal(
	    seal_close(key, (struct octets){ with, sizeof(with) },
		(struct octets){ plain, sizeof(plain) }, value + 2),
	    0);
	assert_int_equal(record_open(key, &s, &r, &opened), 0);
	assert_true(r.settled);
	assert_int_equal(r.claim.claimed, 0);
	assert_int_equal(r.body.len, 4);
	assert_memory_equal(r.body.data, "body", 4);
	value[0] = 3;
	assert_int_equal(record_open(key, &s, &r, &opened), -1);
	wire_free(&opened);
}

static char dir[64];

static int
dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/waybill-keys-XXXXXX");
	return mkdtemp(dir) == NULL ? -1 : 0;
}

static int
dir_remove(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void
key_file(const char *name, size_t len, mode_t mode, uint8_t fill)
{
	uint8_t octets[64];
	char path[256];
	FILE *f;

	memset(octets, fill, sizeof(octets));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(octets, 1, len, f), len);
	fclose(f);
	chmod(path, mode);
}

static void
a_key_made_is_read_again(void **state)
{
	struct masterkeys keys;
	char why[512], path[128];
	uint8_t box[4 + MASTERKEY_OVERHEAD], out[4];
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/keys", dir);
	assert_int_equal(masterkeys_read(&keys, path, why, sizeof(why)), 0);
	assert_int_equal(keys.count, 0);
	assert_int_equal(
	    masterkeys_make(path, 1790000000000, why, sizeof(why)), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(masterkeys_read(&keys, path, why, sizeof(why)), 0);
	assert_int_equal(keys.count, 1);
	assert_int_equal(
	    masterkeys_close(&keys, text_octets("x"), text_octets("abcd"), box),
	    0);
	assert_int_equal(masterkeys_open(&keys, text_octets("x"),
			     (struct octets){ box, sizeof(box) }, out),
	    0);
	assert_memory_equal(out, "abcd", 4);
	masterkeys_free(&keys);
}

/* Two keepers that start at once, on a vault that is new. */
static void
a_key_is_never_made_over_another(void **state)
{
	struct masterkeys first, second;
	char why[256];

	(void)state;
	assert_int_equal(masterkeys_make(dir, 1790000000000, why, 256), 0);
	assert_int_equal(masterkeys_read(&first, dir, why, 256), 0);
	assert_int_equal(masterkeys_make(dir, 1790000000000, why, 256), -1);
	assert_non_null(strstr(why, ".key: "));
	assert_int_equal(masterkeys_read(&second, dir, why, 256), 0);
	assert_int_equal(second.count, 1);
	assert_memory_equal(first.key->id, second.key->id, MASTERKEY_ID_LEN);
	masterkeys_free(&first);
	masterkeys_free(&second);
}

static void
the_last_name_is_the_newest_and_all_open(void **state)
{
	struct masterkeys keys;
	uint8_t box[4 + MASTERKEY_OVERHEAD], out[4];
	char why[512];

	(void)state;
	key_file("b", 32, 0400, 2);
	assert_int_equal(masterkeys_read(&keys, dir, why, sizeof(why)), 0);
	assert_int_equal(
	    masterkeys_close(&keys, text_octets("x"), text_octets("abcd"), box),
	    0);
	masterkeys_free(&keys);
	key_file("a", 32, 0600, 1);
	key_file("c", 32, 0600, 3);
	key_file(".hidden", 5, 0644, 3);
	assert_int_equal(masterkeys_read(&keys, dir, why, sizeof(why)), 0);
	assert_int_equal(keys.count, 3);
	assert_string_equal(masterkeys_newest(&keys)->name, "c");
	assert_int_equal(masterkeys_open(&keys, text_octets("x"),
			     (struct octets){ box, sizeof(box) }, out),
	    0);
	masterkeys_free(&keys);
}

static void
a_bad_key_file_is_named(void **state)
{
	static const struct {
		size_t len;
		mode_t mode;
		const char *why;
	} table[] = {
		{ 31, 0600, "32 octets" },
		{ 33, 0600, "32 octets" },
		{ 0, 0600, "32 octets" },
		{ 32, 0640, "chmod 600" },
		{ 32, 0604, "chmod 600" },
	};
	struct masterkeys keys;
	char why[512];

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		key_file("good", 32, 0600, 1);
		key_file("bad", table[i].len, table[i].mode, 2);
		assert_int_equal(
		    masterkeys_read(&keys, dir, why, sizeof(why)), -1);
		assert_non_null(strstr(why, "/bad: "));
		assert_non_null(strstr(why, table[i].why));
		assert_int_equal(keys.count, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certifiers_are_as_known),
		cmocka_unit_test(no_certifier_of_ours_has_a_plus),
		cmocka_unit_test(a_box_opens_only_whole_with_its_key_and_bond),
		cmocka_unit_test(a_record_opens_only_in_its_place),
		cmocka_unit_test(a_record_of_an_older_vault_opens),
		cmocka_unit_test_setup_teardown(
		    a_key_made_is_read_again, dir_make, dir_remove),
		cmocka_unit_test_setup_teardown(
		    a_key_is_never_made_over_another, dir_make, dir_remove),
		cmocka_unit_test_setup_teardown(
		    the_last_name_is_the_newest_and_all_open, dir_make,
		    dir_remove),
		cmocka_unit_test_setup_teardown(
		    a_bad_key_file_is_named, dir_make, dir_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
