/* Nodes: one for an inode, found by its number, gone with the last user. */
#include "tree_world.h"

static void test_number_leads_to_what_has_items(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct tree_attr attr;
	uint64_t inode;

	world_put(world, "d/sub", "h", "DE");
	inode = world_attr(world, "d/sub/h").inode;
	world_reopen(world);
	assert_int_equal(tree_node_find(world->tree, inode, &node), 0);
	assert_int_equal(tree_get_attr(node, &attr), 0);
	assert_int_equal(attr.inode, inode);
	assert_int_equal(attr.size_bytes, 4);
	tree_node_put(node, 1);
	assert_int_equal(tree_node_find(world->tree, 999999, &node), -ESTALE);
}

static void test_number_of_what_is_gone_leads_nowhere(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	uint64_t inode;

	world_put(world, "", "new", "x");
	inode = world_attr(world, "new").inode;
	assert_int_equal(world_unlink(world, "", "new"), 0);
	assert_int_equal(tree_node_find(world->tree, inode, &node), -ESTALE);
}

/* Who finds a file without a name keeps it, whoever else lets go of it. */
static void test_nameless_file_waits_for_its_last_user(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node, *found;
	struct tree_attr attr;

	assert_int_equal(tree_create_unnamed(tree_root(world->tree),
					     S_IFREG | 0600, &world_caller,
					     &node, &attr),
			 0);
	assert_int_equal(tree_node_find(world->tree, attr.inode, &found), 0);
	assert_ptr_equal(node, found);
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 1);
	tree_node_put(found, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
}

/* The kernel does not always say that it has forgotten. */
static void test_closing_forgets_all_that_is_known(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file;

	(void)tree_node_get(tree_root(world->tree));
	(void)world_node(world, "d/sub");
	node = world_node(world, "a");
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_unlink(world, "", "b"), 0);
	world_reopen(world);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	world_expect_names(world, "", "d link ");
}

static void test_blocks_are_those_of_base_and_store(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "d/f");

	world_put(world, "d", "f", "IN");
	assert_true(world_attr(world, "d/f").blocks <= 8);
	assert_true(world_attr(world, "d/f").blocks > 0);
	assert_int_equal(world_attr(world, "d/f").inode, before.inode);
	assert_int_equal(world_attr(world, "d/f").btime_ns, before.btime_ns);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_number_leads_to_what_has_items),
		TEST(test_number_of_what_is_gone_leads_nowhere),
		TEST(test_nameless_file_waits_for_its_last_user),
		TEST(test_closing_forgets_all_that_is_known),
		TEST(test_blocks_are_those_of_base_and_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
