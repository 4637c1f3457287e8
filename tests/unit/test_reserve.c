/* Others have filled the disk to the last block, and what must go on does. */
#include "full_hook.h"
#include "reserve.h"
#include "store_world.h"

enum { B = BLOCK_BYTES, RESERVE = 1 << 20 };

static void configure(struct store_world *world, uint64_t reserve_bytes)
{
	struct store_config config;

	world_config(&config);
	config.reserve_bytes = reserve_bytes;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	reserve_keep(world->store);
}

static int setup(void **state)
{
	return world_setup(state);
}

static int teardown(void **state)
{
	io_hook = NULL;
	return world_teardown(state);
}

static int try_write(struct store_world *world, size_t offset, size_t len_bytes)
{
	AUTO_FREE uint8_t *data = malloc(len_bytes);

	assert_non_null(data);
	world_fill(data, len_bytes, 77);
	return file_write(world->file, offset, data, len_bytes);
}

/* Windows far from each other, so that many rows are unsaved. */
static void grow_to(struct store_world *world, size_t windows)
{
	size_t i;

	world_resize(world, windows * WINDOW_BYTES);
	for (i = 0; i < windows; i++)
		world_write(world, i * WINDOW_BYTES, B, (uint32_t)i + 2);
}

static void assert_healthy(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	assert_false(status.read_only);
	world_check(world);
}

static void test_all_is_saved_on_a_full_disk(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };

	configure(world, RESERVE);
	grow_to(world, 40);
	full_disk_begin(&disk);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_false(index_waits(world->store->index));
	assert_int_equal(try_write(world, 0, (size_t)4 * B), -ENOSPC);
	assert_healthy(world);
	world_reopen(world);
	assert_healthy(world);
	world_crash(world);
	assert_healthy(world);
}

static void test_history_goes_on_on_a_full_disk(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };
	struct rollback_result rollback;
	struct world_copy copy;
	uint32_t one, two;

	configure(world, RESERVE);
	grow_to(world, 20);
	one = world_snapshot(world, "one");
	copy = world_copy(world);
	world_write(world, 0, WINDOW_BYTES, 99);
	two = world_snapshot(world, "two");
	full_disk_begin(&disk);
	assert_ok(world,
		  history_delete_snapshot(world->store, two, true, &world_actor,
					  &world->failure));
	world_gc(world);
	world_rollback(world, one, &rollback);
	world_expect_copy(world, &copy);
	assert_healthy(world);
	world_reopen(world);
	assert_healthy(world);
	world_crash(world);
	world_gc(world);
	world_check_snapshot(world, one, &copy);
	free(copy.data);
}

enum { MANY_WINDOWS = 8000 };

/* Too large for the array beside it. */
static void write_many(struct store_world *world, uint32_t seed)
{
	uint8_t block[B];
	uint32_t i;

	for (i = 0; i < MANY_WINDOWS; i++) {
		world_fill(block, B, seed + i);
		assert_int_equal(file_write(world->file,
					    i * (uint64_t)WINDOW_BYTES, block,
					    B),
				 0);
	}
	assert_int_equal(store_checkpoint(world->store), 0);
}

static void check_many(struct store_world *world, uint32_t seed)
{
	uint8_t block[B], expected[B];
	size_t n;
	uint32_t i;

	for (i = 0; i < MANY_WINDOWS; i += 7) {
		world_fill(expected, B, seed + i);
		assert_int_equal(file_read(world->file,
					   i * (uint64_t)WINDOW_BYTES, block, B,
					   &n),
				 0);
		assert_memory_equal(block, expected, B);
	}
}

/* More rows than a commit has room for. */
static void test_much_history_is_dropped_bit_by_bit(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };
	struct store_counters before, after;
	uint32_t id;

	configure(world, RESERVE);
	assert_int_equal(file_resize(world->file,
				     MANY_WINDOWS * (uint64_t)WINDOW_BYTES),
			 0);
	write_many(world, 2);
	id = world_snapshot(world, "all");
	write_many(world, 9000);
	reserve_keep(world->store);
	assert_int_equal(store_checkpoint(world->store), 0);
	full_disk_begin(&disk);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	store_counters(world->store, &before);
	world_gc(world);
	store_counters(world->store, &after);
	assert_true(after.checkpoints - before.checkpoints > 10);
	assert_false(index_waits(world->store->index));
	check_many(world, 9000);
	world_crash(world);
	check_many(world, 9000);
}

/* As on a file system that sets nothing aside. */
static void test_a_commit_without_room_waits(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };
	uint32_t id;

	grow_to(world, 40);
	full_disk_begin(&disk);
	assert_int_equal(store_checkpoint(world->store), -ENOSPC);
	assert_true(index_waits(world->store->index));
	assert_int_equal(try_write(world, 0, B), -ENOSPC);
	assert_healthy(world);
	disk.full = false;
	id = world_snapshot(world, "later");
	disk.full = true;
	assert_int_equal(store_checkpoint(world->store), -ENOSPC);
	disk.full = false;
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_false(index_waits(world->store->index));
	world_write(world, 0, WINDOW_BYTES, 5);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	world_gc(world);
	assert_healthy(world);
	world_reopen(world);
	assert_healthy(world);
}

static void test_what_waits_survives_a_close_and_a_kill(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };

	grow_to(world, 40);
	full_disk_begin(&disk);
	assert_int_equal(store_checkpoint(world->store), -ENOSPC);
	view_put(world->view);
	assert_int_equal(store_close(world->store), 0);
	disk.full = false;
	world_open(world);
	assert_healthy(world);
	world_write(world, 0, WINDOW_BYTES, 6);
	disk.full = true;
	assert_int_equal(store_checkpoint(world->store), -ENOSPC);
	disk.full = false;
	world_crash(world);
	assert_healthy(world);
}

/* Nothing that the committed index refers to is given back. */
static void test_nothing_is_punched_while_the_index_waits(void **state)
{
	struct store_world *world = *state;
	struct full_disk disk = { 0 };

	grow_to(world, 40);
	assert_int_equal(store_checkpoint(world->store), 0);
	world_resize(world, 0);
	world_resize(world, (size_t)40 * WINDOW_BYTES);
	full_disk_begin(&disk);
	disk.refuse_wal = true;
	assert_int_equal(store_checkpoint(world->store), -ENOSPC);
	assert_int_equal(disk.punched, 0);
	disk.full = false;
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_true(disk.punched > 0);
	assert_healthy(world);
}

static void test_who_wants_no_reserve_sets_nothing_aside(void **state)
{
	struct store_world *world = *state;
	char path[128];
	struct stat st;

	configure(world, RESERVE);
	snprintf(path, sizeof(path), "%s/segments/spare.tmp", world->path);
	assert_int_equal(stat(path, &st), 0);
	configure(world, 0);
	assert_int_equal(stat(path, &st), -1);
}

static void test_a_reserve_that_lends_has_it_back(void **state)
{
	struct store_world *world = *state;

	configure(world, RESERVE);
	/* Only where a hole needs room. */
	if (!atomic_load(&world->store->loan_ready)) {
		assert_false(reserve_lend(world->store));
		skip();
	}
	assert_true(reserve_lend(world->store));
	assert_false(reserve_lend(world->store));
	reserve_keep(world->store);
	assert_true(reserve_lend(world->store));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_all_is_saved_on_a_full_disk),
		CASE(test_history_goes_on_on_a_full_disk),
		CASE(test_much_history_is_dropped_bit_by_bit),
		CASE(test_a_commit_without_room_waits),
		CASE(test_what_waits_survives_a_close_and_a_kill),
		CASE(test_nothing_is_punched_while_the_index_waits),
		CASE(test_who_wants_no_reserve_sets_nothing_aside),
		CASE(test_a_reserve_that_lends_has_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
