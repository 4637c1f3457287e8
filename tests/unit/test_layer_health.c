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

static void write_file(const struct store_world *world, const char *name,
		       const char *text)
{
	FILE *file = fopen(world_place(world, name), "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* Changed between the look at it and the first read. */
static void see_change(struct layers *layers, const struct store_world *world,
		       const char *layer, const char *name)
{
	struct base_node *root = NULL, *node = NULL;
	struct base_stat seen, root_seen;
	struct base_file *file;
	char path[64], data[8];

	snprintf(path, sizeof(path), "%s/%s", layer, name);
	write_file(world, path, "old");
	assert_int_equal(base_root(layers, &root, &root_seen), 0);
	assert_int_equal(base_lookup(root, name, &node, &seen), 0);
	assert_int_equal(base_file_open(node, &seen, &file), 0);
	write_file(world, path, "longer");
	assert_int_equal(base_file_read(file, 0, data, 3), -ESTALE);
	base_file_close(file);
	base_node_put(node);
	base_node_put(root);
}

static void test_files_that_changed_are_counted_and_named(void **state)
{
	struct store_world *world = *state;
	struct layers *layers, *again;
	struct layer_info info;
	struct view *view;

	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_ok(world, view_open_layers(view, &layers, &world->failure));
	assert_ok(world, view_open_layers(view, &again, &world->failure));
	assert_ptr_equal(layers, again);
	see_change(layers, world, "top", "one");
	see_change(again, world, "top", "two");
	info = layer_named(world, "top");
	layers_put(layers);
	layers_put(again);
	view_put(view);
	assert_int_equal(info.state, LAYER_STATE_CHANGED);
	assert_int_equal(info.changed_files, 2);
	assert_non_null(strstr(info.reason, "two"));
	info = layer_named(world, "top"); /* remembered */
	assert_int_equal(info.changed_files, 2);
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
