/* Scans of items on a real file system. */
#include "item_world.h"

enum { ITEMS_MAX = 64, ARENA_BYTES = ITEM_ARENA_BYTES_MIN };

static uint8_t arena[ARENA_BYTES];
static struct item_found items[ITEMS_MAX];

static struct item_batch batch_of(size_t items_capacity, size_t arena_bytes)
{
	return (struct item_batch){ .items = items,
				    .items_capacity = items_capacity,
				    .arena = arena,
				    .arena_bytes = arena_bytes };
}

static int scan_batch(struct world *world, const struct line_path *path,
		      const char *prefix, struct item_cursor *cursor,
		      struct item_batch *batch)
{
	return index_item_scan(world->index, path, (const uint8_t *)prefix,
			       strlen(prefix), cursor, batch);
}

/* "key=value " of all that a scan finds, in batches of so many. */
static const char *scan_by(struct world *world, const struct line_path *path,
			   const char *prefix, size_t items_capacity)
{
	static char text[4096];
	struct item_batch batch = batch_of(items_capacity, ARENA_BYTES);
	struct item_cursor cursor = { 0 };
	size_t len = 0;

	text[0] = '\0';
	while (!batch.end) {
		assert_int_equal(
			scan_batch(world, path, prefix, &cursor, &batch), 0);
		assert_true(batch.count > 0 || batch.end);
		assert_in_range(batch.count, 0, items_capacity);
		for (size_t i = 0; i < batch.count; i++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%.*s=%.*s ",
						(int)items[i].key_bytes,
						(const char *)items[i].key,
						(int)items[i].value_bytes,
						(const char *)items[i].value);
	}
	return text;
}

/* The same in batches of all sizes; takes the path. */
static const char *scan(struct world *world, struct line_path *path,
			const char *prefix)
{
	AUTO_FREE char *first = strdup(scan_by(world, path, prefix, 1));
	const char *text = first;

	assert_non_null(first);
	for (size_t most = 2; most < 8; most++) {
		text = scan_by(world, path, prefix, most);
		assert_string_equal(text, first);
	}
	free(path);
	return text;
}

static void test_names_come_in_the_order_of_bytes(void **state)
{
	static const char *const keys[] = { "p\xff\xff", "p\xff", "p",
					    "pa\xff",	 "pa",	  "paa",
					    "pb",	 "o\xff", "q",
					    "o",	 "\xff" };
	struct world *world = *state;

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		put(world, keys[i], 1, 1, "1");
	assert_string_equal(scan(world, PATH({ 1, 1 }), "p"),
			    "p=1 pa=1 paa=1 pa\xff=1 pb=1 p\xff=1 "
			    "p\xff\xff=1 ");
	assert_string_equal(scan(world, PATH({ 1, 1 }), "pa"),
			    "pa=1 paa=1 pa\xff=1 ");
	/* A prefix without a successor of its length. */
	assert_string_equal(scan(world, PATH({ 1, 1 }), "\xff"), "\xff=1 ");
	assert_string_equal(scan(world, PATH({ 1, 1 }), "p\xff"),
			    "p\xff=1 p\xff\xff=1 ");
	assert_string_equal(scan(world, PATH({ 1, 1 }), "pc"), "");
	assert_string_equal(scan(world, PATH({ 1, 1 }), "\xff\xff"), "");
	/* All there is. */
	assert_string_equal(scan(world, PATH({ 1, 1 }), ""),
			    "o=1 o\xff=1 p=1 pa=1 paa=1 pa\xff=1 pb=1 "
			    "p\xff=1 p\xff\xff=1 q=1 \xff=1 ");
}

static void test_a_zero_byte_is_a_byte(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 1 });
	struct item_batch batch = batch_of(ITEMS_MAX, ARENA_BYTES);
	struct item_cursor cursor = { 0 };

	assert_int_equal(put_bytes(world, "p\0\0", 3, 1, 1, "c"), 0);
	assert_int_equal(put_bytes(world, "p\0", 2, 1, 1, "b"), 0);
	assert_int_equal(put_bytes(world, "p", 1, 1, 1, "a"), 0);
	for (size_t begin = 0; begin < 4; begin++) {
		/* Behind "p" and so many zeros, whether it is there or not. */
		cursor = (struct item_cursor){ .key_bytes = begin, .key = "p" };
		assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
				 0);
		assert_int_equal(batch.count, 3 - begin);
		assert_true(batch.end);
		for (size_t i = 0; i < batch.count; i++) {
			assert_int_equal(items[i].key_bytes, begin + i + 1);
			assert_int_equal(items[i].value[0], 'a' + begin + i);
		}
		assert_int_equal(cursor.key_bytes, 3);
	}
}

static void test_a_scan_shows_what_the_path_sees(void **state)
{
	struct world *world = *state;

	put(world, "pa", 1, 3, "old");
	put(world, "pa", 1, 5, "newer");
	put(world, "pa", 4, 2, "newest");
	put(world, "pb", 2, 1, "other");
	put(world, "pc", 1, 5, "value");
	put(world, "pc", 1, 6, ""); /* absent */
	put(world, "pd", 4, 9, "late");
	assert_string_equal(scan(world, PATH({ 1, 5 }), "p"),
			    "pa=newer pc=value ");
	assert_string_equal(scan(world, PATH({ 1, 9 }, { 4, 2 }), "p"),
			    "pa=newest pc= ");
	assert_string_equal(scan(world, PATH({ 1, 4 }, { 2, 9 }), "p"),
			    "pa=old pb=other ");
	assert_string_equal(scan(world, PATH({ 3, 9 }), "p"), "");
}

static bool same_item(struct world *world, const struct line_path *path,
		      const uint8_t *key, size_t key_bytes,
		      const struct item_found *item)
{
	struct item_version version;
	uint8_t value[8];
	size_t bytes = 0;
	int rc = index_item_find(world->index, path, key, key_bytes, &version,
				 value, sizeof(value), &bytes);

	if (rc == -ENOENT)
		return false;
	assert_int_equal(rc, 0);
	assert_int_equal(item->key_bytes, key_bytes);
	assert_memory_equal(item->key, key, key_bytes);
	assert_int_equal(item->version.line, version.line);
	assert_int_equal(item->version.gen, version.gen);
	assert_int_equal(item->value_bytes, bytes);
	assert_memory_equal(item->value, value, bytes);
	return true;
}

/* I1: keys of two letters in a random forest; few keys have many versions. */
static void test_a_scan_finds_what_look_ups_find(void **state)
{
	enum { LETTERS = 12, LINES = 5 };
	struct world *world = *state;
	unsigned seed = 7;

	for (int i = 0; i < 4000; i++) {
		char key[3] = "pa", value[8];
		uint32_t line = 1 + (uint32_t)rand_r(&seed) % LINES;
		uint32_t gen = (uint32_t)rand_r(&seed) % 400;

		key[1] = (char)('a' + rand_r(&seed) % LETTERS *
					      (rand_r(&seed) % 4 == 0));
		snprintf(value, sizeof(value), "%u.%u", line, gen);
		put(world, key, line, gen, value);
	}
	for (uint32_t round = 0; round < 400; round++) {
		AUTO_FREE struct line_path *path =
			PATH({ 1, rand_r(&seed) % 400 },
			     { 2 + round % 2, rand_r(&seed) % 20 },
			     { 5, rand_r(&seed) % 4 });
		struct item_batch batch = batch_of(ITEMS_MAX, ARENA_BYTES);
		struct item_cursor cursor = { 0 };
		size_t found = 0;

		assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
				 0);
		assert_true(batch.end);
		for (char letter = 'a'; letter < 'a' + LETTERS; letter++) {
			const uint8_t key[2] = { 'p', (uint8_t)letter };

			found += same_item(world, path, key, 2, &items[found]);
		}
		assert_int_equal(found, batch.count);
	}
}

/* Steps of SQLite's machine since it was asked last. */
static int steps_of(struct world *world)
{
	int steps = 0;

	for (int i = 0; i < STATEMENT_COUNT; i++)
		if (world->index->statements[i])
			steps += sqlite3_stmt_status(
				world->index->statements[i],
				SQLITE_STMTSTATUS_VM_STEP, 1);
	return steps;
}

/* I2 */
static void test_many_versions_of_a_key_cost_few_steps(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 5000 });
	AUTO_FREE struct line_path *other = PATH({ 1, 0 }, { 3, 9 });

	put(world, "pa", 1, 1, "before");
	for (uint32_t gen = 1; gen <= 10000; gen++)
		put(world, "pb", 1, gen, gen == 5000 ? "seen" : "hidden");
	put(world, "pc", 1, 1, "behind");
	put(world, "pc", 3, 1, "other");
	steps_of(world);
	assert_string_equal(scan_by(world, path, "p", ITEMS_MAX),
			    "pa=before pb=seen pc=behind ");
	assert_in_range(steps_of(world), 1, 1000);
	assert_string_equal(scan_by(world, other, "p", ITEMS_MAX), "pc=other ");
	assert_in_range(steps_of(world), 1, 1000);
}

/* I2 */
static void test_rows_of_other_lines_do_not_keep_the_lock(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	struct item_batch batch = batch_of(ITEMS_MAX, ARENA_BYTES);
	struct item_cursor cursor = { 0 };
	int calls = 0, count = 0;
	char key[16];

	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "p%04d", i);
		put(world, key, i == 4444 ? 1 : 2, 1, "x");
	}
	for (; !batch.end; calls++) {
		steps_of(world);
		assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
				 0);
		assert_in_range(steps_of(world), 1, 20000);
		count += (int)batch.count;
	}
	assert_int_equal(count, 1);
	assert_in_range(calls, 4, 6);
}

static void test_an_item_that_does_not_fit_comes_next(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	struct item_batch batch = batch_of(ITEMS_MAX, 24);
	struct item_cursor cursor = { 0 };

	put(world, "pa", 1, 1, "1234567890");
	put(world, "pb", 1, 1, "1234567890");
	put(world, "pc", 1, 1, "1");
	put(world, "pc", 1, 2, "12345678901234567890");
	put(world, "pc", 1, 3, "123");
	for (int i = 0; i < 2; i++) {
		assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
				 0);
		assert_int_equal(batch.count, 2 - i);
		assert_int_equal(batch.used_bytes, i ? 5 : 24);
		assert_int_equal(items[0].key[1], i ? 'c' : 'a');
		assert_int_equal(batch.end, i);
	}
	cursor = (struct item_cursor){ 0 };
	batch = batch_of(ITEMS_MAX, 11);
	assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
			 -ERANGE);
	batch = batch_of(0, ARENA_BYTES);
	assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
			 -ERANGE);
}

static void test_the_longest_key_and_value_fit(void **state)
{
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	AUTO_FREE uint8_t *value = malloc(ITEM_VALUE_BYTES_MAX);
	struct item_batch batch = batch_of(ITEMS_MAX, ARENA_BYTES);
	struct item_cursor cursor = { 0 };
	uint8_t key[ITEM_KEY_BYTES_MAX];

	assert_non_null(value);
	memset(key, 0xff, sizeof(key));
	memset(value, 0xa5, ITEM_VALUE_BYTES_MAX);
	for (uint8_t i = 0; i < 3; i++) {
		key[ITEM_KEY_BYTES_MAX - 1] = (uint8_t)(0xfd + i);
		assert_int_equal(index_item_put(world->index, key, sizeof(key),
						&(struct item_version){ 1, i },
						value, ITEM_VALUE_BYTES_MAX),
				 0);
	}
	for (uint8_t i = 0; i < 3; i++) {
		assert_int_equal(index_item_scan(world->index, path, key, 9,
						 &cursor, &batch),
				 0);
		assert_int_equal(batch.count, 1);
		key[ITEM_KEY_BYTES_MAX - 1] = (uint8_t)(0xfd + i);
		assert_int_equal(items[0].key_bytes, sizeof(key));
		assert_memory_equal(items[0].key, key, sizeof(key));
		assert_int_equal(items[0].value_bytes, ITEM_VALUE_BYTES_MAX);
		assert_memory_equal(items[0].value, value,
				    ITEM_VALUE_BYTES_MAX);
	}
	assert_int_equal(index_item_scan(world->index, path, key, 9, &cursor,
					 &batch),
			 0);
	assert_true(batch.count == 0 && batch.end);
}

/* F-56 */
static void test_damaged_rows_end_a_scan(void **state)
{
	static const char *const rows[] = {
		"CAST('pb' AS BLOB), 1, 1, 'text'",
		"CAST('pb' AS BLOB), 1, 1, zeroblob(65546)",
		"CAST('pb' AS BLOB), 1, 'x', x'00'",
		"CAST('pb' AS BLOB), 4294967296, 1, x'00'",
		"CAST('p' || hex(zeroblob(132)) AS BLOB), 1, 1, x'00'",
	};
	struct world *world = *state;
	AUTO_FREE struct line_path *path = PATH({ 1, 9 });
	char sql[256];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct item_batch batch = batch_of(ITEMS_MAX, ARENA_BYTES);
		struct item_cursor cursor = { 0 };

		snprintf(sql, sizeof(sql),
			 "DELETE FROM items; INSERT INTO items VALUES(1, "
			 "CAST('pa' AS BLOB), 1, 1, x'00'), (2, %s)",
			 rows[i]);
		tamper(world, sql);
		open_world(world);
		assert_int_equal(scan_batch(world, path, "p", &cursor, &batch),
				 -EUCLEAN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_names_come_in_the_order_of_bytes),
		WORLD_TEST(test_a_zero_byte_is_a_byte),
		WORLD_TEST(test_a_scan_shows_what_the_path_sees),
		WORLD_TEST(test_a_scan_finds_what_look_ups_find),
		WORLD_TEST(test_many_versions_of_a_key_cost_few_steps),
		WORLD_TEST(test_rows_of_other_lines_do_not_keep_the_lock),
		WORLD_TEST(test_an_item_that_does_not_fit_comes_next),
		WORLD_TEST(test_the_longest_key_and_value_fit),
		WORLD_TEST(test_damaged_rows_end_a_scan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
