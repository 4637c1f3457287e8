/* Rows of windows on a real file system. */
#include "index_world.h"

static void put_window(struct world *world, uint64_t inode, uint64_t window,
		       uint32_t line, uint32_t gen)
{
	struct window_key key = { inode, window, line, gen };

	assert_int_equal(index_window_put(world->index, &key,
					  (const uint8_t *)"row", 3),
			 0);
}

static void test_a_scan_sees_every_row_once_in_key_order(void **state)
{
	static const struct window_key keys[] = {
		{ UINT64_MAX, 4, 1, 0 }, { 1, 0, 1, 5 },
		{ 1, 0, 2, 0 },		 { 1, 1, 1, UINT32_MAX },
		{ 2, 0, UINT32_MAX, 1 },
	};
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key cursor = { 0 };
	size_t bytes = 0;
	const size_t count = sizeof(keys) / sizeof(keys[0]);

	for (size_t i = count; i-- > 0;)
		put_window(world, keys[i].inode, keys[i].window, keys[i].line,
			   keys[i].gen);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(index_window_scan(world->index, &cursor, row,
						   &bytes),
				 0);
		assert_memory_equal(&cursor, &keys[i], sizeof(cursor));
		assert_int_equal(bytes, 3);
	}
	assert_int_equal(index_window_scan(world->index, &cursor, row, &bytes),
			 -ENOENT);
}

static void test_rows_of_a_line_come_in_pages(void **state)
{
	struct world *world = *state;

	for (uint32_t gen = 0; gen < 10; gen++)
		for (uint64_t window = 0; window < 7; window++) {
			put_window(world, 3, window, 5, gen);
			put_window(world, 3, window, 6, gen);
		}
	for (int most = 0; most < 60; most += 4) {
		struct window_key keys[64];
		int64_t cursor[2] = { 0, 0 };
		int n = 0, total = 0;

		do {
			n = index_windows_of_line(world->index, 5, 2, 9, keys,
						  most, cursor);
			assert_in_range(n, 0, (unsigned)most);
			for (int i = 0; i < n; i++, total++) {
				assert_int_equal(keys[i].line, 5);
				assert_int_equal(keys[i].gen, 2 + total / 7);
				assert_int_equal(keys[i].window, total % 7);
			}
		} while (n > 0);
		assert_int_equal(total, most ? 49 : 0);
		cursor[0] = cursor[1] = 0;
		assert_int_equal(index_windows_of_line(world->index, 5, 4, 4,
						       keys, most, cursor),
				 0);
	}
}

static void test_neighbours_and_numbers(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key key;
	uint64_t number;
	size_t bytes;

	put_window(world, 1, 8, 2, 5);
	put_window(world, 1, 8, 2, 9);
	put_window(world, 1, 8, 3, 7);
	assert_int_equal(index_window_next(world->index, 1, 8, 2, 6, &key, row,
					   &bytes),
			 0);
	assert_int_equal(key.gen, 9);
	assert_int_equal(index_window_next(world->index, 1, 8, 2, 10, &key, row,
					   &bytes),
			 -ENOENT);
	assert_int_equal(index_window_previous(world->index, 1, 8, 2, 8, &key,
					       row, &bytes),
			 0);
	assert_int_equal(key.gen, 5);
	assert_int_equal(index_window_previous(world->index, 1, 8, 2, 4, &key,
					       row, &bytes),
			 -ENOENT);
	assert_int_equal(index_window_number(world->index, 1, 0, &number), 0);
	assert_int_equal(number, 8);
	assert_int_equal(index_window_number(world->index, 1, 9, &number),
			 -ENOENT);
}

static void test_relabel_moves_a_row_unless_the_place_is_taken(void **state)
{
	struct world *world = *state;
	static uint8_t row[WINDOW_ROW_BYTES_MAX];
	struct window_key key = { 1, 8, 2, 5 }, found;
	const uint8_t *moved = (const uint8_t *)"moved";
	size_t bytes = 0;

	put_window(world, 1, 8, 2, 5);
	put_window(world, 1, 8, 3, 5);
	assert_int_equal(index_window_relabel(world->index, &key, 3, moved, 5),
			 -EEXIST);
	assert_int_equal(index_window_relabel(world->index, &key, 4, moved, 5),
			 0);
	assert_int_equal(index_window_relabel(world->index, &key, 4, moved, 5),
			 -ENOENT);
	assert_int_equal(index_window_next(world->index, 1, 8, 4, 0, &found,
					   row, &bytes),
			 0);
	assert_int_equal(bytes, 5);
	assert_memory_equal(row, "moved", 5);
	assert_int_equal(index_window_delete(world->index, &found), 0);
	assert_int_equal(index_window_delete(world->index, &found), 0);
	assert_int_equal(index_window_next(world->index, 1, 8, 4, 0, &found,
					   row, &bytes),
			 -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_scan_sees_every_row_once_in_key_order),
		WORLD_TEST(test_rows_of_a_line_come_in_pages),
		WORLD_TEST(test_neighbours_and_numbers),
		WORLD_TEST(test_relabel_moves_a_row_unless_the_place_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
