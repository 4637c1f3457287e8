/*
 * What nobody sees goes, and nothing else: lines, branches and snapshots
 * that are gone leave no rows, and what stays reads the same.
 */
#include "store_impl.h"
#include "store_world.h"

enum { B = BLOCK_BYTES };

static void drop(struct store_world *world, uint32_t id)
{
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
}

static size_t row_count(struct store_world *world)
{
	uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	struct window_key key = { 0 };
	size_t bytes, count = 0;

	assert_int_equal(store_checkpoint(world->store), 0);
	while (index_window_scan(world->store->index, &key, row, &bytes) == 0)
		count++;
	free(row);
	return count;
}

static void assert_live_blocks(struct store_world *world, uint64_t blocks)
{
	struct space_map *map = &world->store->space;

	mutex_lock(&map->lock);
	assert_int_equal(map->live_blocks - map->metadata_blocks, blocks);
	mutex_unlock(&map->lock);
}

static void test_each_deleted_snapshot_takes_its_row_along(void **state)
{
	struct store_world *world = *state;
	uint32_t ids[6], i;
	char name[8];

	for (i = 0; i < 6; i++) {
		world_write_block(world, i, 2 + i);
		world_write_block(world, 9, 20 + i);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
	}
	assert_int_equal(row_count(world), 6);
	assert_live_blocks(world, 12);
	drop(world, ids[2]);
	world_gc(world);
	assert_int_equal(row_count(world), 5);
	assert_live_blocks(world, 11);
	drop(world, ids[0]);
	drop(world, ids[1]);
	drop(world, ids[4]);
	world_gc(world);
	assert_int_equal(row_count(world), 2);
	assert_live_blocks(world, 6 + 2);
	drop(world, ids[3]);
	drop(world, ids[5]);
	world_gc(world);
	assert_int_equal(row_count(world), 1);
	assert_live_blocks(world, 7);
	world_check(world);
}

static void test_a_crash_while_deleting_goes_on_at_the_next_open(void **state)
{
	struct store_world *world = *state;
	struct store_status status;
	uint32_t ids[4], i;
	char name[8];

	for (i = 0; i < 4; i++) {
		world_write(world, 0, 5 * B, 2 + i);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
	}
	for (i = 0; i < 4; i++)
		drop(world, ids[i]);
	world_crash(world);
	world_check(world);
	world_gc(world);
	store_status(world->store, &status);
	assert_int_equal(status.deleting_snapshots, 0);
	assert_live_blocks(world, 5);
	assert_int_equal(row_count(world), 1);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_each_deleted_snapshot_takes_its_row_along),
		WORLD_TEST(
			test_a_crash_while_deleting_goes_on_at_the_next_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
