/* What a store says of itself, and its settings. */
#include "store_world.h"

static struct store_status status(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status;
}

static void test_a_new_store_is_good_and_names_its_base(void **state)
{
	struct store_world *world = *state;
	struct store_status s = status(world);

	assert_int_equal(s.health, STORE_HEALTH_GOOD);
	assert_string_equal(s.reason, "");
	assert_string_equal(s.base_kind, "file");
	assert_string_equal(s.base_path, world->base_path);
	assert_int_equal(s.base_size_bytes, WORLD_BASE_BYTES);
	assert_string_equal(s.path, world->path);
	assert_false(s.read_only || s.base_changed);
}

static void test_the_uuid_is_of_version_4_and_stays(void **state)
{
	struct store_world *world = *state;
	struct store_status a = status(world), b;
	size_t i;

	assert_int_equal(strlen(a.uuid), 36);
	for (i = 0; i < 36; i++)
		assert_int_equal(a.uuid[i] == '-',
				 i == 8 || i == 13 || i == 18 || i == 23);
	assert_int_equal(a.uuid[14], '4');
	assert_non_null(strchr("89ab", a.uuid[19]));
	world_reopen(world);
	b = status(world);
	assert_string_equal(a.uuid, b.uuid);
}

static void test_what_is_unsaved_and_unsynced_is_told(void **state)
{
	struct store_world *world = *state;
	struct store_status before = status(world), after;

	world_write_block(world, 0, 2);
	after = status(world);
	assert_int_equal(after.log_records, before.log_records + 1);
	assert_int_equal(after.durable_records, before.durable_records);
	assert_true(after.dirty_bytes > 0);
	assert_int_equal(store_sync(world->store), 0);
	after = status(world);
	assert_int_equal(after.durable_records, after.log_records);
}

static void test_settings_outlive_the_process(void **state)
{
	struct store_world *world = *state;
	struct store_config config, seen;

	store_get_config(world->store, &config);
	config.compress = COMPRESS_MODE_INLINE;
	config.keep_daily = 77;
	config.trash_keep_ns = UINT64_C(5000000000);
	assert_ok(world,
		  store_configure(world->store, &config, &world->failure));
	store_get_config(world->store, &seen);
	assert_int_equal(seen.keep_daily, 77);
	world_crash(world);
	store_get_config(world->store, &seen);
	assert_int_equal(seen.compress, COMPRESS_MODE_INLINE);
	assert_int_equal(seen.keep_daily, 77);
	assert_int_equal(seen.trash_keep_ns, UINT64_C(5000000000));
}

/* Else the next one who opens the store finds a store.conf that is none. */
static void test_a_setting_that_no_store_conf_has_is_refused(void **state)
{
	struct store_world *world = *state;
	struct store_config config, before;

	store_get_config(world->store, &before);
	config = before;
	config.reserve_bytes = UINT64_C(1) << 60;
	assert_failure(world,
		       store_configure(world->store, &config, &world->failure),
		       FAILURE_USAGE);
	config = before;
	config.checkpoint_every_ns = 1;
	assert_failure(world,
		       store_configure(world->store, &config, &world->failure),
		       FAILURE_USAGE);
	world_reopen(world);
	store_get_config(world->store, &config);
	assert_memory_equal(&config, &before, sizeof(config));
}

static void test_after_gc_nothing_is_left_to_delete(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_int_equal(status(world).deleting_snapshots, 0);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	world_gc(world);
	assert_int_equal(status(world).deleting_snapshots, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_setting_that_no_store_conf_has_is_refused),
		WORLD_TEST(test_a_new_store_is_good_and_names_its_base),
		WORLD_TEST(test_the_uuid_is_of_version_4_and_stays),
		WORLD_TEST(test_what_is_unsaved_and_unsynced_is_told),
		WORLD_TEST(test_settings_outlive_the_process),
		WORLD_TEST(test_after_gc_nothing_is_left_to_delete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
