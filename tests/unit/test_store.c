/* Opening and closing: the lock, the base, who may, what is refused. */
#include "store_world.h"

static int open_again(struct store_world *world)
{
	struct store *store;

	return store_open(world->path, NULL, &store, &world->failure);
}

static void test_a_store_is_open_once(void **state)
{
	struct store_world *world = *state;
	char pid[32];

	world->failure = (struct failure){ 0 };
	assert_true(open_again(world) < 0);
	assert_int_equal(world->failure.code, FAILURE_BUSY);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_non_null(strstr(world->failure.message, pid));
	world->failure = (struct failure){ 0 };
	world_check(world);
}

static void test_what_is_no_store_is_not_opened(void **state)
{
	struct store_world *world = *state;
	struct store *store;

	assert_failure(world,
		       store_open("/nonexistent", NULL, &store,
				  &world->failure),
		       FAILURE_NO_STORE);
	assert_failure(world,
		       store_open(world->directory, NULL, &store,
				  &world->failure),
		       FAILURE_NO_STORE);
	assert_failure(world,
		       store_open(world->base_path, NULL, &store,
				  &world->failure),
		       FAILURE_NO_STORE);
}

static void test_a_store_that_others_can_write_to_is_refused(void **state)
{
	struct store_world *world = *state;

	world_close(world);
	assert_int_equal(chmod(world->path, 0720), 0);
	assert_failure(world, open_again(world), FAILURE_FAILED);
	assert_int_equal(chmod(world->path, 0702), 0);
	assert_failure(world, open_again(world), FAILURE_FAILED);
	assert_int_equal(chmod(world->path, 0755), 0);
	world_open(world);
	world_check(world);
}

static void test_a_base_that_changed_is_refused(void **state)
{
	struct store_world *world = *state;
	int fd;

	world_close(world);
	fd = open(world->base_path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(io_write_all(fd, "changed", 7, 0), 0);
	close(fd);
	assert_failure(world, open_again(world), FAILURE_BASE_CHANGED);
}

static void test_a_base_that_moved_is_taken_and_remembered(void **state)
{
	struct store_world *world = *state;
	struct store_status status;
	char moved[80];

	world_write(world, 0, 100, 2);
	world_close(world);
	snprintf(moved, sizeof(moved), "%s/moved", world->directory);
	assert_int_equal(rename(world->base_path, moved), 0);
	assert_true(open_again(world) < 0);
	world->failure = (struct failure){ 0 };
	assert_ok(world, store_open(world->path, moved, &world->store,
				    &world->failure));
	assert_int_equal(store_close(world->store), 0);
	world_open(world);
	world_check(world);
	store_status(world->store, &status);
	assert_string_equal(status.base_path, moved);
}

static void test_a_wrong_configuration_is_told_with_its_line(void **state)
{
	struct store_world *world = *state;
	char path[80];
	int fd;

	world_close(world);
	snprintf(path, sizeof(path), "%s/store.conf", world->path);
	fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(io_write_all(fd, "\ncompres = off\n", 15, 0), 0);
	close(fd);
	assert_true(open_again(world) < 0);
	assert_non_null(strstr(world->failure.message, "line 2"));
	world->failure = (struct failure){ 0 };
	assert_int_equal(unlink(path), 0);
	world_open(world); /* without: the defaults */
	world_check(world);
}

static void test_a_full_host_takes_no_more_writes(void **state)
{
	struct store_world *world = *state;
	struct store_config config;
	struct store_status status;
	uint8_t block[BLOCK_BYTES] = { 1 };
	struct snapshot_info info;

	store_get_config(world->store, &config);
	config.reserve_bytes = UINT64_C(1) << 40;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	assert_int_equal(file_write(world->file, 0, block, sizeof(block)),
			 -ENOSPC);
	store_status(world->store, &status);
	assert_int_equal(status.health, STORE_HEALTH_ATTENTION);
	assert_false(status.read_only);
	/* The reserve is there for what gives space back. */
	assert_ok(world, history_snapshot(world->store, "main", "s", NULL,
					  SNAPSHOT_KIND_MANUAL, &world_actor,
					  &info, &world->failure));
	assert_ok(world,
		  history_delete_snapshot(world->store, info.id, true,
					  &world_actor, &world->failure));
	world_check(world);
	config.reserve_bytes = 0;
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	world_write(world, 0, 100, 2);
	world_check(world);
}

static void test_every_sync_is_one_flush_of_what_is_new(void **state)
{
	struct store_world *world = *state;
	struct store_counters a, b;

	world_write(world, 0, 5000, 2);
	store_counters(world->store, &a);
	assert_int_equal(store_sync(world->store), 0);
	assert_int_equal(file_sync(world->file), 0);
	store_counters(world->store, &b);
	assert_int_equal(b.syncs - a.syncs, 2);
	assert_int_equal(b.flushes - a.flushes, 1); /* nothing was new */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_store_is_open_once),
		WORLD_TEST(test_what_is_no_store_is_not_opened),
		WORLD_TEST(test_a_store_that_others_can_write_to_is_refused),
		WORLD_TEST(test_a_base_that_changed_is_refused),
		WORLD_TEST(test_a_base_that_moved_is_taken_and_remembered),
		WORLD_TEST(test_a_wrong_configuration_is_told_with_its_line),
		WORLD_TEST(test_a_full_host_takes_no_more_writes),
		WORLD_TEST(test_every_sync_is_one_flush_of_what_is_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
