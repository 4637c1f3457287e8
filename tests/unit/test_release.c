/* What is given back after a checkpoint, and that index.bak stays true. */
#include <stdbool.h>

#include "store_world.h"

enum { B = BLOCK_BYTES };

static bool segment_exists(const struct store_world *world)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	return access(path, F_OK) == 0;
}

static uint64_t segment_bytes(const struct store_world *world)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/segments/00000001.seg", world->path);
	assert_int_equal(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

/* Rule 4: freed blocks are given back by the checkpoint, not before. */
static void test_freed_blocks_are_punched_by_the_checkpoint(void **state)
{
	struct store_world *world = *state;
	uint64_t full;

	world_write(world, 0, 1 << 20, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	full = segment_bytes(world);
	world_write(world, 0, 1 << 20, 3);
	assert_true(segment_bytes(world) >= full + (1 << 20));
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_true(segment_bytes(world) <= full + 16 * B);
	world_check(world);
	world_crash(world);
	world_check(world);
}

/* The world's checkpoints are an hour apart. */
static void test_a_discard_is_given_back_within_seconds(void **state)
{
	struct store_world *world = *state;
	uint64_t full;
	int i;

	world_write(world, 0, 2 << 20, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	full = segment_bytes(world);
	world_zero(world, 0, 2 << 20);
	for (i = 0; i < 40 && segment_bytes(world) + (1 << 20) > full; i++)
		usleep(100000);
	assert_true(segment_bytes(world) + (1 << 20) <= full);
	world_check(world);
}

static void test_blocks_of_a_snapshot_are_not_punched(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t id;

	world_write(world, 0, 1 << 20, 2);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, 0, 1 << 20, 3);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_check_snapshot(world, id, &copy);
	world_check(world);
	free(copy.data);
}

/* What a crash left unpunched is punched when the store is opened. */
static void test_a_crash_before_the_punch_wastes_nothing(void **state)
{
	struct store_world *world = *state;
	uint64_t full;

	world_write(world, 0, 1 << 20, 2);
	assert_int_equal(store_checkpoint(world->store), 0);
	full = segment_bytes(world);
	world_write(world, 0, 1 << 20, 3);
	world_crash(world);
	assert_true(segment_bytes(world) <= full + 16 * B);
	world_check(world);
}

static void test_the_backup_takes_the_place_of_a_lost_index(void **state)
{
	struct store_world *world = *state;
	char index[96], backup[96], wal[96];
	struct world_copy old;
	uint32_t id;

	world_write(world, 0, 9 * B, 2);
	old = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, 4 * B, B, 3);
	world_close(world);
	snprintf(index, sizeof(index), "%s/index.db", world->path);
	snprintf(backup, sizeof(backup), "%s/index.bak", world->path);
	snprintf(wal, sizeof(wal), "%s/index.db-wal", world->path);
	unlink(wal);
	assert_int_equal(rename(backup, index), 0);
	world_open(world);
	world_check(world);
	world_check_snapshot(world, id, &old);
	free(old.data);
}

/* As who repairs a lost index by hand, while the store is not open. */
static void put_back_the_backup(struct store_world *world)
{
	char command[400];

	store_abandon(world->store);
	snprintf(command, sizeof(command),
		 "rm -f %s/index.db-wal && cp %s/index.bak %s/index.db",
		 world->path, world->path, world->path);
	assert_int_equal(system(command), 0);
	world_open(world);
}

/* The log names blocks that a checkpoint punched after the backup. */
static void test_the_backup_knows_of_writes_that_were_punched(void **state)
{
	struct store_world *world = *state;

	world_write(world, 0, 4 * B, 2);
	world_write(world, 0, 4 * B, 3);
	world_write(world, 10 * B, 4 * B, 4);
	assert_int_equal(store_checkpoint(world->store), 0);
	put_back_the_backup(world);
	world_check(world);
}

/* A dead segment goes whole, and neither index refers to it any more. */
static void test_the_backup_does_not_know_a_segment_that_is_gone(void **state)
{
	struct store_world *world = *state;
	unsigned i;

	for (i = 0; i < 2 * SEGMENT_BYTES / WINDOW_BYTES; i++)
		world_write(world, 0, WINDOW_BYTES, (uint8_t)(2 + i % 200));
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_false(segment_exists(world));
	put_back_the_backup(world);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_freed_blocks_are_punched_by_the_checkpoint),
		WORLD_TEST(test_a_discard_is_given_back_within_seconds),
		WORLD_TEST(test_blocks_of_a_snapshot_are_not_punched),
		WORLD_TEST(test_a_crash_before_the_punch_wastes_nothing),
		WORLD_TEST(test_the_backup_takes_the_place_of_a_lost_index),
		WORLD_TEST(test_the_backup_knows_of_writes_that_were_punched),
		WORLD_TEST(
			test_the_backup_does_not_know_a_segment_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
