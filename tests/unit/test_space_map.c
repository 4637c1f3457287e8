/* Freed blocks reach the host, also when the store was closed in between. */
#include "store_world.h"

#include "index.h"
#include "space_map.h"

enum { BLOCKS = 64 };

struct found {
	struct segment_row row;
	uint8_t live[SEGMENT_BITMAP_BYTES];
};

static int take_row(void *context, const struct segment_row *row)
{
	struct found *found = context;

	found->row = *row;
	memcpy(found->live, row->live, sizeof(found->live));
	found->row.live = found->live;
	return 0;
}

static uint32_t first_dead(const struct found *found)
{
	uint32_t block;

	for (block = 2; block < found->row.used_blocks; block++)
		if (!(found->live[block / 8] >> (block % 8) & 1))
			return block;
	fail_msg("no block is dead");
	return 0;
}

static bool is_hole(struct store_world *world, uint32_t block)
{
	char path[128];
	off_t at = (off_t)block * BLOCK_BYTES;
	off_t hole;
	int fd;

	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	hole = lseek(fd, at, SEEK_HOLE);
	close(fd);
	return hole == at;
}

/* A dead block with data in it, and the mark that says so: as a store leaves
 * it that was closed while the reaper had work. */
static uint32_t leave_unpunched(struct store_world *world)
{
	uint8_t data[BLOCK_BYTES];
	struct found found;
	struct index *index;
	char path[128];
	uint32_t block;
	int fd;

	assert_ok(world, index_open(world->path, &index, &world->failure));
	assert_int_equal(index_segments_load(index, take_row, &found), 0);
	block = first_dead(&found);
	found.row.punch = true;
	assert_int_equal(index_segment_put(index, &found.row), 0);
	assert_int_equal(index_commit(index), 0);
	index_close(index);
	memset(data, 'x', sizeof(data));
	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, data, sizeof(data),
				(off_t)block * BLOCK_BYTES),
			 BLOCK_BYTES);
	close(fd);
	return block;
}

static void test_a_mark_is_heeded_after_a_clean_close(void **state)
{
	struct store_world *world = *state;
	uint32_t block;
	unsigned i;

	for (i = 0; i < BLOCKS; i++)
		world_write_block(world, i, 1);
	for (i = 0; i < BLOCKS / 2; i++)
		world_write_block(world, i, 2);
	world_close(world);
	block = leave_unpunched(world);
	assert_false(is_hole(world, block));
	world_open(world);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_true(is_hole(world, block));
	world_check(world);
	world_reopen(world);
	world_check(world);
}

static void test_what_replay_finds_in_use_is_not_freed(void **state)
{
	struct store_world *world = *state;
	unsigned i;

	for (i = 0; i < BLOCKS; i++)
		world_write_block(world, i, 1);
	for (i = 0; i < BLOCKS / 2; i++)
		world_write_block(world, i, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	for (i = 0; i < BLOCKS / 4; i++)
		world_write_block(world, i, 3);
	world_crash(world);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_check(world);
	world_reopen(world);
	world_check(world);
}

static void test_a_block_that_is_freed_waits_for_a_save(void **state)
{
	const struct location at = { 1, 5 };
	struct space_map map;
	struct space_save save;

	(void)state;
	space_map_init(&map);
	space_map_use(&map, at, 3, false);
	assert_true(space_map_is_live(&map, at));
	assert_int_equal(space_map_live_blocks(&map), 3);
	space_map_free(&map, at, 2);
	space_map_free(&map, at, 2); /* once is enough */
	assert_false(space_map_is_live(&map, at));
	assert_int_equal(space_map_live_blocks(&map), 1);
	assert_int_equal(space_map_freed_blocks(&map), 2);
	assert_int_equal(space_map_begin_save(&map, &save), 0);
	assert_int_equal(save.count, 1);
	assert_int_equal(save.segments[0].freed[0], 3 << 5);
	assert_true(save.segments[0].punch);
	assert_int_equal(space_map_freed_blocks(&map), 0);
	space_save_fini(&save);
	/* A use that was not noted must never become an index. */
	map.failed = true;
	assert_int_equal(space_map_begin_save(&map, &save), -ENOMEM);
	space_save_fini(&save);
	space_map_fini(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_mark_is_heeded_after_a_clean_close),
		WORLD_TEST(test_what_replay_finds_in_use_is_not_freed),
		cmocka_unit_test(test_a_block_that_is_freed_waits_for_a_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
