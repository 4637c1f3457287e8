/* Unsaved items in memory, compared with a plain list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "item_table.h"

static void put(struct item_table *table, const char *key, uint32_t line,
		uint32_t gen, const char *payload)
{
	assert_int_equal(
		item_table_put(table, (const uint8_t *)key, strlen(key),
			       (struct item_version){ line, gen },
			       (const uint8_t *)payload, strlen(payload)),
		0);
}

static const struct item *find(const struct item_table *table,
			       const struct line_path *path, const char *key)
{
	return item_table_find(table, path, (const uint8_t *)key, strlen(key));
}

static bool is(const struct item *item, const char *key, const char *payload)
{
	return item && item->key_bytes == strlen(key) &&
	       memcmp(item->bytes, key, strlen(key)) == 0 &&
	       item->payload_bytes == strlen(payload) &&
	       memcmp(item_payload(item), payload, strlen(payload)) == 0;
}

/* Line 1 up to gen 5, then line 3 up to gen 9. */
static struct line_path *make_path(void)
{
	struct line_path *path =
		calloc(1, sizeof(*path) + 2 * sizeof(path->level[0]));

	assert_non_null(path);
	path->count = 2;
	path->level[0] = (struct line_limit){ 1, 5 };
	path->level[1] = (struct line_limit){ 3, 9 };
	return path;
}

static void test_a_put_replaces_what_has_its_version(void **state)
{
	struct item_table table = { 0 };
	struct line_path *path = make_path();
	size_t empty_bytes;

	(void)state;
	put(&table, "key", 1, 1, "");
	empty_bytes = table.memory_bytes;
	put(&table, "key", 1, 1, "long payload");
	assert_int_equal(table.count, 1);
	assert_int_equal(table.memory_bytes, empty_bytes + 12);
	assert_true(is(find(&table, path, "key"), "key", "long payload"));
	put(&table, "key", 1, 1, "");
	assert_int_equal(table.memory_bytes, empty_bytes);
	assert_true(is(find(&table, path, "key"), "key", ""));
	item_table_fini(&table);
	assert_int_equal(table.count, 0);
	assert_int_equal(table.memory_bytes, 0);
	free(path);
}

static void test_a_path_sees_its_newest_version_only(void **state)
{
	struct item_table table = { 0 };
	struct line_path *path = make_path();

	(void)state;
	put(&table, "key", 1, 6, "too new"); /* the path left at 5 */
	put(&table, "key", 2, 7, "another line");
	put(&table, "key", 3, 10, "too new");
	put(&table, "ke", 3, 8, "another key");
	put(&table, "keys", 3, 8, "another key");
	assert_null(find(&table, path, "key"));
	put(&table, "key", 1, 2, "first");
	assert_true(is(find(&table, path, "key"), "key", "first"));
	put(&table, "key", 1, 5, "second");
	assert_true(is(find(&table, path, "key"), "key", "second"));
	put(&table, "key", 3, 9, "");
	assert_true(is(find(&table, path, "key"), "key", ""));
	item_table_fini(&table);
	free(path);
}

static void test_next_generation_is_of_the_key_and_line(void **state)
{
	struct item_table table = { 0 };
	const uint8_t *key = (const uint8_t *)"key";

	(void)state;
	assert_int_equal(item_table_next_gen(&table, key, 3, 1, 0), UINT32_MAX);
	put(&table, "key", 1, 4, "");
	put(&table, "key", 1, 8, "");
	put(&table, "key", 2, 6, "");
	put(&table, "keys", 1, 9, "");
	assert_int_equal(item_table_next_gen(&table, key, 3, 1, 0), 4);
	assert_int_equal(item_table_next_gen(&table, key, 3, 1, 4), 4);
	assert_int_equal(item_table_next_gen(&table, key, 3, 1, 5), 8);
	assert_int_equal(item_table_next_gen(&table, key, 3, 1, 9), UINT32_MAX);
	assert_int_equal(item_table_next_gen(&table, key, 3, 2, 0), 6);
	assert_int_equal(item_table_next_gen(&table, key, 3, 3, 0), UINT32_MAX);
	assert_int_equal(item_table_next_gen(&table, key, 2, 1, 0), UINT32_MAX);
	item_table_fini(&table);
}

static void test_walking_goes_by_key_then_line_then_generation(void **state)
{
	static const char *const order[] = { "1", "2", "3", "4", "5", "6" };
	struct item_table table = { 0 };
	const struct item *item;
	size_t i = 0;

	(void)state;
	put(&table, "b", 1, 1, "6");
	put(&table, "a", 2, 1, "3");
	put(&table, "a", 1, 9, "2");
	put(&table, "a\001", 1, 1, "4");
	put(&table, "ab", 1, 1, "5");
	put(&table, "a", 1, 3, "1");
	for (item = item_table_first(&table); item;
	     item = item_table_after(item), i++)
		assert_memory_equal(item_payload(item), order[i], 1);
	assert_int_equal(i, 6);
	item_table_fini(&table);
	assert_null(item_table_first(&table));
}

/* All keys of one and two letters, each with some versions. */
static void fill(struct item_table *table, char keys[30][3], size_t *count)
{
	static const char letters[] = "abcde";
	size_t i, j;

	for (i = 0; i < 5; i++)
		for (j = 0; j < 6; j++) {
			char *key = keys[(*count)++];

			snprintf(key, 3, "%c%.1s", letters[i],
				 j ? &letters[j - 1] : "");
			put(table, key, 1, 6, "unseen");
			if (rand() % 2)
				put(table, key, 1, 1 + (uint32_t)rand() % 5,
				    key);
			if (rand() % 2)
				put(table, key, 3, 8, key);
		}
}

static void test_next_finds_the_keys_that_find_finds(void **state)
{
	struct line_path *path = make_path();
	unsigned round;

	(void)state;
	srand(1);
	for (round = 0; round < 50; round++) {
		struct item_table table = { 0 };
		char keys[30][3];
		size_t count = 0, i;
		const struct item *at;
		uint8_t prefix = (uint8_t)("abcde"[rand() % 5]);

		fill(&table, keys, &count); /* in their order */
		at = item_table_next(&table, path, &prefix, 1, 1);
		for (i = 0; i < count; i++) {
			if (keys[i][0] != (char)prefix || !keys[i][1] ||
			    !find(&table, path, keys[i]))
				continue;
			assert_true(at == find(&table, path, keys[i]));
			at = item_table_next(&table, path, at->bytes,
					     at->key_bytes, 1);
		}
		assert_null(at);
		item_table_fini(&table);
	}
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_put_replaces_what_has_its_version),
		cmocka_unit_test(test_a_path_sees_its_newest_version_only),
		cmocka_unit_test(test_next_generation_is_of_the_key_and_line),
		cmocka_unit_test(
			test_walking_goes_by_key_then_line_then_generation),
		cmocka_unit_test(test_next_finds_the_keys_that_find_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
