/* What is moved together: consecutive blocks of one birth. */
#include "move.h"
#include "store_world.h"

static struct slot raw(unsigned first, uint32_t birth)
{
	return (struct slot){ .kind = SLOT_KIND_RAW,
			      .segment = 1,
			      .block = (uint16_t)(100 - first),
			      .first = (uint16_t)first,
			      .birth = birth,
			      .count = 1 };
}

static void test_a_group_ends_where_file_or_birth_breaks(void **state)
{
	struct slot slots[20];
	unsigned i;

	(void)state;
	for (i = 0; i < 20; i++)
		slots[i] = raw(i, 3);
	assert_int_equal(move_group_blocks(slots, 1), 1);
	assert_int_equal(move_group_blocks(slots, 5), 5);
	assert_int_equal(move_group_blocks(slots, 20), CHUNK_BLOCKS_MAX);
	slots[4].birth = 4;
	assert_int_equal(move_group_blocks(slots, 20), 4);
	assert_int_equal(move_group_blocks(slots + 4, 16), 1);
	slots[2].first = 1; /* another version of block 1 */
	assert_int_equal(move_group_blocks(slots, 20), 2);
}

/* All versions in the segment, each place once, in file order. */
static void test_every_place_of_a_window_is_gathered_once(void **state)
{
	struct store_world *world = *state;
	struct mover *mover = calloc(1, sizeof(*mover));
	size_t i;

	assert_non_null(mover);
	mover->store = world->store;
	world_write(world, 0, 4 * BLOCK_BYTES, 2);
	world_snapshot(world, "saved");
	world_write(world, BLOCK_BYTES, BLOCK_BYTES, 3);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_snapshot(world, "unsaved");
	world_write(world, 0, BLOCK_BYTES, 4);
	world_write(world, WINDOW_BYTES, BLOCK_BYTES, 5);
	assert_int_equal(move_gather(mover, 1, IMAGE_INODE, 0), 0);
	assert_int_equal(mover->sources.count, 4 + 1 + 1);
	for (i = 1; i < mover->sources.count; i++) {
		const struct slot *a = &mover->sources.slots[i - 1];
		const struct slot *b = &mover->sources.slots[i];

		assert_true(a->birth < b->birth ||
			    (a->birth == b->birth && a->first < b->first));
	}
	assert_int_equal(move_gather(mover, 2, IMAGE_INODE, 0), 0);
	assert_int_equal(mover->sources.count, 0);
	free(mover);
}

static void test_a_moved_window_reads_the_same_before_it_is_saved(void **state)
{
	struct store_world *world = *state;
	struct mover *mover = calloc(1, sizeof(*mover));
	struct world_copy copy;
	uint32_t id;

	assert_non_null(mover);
	mover->store = world->store;
	world_write(world, 0, 9 * BLOCK_BYTES, 2);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, BLOCK_BYTES, 3 * BLOCK_BYTES, 3);
	mutex_lock(&world->store->maintenance_lock);
	assert_int_equal(move_window(mover, 1, IMAGE_INODE, 0), 0);
	mutex_unlock(&world->store->maintenance_lock);
	assert_int_equal(mover->result.moved_bytes, 12 * BLOCK_BYTES);
	free(mover);
	world_check(world);
	world_check_snapshot(world, id, &copy);
	world_crash(world); /* by the records of the moves */
	world_check(world);
	world_check_snapshot(world, id, &copy);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_check(world);
	world_check_snapshot(world, id, &copy);
	free(copy.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_group_ends_where_file_or_birth_breaks),
		WORLD_TEST(test_every_place_of_a_window_is_gathered_once),
		WORLD_TEST(
			test_a_moved_window_reads_the_same_before_it_is_saved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
