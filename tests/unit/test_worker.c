/* What happens in the background, without anybody asking. */
#include "store_impl.h"
#include "store_world.h"

static void configure(struct store_world *world, struct store_config *config)
{
	assert_ok(world,
		  store_configure(world->store, config, &world->failure));
}

static bool saved(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status.checkpoint_lsn == status.log_records;
}

static bool deleted(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status.deleting_snapshots == 0;
}

/* Within five seconds, much longer than a tick. */
static bool soon(struct store_world *world, bool (*is)(struct store_world *))
{
	int i;

	for (i = 0; i < 500; i++) {
		if (is(world))
			return true;
		usleep(10000);
	}
	return false;
}

static void test_a_checkpoint_comes_with_time(void **state)
{
	struct store_world *world = *state;
	struct store_config config;

	world_write(world, 0, 5000, 2);
	assert_false(saved(world));
	store_get_config(world->store, &config);
	config.checkpoint_every_ns = 100000000;
	configure(world, &config);
	assert_true(soon(world, saved));
}

static void test_a_checkpoint_comes_with_a_long_log(void **state)
{
	struct store_world *world = *state;
	struct store_config config;

	store_get_config(world->store, &config);
	config.checkpoint_log_bytes = 1 << 20;
	configure(world, &config);
	world_write(world, 0, 500000, 2);
	assert_false(saved(world));
	world_write(world, 0, 1 << 20, 3);
	assert_true(soon(world, saved));
	world_check(world);
}

static void test_what_is_deleted_for_good_goes_by_itself(void **state)
{
	struct store_world *world = *state;
	uint32_t id;

	world_write(world, 0, 5000, 2);
	id = world_snapshot(world, "s");
	world_write(world, 0, 5000, 3);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_true(soon(world, deleted));
	world_check(world);
}

/* Rule 9: writers wait for the checkpoint, memory does not grow. */
static void test_writers_wait_when_memory_is_full_of_unsaved(void **state)
{
	struct store_world *world = *state;
	enum { WINDOWS = 2000, LIMIT_BYTES = 128 << 10 };
	struct store_status status;
	uint64_t i, most = 0;

	/* Less than store.conf may ask for. */
	world->store->live.cache_bytes = LIMIT_BYTES;
	for (i = 2; i < WINDOWS; i++) {
		assert_int_equal(
			file_write(world->file, i * WINDOW_BYTES, "x", 1), 0);
		store_status(world->store, &status);
		most = status.dirty_bytes > most ? status.dirty_bytes : most;
	}
	assert_true(most > LIMIT_BYTES / 4);
	assert_true(most <= LIMIT_BYTES);
	for (i = 2; i < WINDOWS; i++) {
		char byte = 0;
		size_t n;

		assert_int_equal(file_read(world->file, i * WINDOW_BYTES, &byte,
					   1, &n),
				 0);
		assert_int_equal(byte, 'x');
	}
}

static void test_a_stopped_worker_can_be_stopped_again(void **state)
{
	struct store_world *world = *state;

	worker_stop(world->store);
	worker_stop(world->store);
	world_write(world, 0, 5000, 2); /* nobody to wait for */
	world_reopen(world);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_checkpoint_comes_with_time),
		WORLD_TEST(test_a_checkpoint_comes_with_a_long_log),
		WORLD_TEST(test_what_is_deleted_for_good_goes_by_itself),
		WORLD_TEST(test_writers_wait_when_memory_is_full_of_unsaved),
		WORLD_TEST(test_a_stopped_worker_can_be_stopped_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
