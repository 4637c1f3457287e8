/* The index gives pages back that were freed, and only those. */
#include "index_world.h"

enum { WINDOWS = 2000, ROW_BYTES = 3000 };

static off_t size_of(const struct world *world)
{
	char path[PATH_MAX];
	struct stat st;

	path_in(world, "index.db", path);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static struct window_key key_of(uint64_t window)
{
	return (struct window_key){ 2, window, 1, 1 };
}

static void put_windows(struct world *world)
{
	uint8_t row[ROW_BYTES];

	for (uint64_t i = 0; i < WINDOWS; i++) {
		struct window_key key = key_of(i);

		memset(row, (int)i % 251, sizeof(row));
		assert_int_equal(index_window_put(world->index, &key, row,
						  sizeof(row)),
				 0);
	}
	assert_int_equal(index_commit(world->index), 0);
}

static void test_deleted_rows_give_their_pages_back(void **state)
{
	struct world *world = *state;
	struct window_key cursor = { 0 };
	uint8_t row[WINDOW_ROW_BYTES_MAX];
	size_t row_bytes;
	bool more = true;
	off_t full;

	put_windows(world);
	full = size_of(world);
	for (uint64_t i = 0; i < WINDOWS; i++) {
		struct window_key key = key_of(i);

		if (i % 10)
			assert_int_equal(
				index_window_delete(world->index, &key), 0);
	}
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(size_of(world), full);
	for (int i = 0; i < 100 && more; i++) {
		off_t before = size_of(world);

		assert_int_equal(index_shrink(world->index, 64, &more), 0);
		assert_int_equal(index_commit(world->index), 0);
		assert_true(size_of(world) < before);
		assert_true(size_of(world) >= before - 66 * 8192);
	}
	assert_false(more);
	assert_true(size_of(world) < full / 5);
	close_world(world);
	open_world(world);
	for (uint64_t i = 0; i < WINDOWS; i += 10) {
		assert_int_equal(index_window_scan(world->index, &cursor, row,
						   &row_bytes),
				 0);
		assert_int_equal(cursor.window, i);
		assert_int_equal(row_bytes, ROW_BYTES);
		assert_int_equal(row[0], (int)i % 251);
		assert_int_equal(row[ROW_BYTES - 1], (int)i % 251);
	}
	assert_int_equal(index_window_scan(world->index, &cursor, row,
					   &row_bytes),
			 -ENOENT);
}

static void test_an_index_in_use_keeps_its_pages(void **state)
{
	struct world *world = *state;
	struct window_key key = key_of(1);
	bool more = true;
	off_t full;

	put_windows(world);
	assert_int_equal(index_window_delete(world->index, &key), 0);
	assert_int_equal(index_commit(world->index), 0);
	full = size_of(world);
	assert_int_equal(index_shrink(world->index, 64, &more), 0);
	assert_false(more);
	assert_int_equal(index_commit(world->index), 0);
	assert_int_equal(size_of(world), full);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_deleted_rows_give_their_pages_back, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			test_an_index_in_use_keeps_its_pages, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
