/* Objects of base that are found by their numbers alone. */
#include "tree_world.h"

static struct tree_node *by_number(struct tree_world *world, uint64_t inode)
{
	struct tree_node *node;

	assert_int_equal(tree_node_find(world->tree, inode, &node), 0);
	assert_int_equal(tree_node_inode(node), inode);
	return node;
}

static void test_a_file_deep_down_is_found_by_its_number(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/sub/h").inode;
	struct tree_node *node;
	struct file *file;
	char text[8] = "";
	size_t len_bytes;

	world_put(world, "d/sub", "h", "D");
	world_reopen(world);
	node = by_number(world, inode);
	assert_int_equal(tree_file_open(node, false, &file), 0);
	assert_int_equal(file_read(file, 0, text, 7, &len_bytes), 0);
	assert_string_equal(text, "Deep");
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void test_a_directory_shows_its_place_in_the_merge(void **state)
{
	struct tree_world *world = *state;
	uint64_t sub = world_attr(world, "d/sub").inode;
	struct tree_node *node, *parent;
	struct tree_attr attr;

	world_put(world, "d/sub", "made", "x");
	assert_int_equal(world_rename(world, "d", "sub", "", "moved", 0), 0);
	world_reopen(world);
	node = by_number(world, sub);
	assert_int_equal(tree_lookup(node, "l", &parent, &attr), 0);
	tree_node_put(parent, 1);
	assert_int_equal(tree_parent(node, &parent, &attr), 0);
	assert_int_equal(attr.inode, 1);
	tree_node_put(parent, 1);
	tree_node_put(node, 1);
	world_expect_names(world, "moved", "h l made ");
	world_expect(world, "moved/l", "l");
}

static void test_another_file_in_its_place_is_stale(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/f").inode;
	char from[96], to[96];
	struct tree_node *node;

	world_put(world, "d", "f", "X");
	world_base(world, "d/next", "other");
	world_close(world);
	snprintf(from, sizeof(from), "%s/d/next", world->base);
	snprintf(to, sizeof(to), "%s/d/f", world->base);
	assert_int_equal(rename(from, to), 0);
	world_open(world);
	assert_int_equal(tree_node_find(world->tree, inode, &node), -ESTALE);
}

static void test_a_directory_that_became_a_file_shows_changes_only(void **state)
{
	struct tree_world *world = *state;
	char path[96], away[96];

	world_put(world, "d/sub", "made", "x");
	assert_int_equal(world_rename(world, "d", "sub", "", "moved", 0), 0);
	world_close(world);
	snprintf(path, sizeof(path), "%s/d/sub", world->base);
	snprintf(away, sizeof(away), "%s/d/away", world->base);
	assert_int_equal(rename(path, away), 0);
	snprintf(path, sizeof(path), "%s/d/sub", world->low);
	snprintf(away, sizeof(away), "%s/d/away", world->low);
	assert_int_equal(rename(path, away), 0);
	world_base(world, "d/sub", "a file");
	world_open(world);
	world_expect_names(world, "moved", "made ");
}

#define MERGED_TEST(test)                                         \
	cmocka_unit_test_setup_teardown(test, world_setup_merged, \
					world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MERGED_TEST(test_a_file_deep_down_is_found_by_its_number),
		MERGED_TEST(test_a_directory_shows_its_place_in_the_merge),
		MERGED_TEST(test_another_file_in_its_place_is_stale),
		MERGED_TEST(
			test_a_directory_that_became_a_file_shows_changes_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
