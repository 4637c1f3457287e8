/* Files that a crash left in segments/, without a row in the index. */
#include "store_world.h"

#include "store_impl.h"

enum { MIB = 1 << 20 };

static void segment_path(const struct store_world *world, uint32_t id,
			 char path[96])
{
	snprintf(path, 96, "%s/segments/%08x.seg", world->path, id);
}

static bool exists(const struct store_world *world, uint32_t id)
{
	char path[96];

	segment_path(world, id, path);
	return access(path, F_OK) == 0;
}

/* A copy of a segment's first block, under another id and name. */
static void leave(const struct store_world *world, uint32_t id,
		  uint32_t header_id, uint64_t seed)
{
	struct segment_header header = { .segment = header_id, .seed = seed };
	uint8_t block[FORMAT_BLOCK_BYTES];
	char path[96];
	int fd;

	memcpy(header.uuid, world->store->uuid, sizeof(header.uuid));
	segment_header_encode(&header, block);
	segment_path(world, id, path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, block, sizeof(block), 0), 0);
	close(fd);
}

/* Writes over and over, until the segments before the tail are gone. */
static uint32_t move_on(struct store_world *world)
{
	while (space_map_newest(&world->store->space) < 6)
		world_write(world, 0, MIB, 2 + (uint32_t)rand() % 100);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_false(exists(world, 2));
	assert_false(exists(world, 3));
	return space_map_newest(&world->store->space);
}

static void test_what_a_crash_left_goes_with_the_next_checkpoint(void **state)
{
	struct store_world *world = *state;
	uint32_t newest = move_on(world);

	leave(world, 2, 2, world->store->seed);
	world_crash(world);
	world_write(world, 0, 100, 7);
	assert_true(exists(world, 2)); /* index.bak may have a row of it */
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_false(exists(world, 2));
	assert_true(exists(world, newest));
	world_check(world);
	world_reopen(world);
	world_check(world);
}

static void test_what_is_not_surely_ours_stays(void **state)
{
	struct store_world *world = *state;
	uint32_t newest = move_on(world);

	leave(world, 2, 3, world->store->seed);
	leave(world, 3, 3, world->store->seed + 1);
	leave(world, newest + 9, newest + 9, world->store->seed);
	world_crash(world);
	world_write(world, 0, 100, 7);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_true(exists(world, 2));
	assert_true(exists(world, 3));
	assert_true(exists(world, newest + 9));
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(
			test_what_a_crash_left_goes_with_the_next_checkpoint),
		WORLD_TEST(test_what_is_not_surely_ours_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
