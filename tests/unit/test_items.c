/* Rows of items on a real file system. */
#include "item_world.h"

static char value[ITEM_VALUE_BYTES_MAX + 1];

/* What a view with this path has for key: its value, or "none". Takes the
 * path. */
static const char *look(struct world *world, struct line_path *path,
			const char *key)
{
	struct item_version version;
	size_t bytes = 0;
	int rc = index_item_find(world->index, path, (const uint8_t *)key,
				 strlen(key), &version, value,
				 sizeof(value) - 1, &bytes);

	free(path);
	if (rc == -ENOENT)
		return "none";
	assert_int_equal(rc, 0);
	value[bytes] = '\0';
	return value;
}

static void test_the_newest_on_the_path_wins(void **state)
{
	struct world *world = *state;

	put(world, "a", 1, 3, "old");
	put(world, "a", 1, 5, "newer");
	put(world, "a", 4, 2, "newest");
	assert_string_equal(look(world, PATH({ 1, 9 }), "a"), "newer");
	assert_string_equal(look(world, PATH({ 1, 9 }, { 4, 9 }), "a"),
			    "newest");
	assert_string_equal(look(world, PATH({ 1, 9 }, { 4, 1 }), "a"),
			    "newer");
	assert_string_equal(look(world, PATH({ 1, 9 }, { 4, 9 }), "b"), "none");
	/* Neither a beginning of a key nor more than it is that key. */
	put(world, "abc", 1, 3, "abc");
	assert_string_equal(look(world, PATH({ 1, 9 }), "ab"), "none");
	assert_string_equal(look(world, PATH({ 1, 9 }), "abcd"), "none");
}

static void test_other_lines_are_not_seen(void **state)
{
	struct world *world = *state;

	put(world, "a", 2, 1, "mine");
	put(world, "a", 3, 2, "theirs");
	put(world, "a", 9, 1, "younger");
	assert_string_equal(look(world, PATH({ 2, 9 }, { 5, 9 }), "a"), "mine");
	assert_string_equal(look(world, PATH({ 1, 9 }, { 5, 9 }), "a"), "none");
}

static void test_generations_end_at_the_limit(void **state)
{
	struct world *world = *state;

	put(world, "a", 1, 5, "five");
	put(world, "a", 1, UINT32_MAX, "last");
	assert_string_equal(look(world, PATH({ 1, 4 }), "a"), "none");
	assert_string_equal(look(world, PATH({ 1, 5 }), "a"), "five");
	assert_string_equal(look(world, PATH({ 1, 6 }), "a"), "five");
	assert_string_equal(look(world, PATH({ 1, UINT32_MAX - 1 }), "a"),
			    "five");
	assert_string_equal(look(world, PATH({ 1, UINT32_MAX }), "a"), "last");
}

static void test_facts_are_found_on_line_0(void **state)
{
	struct world *world = *state;

	put(world, "origin", 0, 0, "fact");
	assert_string_equal(look(world, PATH({ 0, 0 }), "origin"), "fact");
	assert_string_equal(look(world, PATH({ 1, 9 }), "origin"), "none");
}

static void test_an_absent_version_hides_older_ones(void **state)
{
	struct world *world = *state;

	put(world, "a", 1, 3, "checksumpayload");
	put(world, "a", 1, 4, "checksum"); /* without payload */
	put(world, "b", 1, 4, "");
	assert_string_equal(look(world, PATH({ 1, 9 }), "a"), "checksum");
	assert_string_equal(look(world, PATH({ 1, 3 }), "a"),
			    "checksumpayload");
	assert_string_equal(look(world, PATH({ 1, 9 }), "b"), "");
}

static void test_a_put_replaces_and_a_delete_forgets(void **state)
{
	const struct item_version version = { 1, 3 };
	struct world *world = *state;

	put(world, "a", 1, 3, "one");
	put(world, "a", 1, 3, "other");
	put(world, "a", 1, 2, "before");
	assert_string_equal(look(world, PATH({ 1, 9 }), "a"), "other");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(index_item_delete(world->index,
						   (const uint8_t *)"a", 1,
						   &version),
				 0);
		assert_string_equal(look(world, PATH({ 1, 9 }), "a"), "before");
	}
}

static void test_a_value_that_does_not_fit_tells_its_size(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	AUTO_FREE uint8_t *large = malloc(ITEM_VALUE_BYTES_MAX);
	struct item_version version = { 1, 3 };
	uint8_t key[ITEM_KEY_BYTES_MAX];
	size_t bytes = 0;

	assert_non_null(large);
	memset(large, 0xa5, ITEM_VALUE_BYTES_MAX);
	memset(key, 0xff, sizeof(key));
	assert_int_equal(index_item_put(world->index, key, sizeof(key),
					&version, large, ITEM_VALUE_BYTES_MAX),
			 0);
	version = (struct item_version){ 0 };
	assert_int_equal(index_item_find(world->index, path, key, sizeof(key),
					 &version, NULL, 0, &bytes),
			 -ERANGE);
	assert_int_equal(bytes, ITEM_VALUE_BYTES_MAX);
	assert_int_equal(version.gen, 3);
	bytes = 0;
	memset(value, 0, sizeof(value));
	assert_int_equal(index_item_next_version(
				 world->index, key, sizeof(key),
				 &(struct item_version){ 1, 0 }, &version,
				 value, ITEM_VALUE_BYTES_MAX - 1, &bytes),
			 -ERANGE);
	assert_int_equal(bytes, ITEM_VALUE_BYTES_MAX);
	assert_int_equal(value[0], 0);
	assert_int_equal(index_item_find(world->index, path, key, sizeof(key),
					 &version, value, ITEM_VALUE_BYTES_MAX,
					 &bytes),
			 0);
	assert_memory_equal(value, large, ITEM_VALUE_BYTES_MAX);
}

static void test_relabel_moves_a_version_unless_the_place_is_taken(void **state)
{
	const struct item_version version = { 2, 5 };
	const uint8_t *key = (const uint8_t *)"a";
	struct world *world = *state;

	put(world, "a", 2, 5, "from");
	put(world, "a", 2, 6, "later");
	put(world, "a", 3, 5, "taken");
	assert_int_equal(index_item_relabel(world->index, key, 1, &version, 3,
					    "new", 3),
			 -EEXIST);
	assert_string_equal(look(world, PATH({ 2, 5 }), "a"), "from");
	assert_string_equal(look(world, PATH({ 3, 9 }), "a"), "taken");
	assert_int_equal(index_item_relabel(world->index, key, 1, &version, 4,
					    "new", 3),
			 0);
	assert_string_equal(look(world, PATH({ 4, 9 }), "a"), "new");
	assert_string_equal(look(world, PATH({ 2, 5 }), "a"), "none");
	assert_string_equal(look(world, PATH({ 2, 9 }), "a"), "later");
	assert_int_equal(index_item_relabel(world->index, key, 1, &version, 4,
					    "new", 3),
			 -ENOENT);
}

static void test_neighbours_are_of_the_same_key_and_line(void **state)
{
	static const struct {
		uint32_t gen;
		const char *next, *previous;
	} wanted[] = {
		{ 0, "five", "none" },	{ 5, "five", "five" },
		{ 6, "nine", "five" },	{ 9, "nine", "nine" },
		{ 10, "none", "nine" }, { UINT32_MAX, "none", "nine" },
	};
	struct world *world = *state;

	put(world, "k", 2, 5, "five");
	put(world, "k", 2, 9, "nine");
	put(world, "k", 1, 7, "older line");
	put(world, "k", 3, 7, "newer line");
	put(world, "kk", 2, 7, "other key");
	put(world, "j", 2, 7, "other key");
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		for (int way = 0; way < 2; way++) {
			const struct item_version from = { 2, wanted[i].gen };
			const uint8_t *key = (const uint8_t *)"k";
			const char *want = way ? wanted[i].previous :
						 wanted[i].next;
			struct item_version got = { 0 };
			size_t bytes = 0;
			int rc = (way ? index_item_previous_version :
					index_item_next_version)(
				world->index, key, 1, &from, &got, value,
				sizeof(value) - 1, &bytes);

			if (strcmp(want, "none") == 0) {
				assert_int_equal(rc, -ENOENT);
				continue;
			}
			assert_int_equal(rc, 0);
			value[bytes] = '\0';
			assert_string_equal(value, want);
			assert_int_equal(got.line, 2);
			assert_int_equal(got.gen, want[0] == 'f' ? 5 : 9);
		}
}

static void test_versions_of_a_line_come_in_pages(void **state)
{
	struct world *world = *state;
	struct item_row_key keys[64];

	for (uint32_t gen = 0; gen < 10; gen++)
		for (int i = 7; i-- > 0;) {
			char key[8] = "name-0";

			key[5] = (char)('0' + i);
			put(world, key, 5, gen, "value");
			put(world, key, 6, gen, "value");
		}
	for (int most = 0; most < 60; most += 3) {
		int64_t cursor[2] = { 0, 0 };
		int n = 0, total = 0;

		do {
			n = index_items_of_line(world->index, 5, 2, 9, keys,
						most, cursor);
			assert_in_range(n, 0, (unsigned)most);
			for (int i = 0; i < n; i++, total++) {
				assert_int_equal(keys[i].gen, 2 + total / 7);
				assert_int_equal(keys[i].key_bytes, 6);
				assert_int_equal(keys[i].key[5],
						 '6' - total % 7);
			}
		} while (n > 0);
		assert_int_equal(total, most ? 49 : 0);
		cursor[0] = cursor[1] = 0;
		assert_int_equal(index_items_of_line(world->index, 5, 4, 4,
						     keys, most, cursor),
				 0);
	}
}

/* F-56 */
static void test_damaged_rows_are_unclean(void **state)
{
	static const struct {
		const char *row;
		bool in_key; /* or in the rest */
	} rows[] = {
		{ "1, CAST('k' AS BLOB), 1, 1, 'text'", false },
		{ "1, CAST('k' AS BLOB), 1, 1, 7", false },
		{ "1, CAST('k' AS BLOB), 1, 1, zeroblob(65546)", false },
		{ "1, zeroblob(265), 1, 1, x'00'", true },
		{ "1, x'', 1, 1, x'00'", true },
		{ "1, 'k', 1, 1, x'00'", true },
	};
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	const uint8_t *key = (const uint8_t *)"k";
	struct item_version version = { 1, 1 };
	struct item_row_key keys[2];
	size_t bytes;
	char sql[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int found = rows[i].in_key ? -ENOENT : -EUCLEAN;
		int64_t cursor[2] = { 0 };

		snprintf(sql, sizeof(sql),
			 "DELETE FROM items; INSERT INTO items VALUES(%s)",
			 rows[i].row);
		tamper(world, sql);
		open_world(world);
		assert_int_equal(index_item_find(world->index, path, key, 1,
						 &version, value, sizeof(value),
						 &bytes),
				 found);
		assert_int_equal(index_item_next_version(world->index, key, 1,
							 &version, &version,
							 value, sizeof(value),
							 &bytes),
				 found);
		assert_int_equal(index_items_of_line(world->index, 1, 0, 9,
						     keys, 2, cursor),
				 rows[i].in_key ? -EUCLEAN : 1);
	}
	tamper(world, "DELETE FROM items; INSERT INTO items VALUES(1, "
		      "CAST('k' AS BLOB), 1, -1, x'00'), (2, "
		      "CAST('k' AS BLOB), -1, 1, x'00')");
	open_world(world);
	assert_int_equal(index_item_find(world->index, path, key, 1, &version,
					 value, sizeof(value), &bytes),
			 -EUCLEAN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_the_newest_on_the_path_wins),
		WORLD_TEST(test_other_lines_are_not_seen),
		WORLD_TEST(test_generations_end_at_the_limit),
		WORLD_TEST(test_facts_are_found_on_line_0),
		WORLD_TEST(test_an_absent_version_hides_older_ones),
		WORLD_TEST(test_a_put_replaces_and_a_delete_forgets),
		WORLD_TEST(test_a_value_that_does_not_fit_tells_its_size),
		WORLD_TEST(
			test_relabel_moves_a_version_unless_the_place_is_taken),
		WORLD_TEST(test_neighbours_are_of_the_same_key_and_line),
		WORLD_TEST(test_versions_of_a_line_come_in_pages),
		WORLD_TEST(test_damaged_rows_are_unclean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
