/* Stores over directories: opening them, and what a view sees of them. */
#include "layered_world.h"

static int open_layers(struct store_world *world, struct layers **out_layers)
{
	struct view *view;
	int rc;

	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_null(view_image(view));
	rc = view_open_layers(view, out_layers, &world->failure);
	view_put(view);
	return rc;
}

static void test_a_view_opens_its_stack(void **state)
{
	struct store_world *world = *state;
	struct layers *layers;

	assert_true(store_is_tree(world->store));
	assert_ok(world, open_layers(world, &layers));
	assert_int_equal(layers_count(layers), 2);
	assert_int_equal(layers_id(layers, 0), 1);
	assert_string_equal(layers_path(layers, 1), world_place(world, "low"));
	layers_put(layers);
}

static void test_a_view_does_not_open_without_a_layer(void **state)
{
	struct store_world *world = *state;
	struct layers *layers;

	assert_int_equal(rmdir(world_place(world, "low")), 0);
	assert_failure(world, open_layers(world, &layers), FAILURE_FAILED);
	world_mkdir(world, "low");
	assert_failure(world, open_layers(world, &layers),
		       FAILURE_BASE_CHANGED);
}

static int open_with(struct store_world *world, const char *base_path)
{
	int rc;

	assert_int_equal(store_close(world->store), 0);
	world->store = NULL;
	rc = store_open(world->path, base_path, &world->store, &world->failure);
	return rc;
}

static void test_a_layer_that_was_moved_is_given_by_name(void **state)
{
	struct store_world *world = *state;
	struct layers *layers;
	char spec[128];

	assert_int_equal(rename(world_place(world, "low"),
				world_place(world, "away")),
			 0);
	snprintf(spec, sizeof(spec), "low=%s", world_place(world, "away"));
	assert_ok(world, open_with(world, spec));
	assert_ok(world, open_layers(world, &layers));
	assert_string_equal(layers_path(layers, 1), world_place(world, "away"));
	layers_put(layers);
	layered_reopen(world); /* it is remembered */
	assert_ok(world, open_layers(world, &layers));
	layers_put(layers);
}

static void test_a_moved_layer_must_be_that_directory(void **state)
{
	struct store_world *world = *state;
	char spec[128];

	snprintf(spec, sizeof(spec), "low=%s", world_place(world, "new"));
	assert_failure(world, open_with(world, spec), FAILURE_BASE_CHANGED);
	layered_open(world);
	snprintf(spec, sizeof(spec), "nosuch=%s", world_place(world, "new"));
	assert_failure(world, open_with(world, spec), FAILURE_NOT_FOUND);
	layered_open(world);
	assert_failure(world, open_with(world, world_place(world, "low")),
		       FAILURE_USAGE);
	layered_open(world);
}

static void test_history_works_without_an_image(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct undo_result undone;
	struct branch_info info;
	uint32_t id = world_snapshot(world, "s1");

	world_rollback(world, id, &result);
	world_undo(world, result.operation_id, &undone);
	assert_ok(world, history_clone(world->store, "main", id, "other",
				       &world_actor, &info, &world->failure));
	assert_int_equal(info.size_bytes, 0);
	assert_failure(world,
		       history_resize(world->store, "main", 4096, &world_actor,
				      &world->failure),
		       FAILURE_USAGE);
	assert_failure(world,
		       history_diff(world->store, 0, "main", 0, NULL, NULL,
				    &world->failure),
		       FAILURE_USAGE);
	world_gc(world);
	layered_crash(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAYERED_TEST(test_a_view_opens_its_stack),
		LAYERED_TEST(test_a_view_does_not_open_without_a_layer),
		LAYERED_TEST(test_a_layer_that_was_moved_is_given_by_name),
		LAYERED_TEST(test_a_moved_layer_must_be_that_directory),
		LAYERED_TEST(test_history_works_without_an_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
