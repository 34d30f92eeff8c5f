/*
 * Rows of a batch hold as if they had been written in the order they came.
 */
#include "secrets/store.h"
#include "secrets/vault_fixture.h"

enum { MANY = 3000 };

static struct store *store;
static enum store_status submitted;
static char found[64];

static void
on_submitted(void *arg, enum store_status status)
{
	(void)arg;
	submitted = status;
}

static void
on_got(void *arg, enum store_status status, struct octets value)
{
	(void)arg;
	snprintf(found, sizeof(found), "%.*s",
	    status == STORE_OK ? (int)value.len : 4,
	    status == STORE_OK ? (const char *)value.data : "none");
}

static void
submit(struct store_batch *batch)
{
	submitted = STORE_FAILED;
	store_submit(store, batch, on_submitted, NULL);
}

static const char *
value_of(uint32_t family, const char *key)
{
	store_get(store, family, fx_text(key), on_got, NULL);
	return found;
}

static int
open_store(void **state)
{
	struct store_options options;

	if (fx_setup(state) != 0)
		return -1;
	options = (struct store_options){ fx.path, 0 };
	store = store_open(&options, fx.why, sizeof(fx.why));
	return store == NULL ? -1 : 0;
}

static int
close_store(void **state)
{
	store_close(store);
	return fx_teardown(state);
}

static void
the_last_word_about_a_key_holds(void **state)
{
	struct store_batch *b = store_batch_new(store);

	(void)state;
	store_batch_put(b, STORE_META, fx_text("put"), fx_text("first"));
	store_batch_put(b, STORE_META, fx_text("gone"), fx_text("first"));
	store_batch_delete(b, STORE_META, fx_text("back"));
	store_batch_put(b, STORE_META, fx_text("put"), fx_text("last"));
	store_batch_delete(b, STORE_META, fx_text("gone"));
	store_batch_put(b, STORE_META, fx_text("back"), fx_text("last"));
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	assert_string_equal(value_of(STORE_META, "put"), "last");
	assert_string_equal(value_of(STORE_META, "gone"), "none");
	assert_string_equal(value_of(STORE_META, "back"), "last");
}

static void
families_and_keys_that_begin_alike_are_told_apart(void **state)
{
	struct store_batch *b = store_batch_new(store);

	(void)state;
	store_batch_put(b, STORE_ACCOUNTS, fx_text("a"), fx_text("1"));
	store_batch_put(b, STORE_META, fx_text("ab"), fx_text("2"));
	store_batch_put(b, STORE_META, fx_text("a"), fx_text(""));
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	assert_string_equal(value_of(STORE_ACCOUNTS, "a"), "1");
	assert_string_equal(value_of(STORE_META, "a"), "");
	assert_string_equal(value_of(STORE_META, "ab"), "2");
	assert_string_equal(value_of(STORE_ACCOUNTS, "ab"), "none");
}

/* Its memory grows, and serves the next batch without what was in this. */
static void
a_batch_of_many_leaves_nothing_to_the_next(void **state)
{
	struct store_batch *b = store_batch_new(store);
	char key[16];

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%d", i * 7919 % MANY);
		store_batch_put(b, STORE_META, fx_text(key), fx_text(key));
	}
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	for (int i = 0; i < MANY; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_string_equal(value_of(STORE_META, key), key);
	}
	b = store_batch_new(store);
	store_batch_delete(b, STORE_META, fx_text("0"));
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	b = store_batch_new(store);
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	assert_string_equal(value_of(STORE_META, "0"), "none");
	assert_string_equal(value_of(STORE_META, "1"), "1");
}

static void
a_family_that_is_not_there_fails_the_whole(void **state)
{
	struct store_batch *b = store_batch_new(store);

	(void)state;
	store_batch_put(b, STORE_META, fx_text("a"), fx_text("1"));
	store_batch_put(b, STORE_DAY_FIRST + 7, fx_text("a"), fx_text("1"));
	submit(b);
	assert_int_equal(submitted, STORE_FAILED);
	assert_string_equal(value_of(STORE_META, "a"), "none");
	b = store_batch_new(store);
	store_batch_put(b, STORE_META, fx_text("a"), fx_text("2"));
	store_batch_delete(b, STORE_DAY_FIRST + 7, fx_text("a"));
	submit(b);
	assert_int_equal(submitted, STORE_OK);
	assert_string_equal(value_of(STORE_META, "a"), "2");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, open_store, close_store)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_last_word_about_a_key_holds),
		CASE(families_and_keys_that_begin_alike_are_told_apart),
		CASE(a_batch_of_many_leaves_nothing_to_the_next),
		CASE(a_family_that_is_not_there_fails_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
