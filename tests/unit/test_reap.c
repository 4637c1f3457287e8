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

/* I2 of reap_row.c: a window behind base, written to and zeroed again. */
static void test_emptied_windows_stay_while_they_hide_something(void **state)
{
	struct store_world *world = *state;
	struct world_copy full;
	uint32_t first, second;

	world_resize(world, 6 * WINDOW_BYTES);
	world_write(world, 4 * WINDOW_BYTES, 3 * B, 2);
	assert_int_equal(row_count(world), 1);
	world_zero(world, 4 * WINDOW_BYTES, 3 * B);
	assert_int_equal(row_count(world), 0);
	world_write(world, 4 * WINDOW_BYTES, 3 * B, 3);
	first = world_snapshot(world, "first");
	full = world_copy(world);
	world_write(world, 4 * WINDOW_BYTES + B, B, 4);
	second = world_snapshot(world, "second");
	world_zero(world, 4 * WINDOW_BYTES, 3 * B);
	assert_int_equal(row_count(world), 3);
	drop(world, second);
	world_gc(world);
	assert_int_equal(row_count(world), 2);
	world_check(world);
	world_check_snapshot(world, first, &full);
	drop(world, first);
	world_gc(world);
	assert_int_equal(row_count(world), 0);
	assert_live_blocks(world, 0);
	world_crash(world);
	world_check(world);
	free(full.data);
}

/* The same, hidden by the line that others fold into. */
static void test_emptied_windows_go_with_the_lines_below(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	uint32_t id;

	world_resize(world, 6 * WINDOW_BYTES);
	world_write(world, 4 * WINDOW_BYTES, 3 * B, 3);
	id = world_snapshot(world, "s");
	world_write(world, 4 * WINDOW_BYTES, B, 4);
	world_rollback(world, id, &result);
	world_write(world, 4 * WINDOW_BYTES, 3 * B, 3);
	world_zero(world, 4 * WINDOW_BYTES, 3 * B);
	assert_int_equal(row_count(world), 3);
	drop(world, id);
	drop(world, result.kept_as.id);
	world_gc(world);
	assert_int_equal(row_count(world), 0);
	assert_live_blocks(world, 0);
	world_check(world);
	world_write(world, 4 * WINDOW_BYTES, B, 5);
	world_crash(world);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_each_deleted_snapshot_takes_its_row_along),
		WORLD_TEST(
			test_a_crash_while_deleting_goes_on_at_the_next_open),
		WORLD_TEST(test_emptied_windows_stay_while_they_hide_something),
		WORLD_TEST(test_emptied_windows_go_with_the_lines_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
