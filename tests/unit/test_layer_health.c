/* Layers that are missing, replaced, or changed underneath. */
#include "layered_world.h"

static enum store_health health(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	assert_true((status.reason[0] != '\0') ==
		    (status.health != STORE_HEALTH_GOOD));
	return status.health;
}

static void test_a_store_is_healthy_over_what_it_was_made_over(void **state)
{
	struct store_world *world = *state;
	struct store_status status;

	assert_int_equal(health(world), STORE_HEALTH_GOOD);
	store_status(world->store, &status);
	assert_string_equal(status.base_kind, "directory");
	assert_string_equal(status.base_path, world_place(world, "top"));
	assert_int_equal(layer_named(world, "low").branches, 1);
}

static void test_a_missing_layer_is_told_and_can_be_taken_out(void **state)
{
	struct store_world *world = *state;

	assert_int_equal(rmdir(world_place(world, "low")), 0);
	layered_reopen(world);
	assert_int_equal(health(world), STORE_HEALTH_ATTENTION);
	assert_int_equal(layer_named(world, "low").state, LAYER_STATE_MISSING);
	assert_int_equal(layer_named(world, "top").state, LAYER_STATE_OK);
	assert_ok(world, layer_remove(world, "low"));
	assert_int_equal(health(world), STORE_HEALTH_GOOD);
	assert_int_equal(layer_named(world, "low").branches, 0);
}

static void test_another_directory_in_its_place_is_told(void **state)
{
	struct store_world *world = *state;

	assert_int_equal(rename(world_place(world, "low"),
				world_place(world, "away")),
			 0);
	world_mkdir(world, "low");
	layered_reopen(world);
	assert_int_equal(health(world), STORE_HEALTH_ATTENTION);
	assert_int_equal(layer_named(world, "low").state, LAYER_STATE_CHANGED);
}

static void test_a_layer_that_comes_back_is_good_again(void **state)
{
	struct store_world *world = *state;

	assert_int_equal(rename(world_place(world, "low"),
				world_place(world, "away")),
			 0);
	assert_int_equal(layer_named(world, "low").state, LAYER_STATE_MISSING);
	assert_int_equal(rename(world_place(world, "away"),
				world_place(world, "low")),
			 0);
	assert_int_equal(layer_named(world, "low").state, LAYER_STATE_OK);
	assert_int_equal(health(world), STORE_HEALTH_GOOD);
}

static void test_files_that_changed_are_counted_and_named(void **state)
{
	struct store_world *world = *state;
	struct layer_info info;

	store_note_base_change(world->store, 1, "/etc/passwd");
	store_note_base_change(world->store, 1, "/etc/shadow");
	store_note_base_change(world->store, 200, "/none");
	info = layer_named(world, "top");
	assert_int_equal(info.state, LAYER_STATE_CHANGED);
	assert_int_equal(info.changed_files, 2);
	assert_non_null(strstr(info.reason, "/etc/shadow"));
	assert_int_equal(layer_named(world, "low").state, LAYER_STATE_OK);
	assert_int_equal(health(world), STORE_HEALTH_ATTENTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERED_TEST(
			test_a_store_is_healthy_over_what_it_was_made_over),
		LAYERED_TEST(test_a_missing_layer_is_told_and_can_be_taken_out),
		LAYERED_TEST(test_another_directory_in_its_place_is_told),
		LAYERED_TEST(test_a_layer_that_comes_back_is_good_again),
		LAYERED_TEST(test_files_that_changed_are_counted_and_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
