/* Dropping one row: what its neighbours use stays. */
#include "reap_impl.h"
#include "store_world.h"

enum { B = BLOCK_BYTES };

static void drop(struct store_world *world, uint32_t id)
{
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
}

static void assert_live_blocks(struct store_world *world, uint64_t blocks)
{
	struct space_map *map = &world->store->space;

	mutex_lock(&map->lock);
	assert_int_equal(map->live_blocks - map->metadata_blocks, blocks);
	mutex_unlock(&map->lock);
}

static struct slot raw(uint16_t first, uint16_t block)
{
	return (struct slot){ .kind = SLOT_KIND_RAW,
			      .segment = 1,
			      .first = first,
			      .block = block,
			      .count = 1 };
}

static void test_what_a_neighbour_uses_is_subtracted(void **state)
{
	struct reaper *reaper = calloc(1, sizeof(*reaper));

	(void)state;
	assert_non_null(reaper);
	reaper->row.slots[0] = raw(0, 10);
	reaper->row.slots[1] = raw(1, 11);
	reaper->row.slots[2] = raw(2, 12);
	reaper->row.slot_count = 3;
	reaper->other.slots[0] = raw(1, 11);
	reaper->other.slots[1] = raw(2, 99);
	reaper->other.slot_count = 2;
	reap_subtract(reaper, &reaper->other);
	assert_int_equal(reaper->row.slot_count, 2);
	assert_int_equal(reaper->row.slots[0].block, 10);
	assert_int_equal(reaper->row.slots[1].block, 12);
	free(reaper);
}

static void test_the_neighbours_of_a_deleted_snapshot_stay(void **state)
{
	struct store_world *world = *state;
	struct world_copy copies[5];
	uint32_t ids[5], i, j;
	char name[8];

	for (i = 0; i < 5; i++) {
		world_write(world, i * 2000, 9000, 2 + i);
		world_zero(world, i * 1000, 5000);
		copies[i] = world_copy(world);
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
	}
	for (i = 0; i < 5; i++) {
		uint32_t gone = i * 3 % 5;

		drop(world, ids[gone]);
		free(copies[gone].data);
		ids[gone] = 0;
		world_gc(world);
		for (j = 0; j < 5; j++)
			if (ids[j])
				world_check_snapshot(world, ids[j], &copies[j]);
		world_check(world);
	}
}

/* No write came between them: one row is for both. */
static void test_a_row_that_two_snapshots_see_stays_for_one(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t first, second;

	world_write(world, 0, 3 * B, 2);
	copy = world_copy(world);
	first = world_snapshot(world, "first");
	second = world_snapshot(world, "second");
	world_write(world, 0, 2 * B, 3);
	drop(world, first);
	world_gc(world);
	world_check_snapshot(world, second, &copy);
	assert_live_blocks(world, 5);
	drop(world, second);
	world_gc(world);
	assert_live_blocks(world, 3);
	world_check(world);
	free(copy.data);
}

static void test_what_only_the_older_neighbour_uses_stays(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t older, middle;

	world_write_block(world, 0, 2);
	copy = world_copy(world);
	older = world_snapshot(world, "older");
	world_write_block(world, 1, 3);
	middle = world_snapshot(world, "middle");
	world_write_block(world, 0, 4);
	drop(world, middle);
	world_gc(world);
	assert_live_blocks(world, 3);
	world_check_snapshot(world, older, &copy);
	world_check(world);
	free(copy.data);
}

static int setup_inline(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_INLINE);
}

static void test_compressed_chunks_go_with_their_last_user(void **state)
{
	struct store_world *world = *state;
	uint8_t *text = malloc((size_t)16 * B);
	uint32_t first, second;

	memset(text, 't', (size_t)16 * B);
	assert_int_equal(file_write(world->file, 0, text, (size_t)16 * B), 0);
	memcpy(world->expected, text, (size_t)16 * B);
	free(text);
	assert_live_blocks(world, 1);
	first = world_snapshot(world, "first");
	world_write_block(world, 0, 3);
	second = world_snapshot(world, "second");
	world_write(world, 0, (size_t)16 * B, 4);
	assert_live_blocks(world, 1 + 1 + 16);
	drop(world, first);
	world_gc(world);
	assert_live_blocks(world, 1 + 1 + 16); /* second uses it, too */
	drop(world, second);
	world_gc(world);
	assert_live_blocks(world, 16);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_neighbour_uses_is_subtracted),
		WORLD_TEST(test_the_neighbours_of_a_deleted_snapshot_stay),
		WORLD_TEST(test_a_row_that_two_snapshots_see_stays_for_one),
		WORLD_TEST(test_what_only_the_older_neighbour_uses_stays),
		cmocka_unit_test_setup_teardown(
			test_compressed_chunks_go_with_their_last_user,
			setup_inline, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
