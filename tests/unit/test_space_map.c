/* Which blocks are in use: bit by bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "space_map.h"

static int setup(void **state)
{
	struct space_map *map = calloc(1, sizeof(*map));

	if (!map)
		return -1;
	space_map_init(map);
	*state = map;
	return 0;
}

static int teardown(void **state)
{
	space_map_fini(*state);
	free(*state);
	return 0;
}

static struct location at(uint32_t segment, uint32_t block)
{
	return (struct location){ segment, block };
}

static void test_a_block_is_live_from_use_to_free(void **state)
{
	struct space_map *map = *state;

	space_map_use(map, at(3, 7), 2, false);
	assert_false(space_map_is_live(map, at(3, 6)));
	assert_true(space_map_is_live(map, at(3, 7)));
	assert_true(space_map_is_live(map, at(3, 8)));
	assert_false(space_map_is_live(map, at(3, 9)));
	assert_false(space_map_is_live(map, at(2, 7)));
	assert_false(space_map_is_live(map, at(3, SEGMENT_BLOCKS)));
	space_map_free(map, at(3, 7), 1);
	assert_false(space_map_is_live(map, at(3, 7)));
	assert_true(space_map_is_live(map, at(3, 8)));
	assert_int_equal(space_map_live_blocks(map), 1);
	assert_int_equal(space_map_freed_blocks(map), 1);
}

static void test_the_last_block_of_a_segment_counts(void **state)
{
	struct space_map *map = *state;

	space_map_use(map, at(1, 0), SEGMENT_BLOCKS, false);
	assert_int_equal(space_map_live_blocks(map), SEGMENT_BLOCKS);
	assert_true(space_map_is_live(map, at(1, SEGMENT_BLOCKS - 1)));
	space_map_free(map, at(1, SEGMENT_BLOCKS - 1), 1);
	assert_int_equal(space_map_live_blocks(map), SEGMENT_BLOCKS - 1);
}

static void test_use_and_free_count_a_block_once(void **state)
{
	struct space_map *map = *state;

	space_map_use(map, at(1, 5), 4, false);
	space_map_use(map, at(1, 7), 4, false);
	assert_int_equal(space_map_live_blocks(map), 6);
	space_map_free(map, at(1, 5), 2);
	space_map_free(map, at(1, 4), 4);
	assert_int_equal(space_map_live_blocks(map), 3);
	assert_int_equal(space_map_freed_blocks(map), 3);
	space_map_free(map, at(9, 1), 1); /* of a segment that is gone */
	assert_int_equal(space_map_freed_blocks(map), 3);
}

static void test_metadata_is_counted_apart(void **state)
{
	struct space_map *map = *state;

	space_map_use(map, at(1, 0), 1, true);
	space_map_use(map, at(1, 0), 1, true);
	space_map_use(map, at(1, 1), 3, false);
	assert_int_equal(space_map_live_blocks(map), 4);
	assert_int_equal(map->metadata_blocks, 1);
}

static void test_segments_are_found_in_any_order(void **state)
{
	struct space_map *map = *state;
	uint32_t i;

	assert_int_equal(space_map_newest(map), 0);
	for (i = 0; i < 101; i++)
		space_map_use(map, at(1 + i * 37 % 101, i), 1, false);
	assert_int_equal(space_map_newest(map), 101);
	for (i = 0; i < 101; i++)
		assert_true(space_map_is_live(map, at(1 + i * 37 % 101, i)));
	space_map_remove(map, 101);
	space_map_remove(map, 50);
	space_map_remove(map, 50);
	assert_int_equal(space_map_newest(map), 100);
	assert_int_equal(space_map_live_blocks(map), 99);
}

static void test_a_save_has_what_changed_since_the_last(void **state)
{
	struct space_map *map = *state;
	struct space_save save;

	space_map_use(map, at(1, 1), 1, false);
	space_map_use(map, at(2, 1), 1, false);
	assert_int_equal(space_map_begin_save(map, &save), 0);
	assert_int_equal(save.count, 2);
	space_save_fini(&save);
	space_map_free(map, at(2, 1), 1);
	assert_int_equal(space_map_begin_save(map, &save), 0);
	assert_int_equal(save.count, 1);
	assert_int_equal(save.segments[0].id, 2);
	assert_true(save.segments[0].punch);
	assert_int_equal(save.segments[0].freed[0], 2);
	space_save_fini(&save);
	assert_int_equal(space_map_begin_save(map, &save), 0);
	assert_int_equal(save.count, 0);
	space_save_fini(&save);
}

/* What is freed after the copy was made waits for the next one (rule 4). */
static void test_what_is_freed_later_is_not_in_the_save(void **state)
{
	struct space_map *map = *state;
	struct space_save save;

	space_map_use(map, at(1, 8), 8, false);
	space_map_free(map, at(1, 8), 1);
	assert_int_equal(space_map_begin_save(map, &save), 0);
	space_map_free(map, at(1, 9), 1);
	assert_int_equal(save.segments[0].freed[1], 1);
	assert_int_equal(save.segments[0].live[1], 0xfe);
	assert_int_equal(space_map_freed_blocks(map), 1);
	space_save_fini(&save);
	assert_int_equal(space_map_begin_save(map, &save), 0);
	assert_int_equal(save.segments[0].freed[1], 2);
	space_save_fini(&save);
}

static void test_a_seal_notes_where_the_segment_ends(void **state)
{
	struct space_map *map = *state;
	struct space_save save;

	space_map_use(map, at(4, 1), 1, false);
	space_map_seal(map, 4, 99, 1234);
	space_map_seal(map, 5, 1, 1); /* not there */
	assert_int_equal(space_map_begin_save(map, &save), 0);
	assert_int_equal(save.count, 1);
	assert_true(save.segments[0].sealed);
	assert_int_equal(save.segments[0].used_blocks, 99);
	assert_int_equal(save.segments[0].last_lsn, 1234);
	space_save_fini(&save);
}

#define MAP_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MAP_TEST(test_a_block_is_live_from_use_to_free),
		MAP_TEST(test_the_last_block_of_a_segment_counts),
		MAP_TEST(test_use_and_free_count_a_block_once),
		MAP_TEST(test_metadata_is_counted_apart),
		MAP_TEST(test_segments_are_found_in_any_order),
		MAP_TEST(test_a_save_has_what_changed_since_the_last),
		MAP_TEST(test_what_is_freed_later_is_not_in_the_save),
		MAP_TEST(test_a_seal_notes_where_the_segment_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
