/* The map of a file: what a change frees, and that replay makes the same. */
#include "store_impl.h"
#include "store_world.h"

enum { B = BLOCK_BYTES };

static uint64_t live_blocks(struct store_world *world)
{
	struct space_map *map = &world->store->space;
	uint64_t blocks;

	mutex_lock(&map->lock);
	blocks = map->live_blocks - map->metadata_blocks;
	mutex_unlock(&map->lock);
	return blocks;
}

static void test_what_only_the_head_saw_is_free_at_once(void **state)
{
	struct store_world *world = *state;

	world_write(world, 0, 10 * B, 2);
	assert_int_equal(live_blocks(world), 10);
	world_write(world, 5 * B, 10 * B, 3);
	assert_int_equal(live_blocks(world), 15);
	world_zero(world, B, 2 * B);
	assert_int_equal(live_blocks(world), 13);
	world_resize(world, 6 * B);
	assert_int_equal(live_blocks(world), 4);
}

static void test_what_a_snapshot_sees_is_kept(void **state)
{
	struct store_world *world = *state;

	world_write(world, 0, 10 * B, 2);
	world_snapshot(world, "s");
	world_write(world, 0, 4 * B, 3);
	assert_int_equal(live_blocks(world), 14);
	world_write(world, 0, 2 * B, 4); /* its own again */
	assert_int_equal(live_blocks(world), 14);
	world_resize(world, 0);
	assert_int_equal(live_blocks(world), 10);
}

static void test_replay_frees_what_was_freed(void **state)
{
	struct store_world *world = *state;
	uint64_t before;

	world_write(world, 0, 10 * B, 2);
	world_snapshot(world, "s");
	world_write(world, 0, 4 * B, 3);
	world_write(world, 2 * B, 4 * B, 4);
	world_zero(world, 0, B);
	world_write(world, WINDOW_BYTES - B, 2 * B, 5);
	world_resize(world, WINDOW_BYTES);
	before = live_blocks(world);
	world_crash(world);
	assert_int_equal(live_blocks(world), before);
	world_check(world);
}

static void test_an_extent_over_a_windows_end_is_refused(void **state)
{
	struct store_world *world = *state;
	struct extent_record extent = { .inode = IMAGE_INODE,
					.first_block = WINDOW_BLOCKS - 1,
					.block_count = 2,
					.stored_blocks = 2,
					.chunk = { 1, 100 } };

	mutex_lock(&world->file->view->store->order_lock);
	assert_int_equal(file_apply_extent_locked(world->file, &extent, false),
			 -EUCLEAN);
	mutex_unlock(&world->file->view->store->order_lock);
	world_check(world);
}

/* Zeros where base can be seen, and nothing at all behind its end. */
static void test_zeros_end_with_base(void **state)
{
	struct store_world *world = *state;
	struct slot slots[WINDOW_BLOCKS];
	unsigned count;

	world_resize(world, (size_t)3 * WINDOW_BYTES);
	world_write(world, WINDOW_BYTES, WINDOW_BYTES, 2);
	world_zero(world, WINDOW_BYTES, WINDOW_BYTES);
	assert_int_equal(file_map_window(world->file, 1, slots, &count), 0);
	assert_int_equal(count, 1);
	assert_int_equal(slots[0].kind, SLOT_KIND_ZERO);
	assert_int_equal(slots[0].first, 0);
	assert_int_equal(slots[0].count, 4); /* three blocks and the tail */
	world_write(world, 2 * (size_t)WINDOW_BYTES, 2 * B, 3);
	world_zero(world, 2 * (size_t)WINDOW_BYTES, WINDOW_BYTES);
	assert_int_equal(file_map_window(world->file, 2, slots, &count), 0);
	assert_int_equal(count, 0);
	world_check(world);
}

static void test_the_next_window_is_found_saved_or_not(void **state)
{
	struct store_world *world = *state;
	uint64_t number;

	assert_int_equal(file_next_window(world->file, 0, &number), -ENOENT);
	world_write(world, 5 * (size_t)WINDOW_BYTES, 1, 2);
	assert_int_equal(file_next_window(world->file, 0, &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_write(world, 3 * (size_t)WINDOW_BYTES, 1, 2);
	assert_int_equal(file_next_window(world->file, 0, &number), 0);
	assert_int_equal(number, 3);
	assert_int_equal(file_next_window(world->file, 4, &number), 0);
	assert_int_equal(number, 5);
	assert_int_equal(file_next_window(world->file, 6, &number), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_what_only_the_head_saw_is_free_at_once),
		WORLD_TEST(test_what_a_snapshot_sees_is_kept),
		WORLD_TEST(test_replay_frees_what_was_freed),
		WORLD_TEST(test_an_extent_over_a_windows_end_is_refused),
		WORLD_TEST(test_zeros_end_with_base),
		WORLD_TEST(test_the_next_window_is_found_saved_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
