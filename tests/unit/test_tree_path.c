/* Whole paths, and what serves them. */
#include "tree_path.h"

#include "tree_world.h"

static int find(struct tree_world *world, const char *path)
{
	struct tree_node *node;
	struct tree_attr attr;
	int rc = tree_find_path(world->tree, path, &node, &attr);

	if (rc == 0)
		tree_node_put(node, 1);
	return rc;
}

static void test_paths_are_walked_name_by_name(void **state)
{
	struct tree_world *world = *state;
	char name[300];

	assert_int_equal(find(world, ""), 0);
	assert_int_equal(find(world, "/"), 0);
	assert_int_equal(find(world, "d/sub/h"), 0);
	assert_int_equal(find(world, "./d//sub/./"), 0);
	assert_int_equal(find(world, "d/nope/h"), -ENOENT);
	assert_int_equal(find(world, "a/b"), -ENOTDIR);
	assert_int_equal(find(world, "link/x"), -ENOTDIR);
	assert_int_equal(find(world, "d/../a"), -EINVAL);
	memset(name, 'x', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(find(world, name), -ENAMETOOLONG);
}

static struct tree_source which(struct tree_world *world, const char *path)
{
	struct tree_node *node = world_node(world, path);
	struct tree_source source;

	assert_int_equal(tree_which(node, &source), 0);
	tree_node_put(node, 1);
	return source;
}

static void test_layer_or_delta(void **state)
{
	struct tree_world *world = *state;
	struct tree_source source = which(world, "d/f");

	assert_int_equal(source.layer, 1);
	assert_string_equal(source.layer_path, "/d/f");
	assert_false(source.stored);
	assert_false(source.stored_data);
	assert_true(source.layer_data);
	world_put(world, "d", "f", "X");
	assert_int_equal(world_rename(world, "", "d", "", "e", 0), 0);
	source = which(world, "e/f");
	assert_string_equal(source.layer_path, "/d/f");
	assert_true(source.stored);
	assert_true(source.stored_data);
	world_put(world, "e", "new", "X");
	source = which(world, "e/new");
	assert_int_equal(source.layer, 0);
	assert_true(source.stored);
	assert_true(source.stored_data);
	assert_false(source.layer_data);
	source = which(world, "");
	assert_string_equal(source.layer_path, "/");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_paths_are_walked_name_by_name),
		TEST(test_layer_or_delta),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
