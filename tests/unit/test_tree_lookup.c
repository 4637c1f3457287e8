/* Looking names up: items first, then the layers from the top. */
#include "tree_world.h"

static void test_topmost_layer_decides(void **state)
{
	struct tree_world *world = *state;

	world_expect(world, "a", "hello");
	world_expect(world, "z", "below");
	world_expect(world, "d/low", "low");
	world_expect(world, "d/sub/l", "l");
	assert_int_equal(world_attr(world, "z").inode >> 40, 2);
	assert_int_equal(world_attr(world, "d").inode >> 40, 1);
}

static void test_what_is_removed_hides_all_layers(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_lookup_rc(world, "a"), -ENOENT);
	world_reopen(world);
	assert_int_equal(world_lookup_rc(world, "a"), -ENOENT);
	world_put(world, "", "a", "mine");
	world_expect(world, "a", "mine");
	assert_int_equal(world_attr(world, "a").inode >> 40, 0);
}

static void test_hard_links_are_one_node(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *a = world_node(world, "a");
	struct tree_node *b = world_node(world, "b");

	assert_ptr_equal(a, b);
	tree_node_put(a, 2);
	world_put(world, "", "b", "J");
	world_reopen(world);
	world_expect(world, "a", "Jello");
}

static void test_names_that_cannot_be(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct tree_attr attr;

	assert_int_equal(tree_lookup(tree_root(world->tree), "", &node, &attr),
			 -ENOENT);
	assert_int_equal(world_lookup_rc(world, "a/x"), -ENOTDIR);
	assert_int_equal(world_lookup_rc(world, "none/x"), -ENOENT);
}

static void test_parent_of_the_root_is_the_root(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *root = tree_root(world->tree), *node, *file;
	struct tree_attr attr;

	assert_int_equal(tree_parent(root, &node, &attr), 0);
	assert_ptr_equal(node, root);
	tree_node_put(node, 1);
	file = world_node(world, "a");
	assert_int_equal(tree_parent(file, &node, &attr), -ENOTDIR);
	tree_node_put(file, 1);
}

/* Though nobody knows the directory, and no item tells where it is. */
static void test_parent_of_what_has_no_item_is_found(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d").inode;
	struct tree_node *node = world_node(world, "d/sub"), *parent;
	struct tree_attr attr;

	assert_int_equal(tree_parent(node, &parent, &attr), 0);
	assert_int_equal(attr.inode, inode);
	tree_node_put(parent, 1);
	tree_node_put(node, 1);
}

int main(void)
{
#define TEST(name)                                                \
	cmocka_unit_test_setup_teardown(name, world_setup_merged, \
					world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_topmost_layer_decides),
		TEST(test_what_is_removed_hides_all_layers),
		TEST(test_hard_links_are_one_node),
		TEST(test_names_that_cannot_be),
		TEST(test_parent_of_the_root_is_the_root),
		TEST(test_parent_of_what_has_no_item_is_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
