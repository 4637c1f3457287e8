/* Renaming: what it answers, and what it does to links, times and items. */
#include "tree_world.h"

static void test_directory_cannot_go_into_itself(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "", "d", "d", "x", 0), -EINVAL);
	assert_int_equal(world_rename(world, "", "d", "d/sub", "x", 0),
			 -EINVAL);
	/* whatever is there */
	assert_int_equal(world_rename(world, "", "d", "d", "f", 0), -EINVAL);
	assert_int_equal(world_rename(world, "", "d", "d/sub", "h", 0),
			 -EINVAL);
	assert_int_equal(world_rename(world, "d", "sub", "", "d", 0),
			 -ENOTEMPTY);
	assert_int_equal(world_rename(world, "", "d", "d", "sub",
				      RENAME_EXCHANGE),
			 -EINVAL);
	assert_int_equal(world_rename(world, "d", "sub", "", "d",
				      RENAME_EXCHANGE),
			 -EINVAL);
}

static void test_kinds_must_fit(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "", "a", "", "d", 0), -EISDIR);
	assert_int_equal(world_rename(world, "d", "sub", "", "a", 0), -ENOTDIR);
	assert_int_equal(world_make(world, "", "e", S_IFDIR | 0755), 0);
	assert_int_equal(world_rename(world, "", "e", "", "d", 0), -ENOTEMPTY);
	assert_int_equal(world_rename(world, "", "d", "", "e", 0), 0);
	world_expect_names(world, "", "a b e link ");
	assert_int_equal(world_rename(world, "", "no", "", "x", 0), -ENOENT);
	assert_int_equal(world_rename(world, "", "a", "", "d", 8), -EINVAL);
}

static void test_flags_are_obeyed(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_rename(world, "", "a", "", "d",
				      RENAME_NOREPLACE),
			 -EEXIST);
	assert_int_equal(world_rename(world, "", "a", "", "b",
				      RENAME_NOREPLACE),
			 -EEXIST);
	assert_int_equal(world_rename(world, "", "a", "", "x", RENAME_EXCHANGE),
			 -ENOENT);
	assert_int_equal(world_rename(world, "", "a", "", "x",
				      RENAME_EXCHANGE | RENAME_NOREPLACE),
			 -EINVAL);
	assert_int_equal(
		world_rename(world, "", "a", "", "x", RENAME_NOREPLACE), 0);
	world_expect_names(world, "", "b d link x ");
}

static void test_two_names_of_one_inode_stay(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "a");

	assert_int_equal(world_rename(world, "", "a", "", "b", 0), 0);
	world_expect_names(world, "", "a b d link ");
	assert_int_equal(world_attr(world, "a").ctime_ns, before.ctime_ns);
}

static void test_exchange_moves_a_directory_for_a_file(void **state)
{
	struct tree_world *world = *state;
	uint64_t root_links = world_attr(world, "").nlink;

	assert_int_equal(world_make(world, "", "e", S_IFDIR | 0755), 0);
	assert_int_equal(world_rename(world, "d", "sub", "e", "x", 0), 0);
	assert_int_equal(world_attr(world, "d").nlink, 2);
	assert_int_equal(world_attr(world, "e").nlink, 3);
	assert_int_equal(
		world_rename(world, "e", "x", "d", "f", RENAME_EXCHANGE), 0);
	world_reopen(world);
	world_expect(world, "e/x", "in d");
	world_expect(world, "d/f/h", "deep");
	assert_int_equal(world_attr(world, "d").nlink, 3);
	assert_int_equal(world_attr(world, "e").nlink, 2);
	assert_int_equal(world_attr(world, "").nlink, root_links + 1);
}

/* Of ".." after it was moved. */
static void expect_parent(struct tree_world *world, const char *path,
			  const char *parent)
{
	struct tree_node *node = world_node(world, path), *found;
	struct tree_attr attr;

	assert_int_equal(tree_parent(node, &found, &attr), 0);
	assert_int_equal(attr.inode, world_attr(world, parent).inode);
	tree_node_put(found, 1);
	tree_node_put(node, 1);
}

static void test_moved_directory_has_another_parent(void **state)
{
	struct tree_world *world = *state;

	expect_parent(world, "d/sub", "d");
	assert_int_equal(world_rename(world, "d", "sub", "", "s", 0), 0);
	expect_parent(world, "s", "");
	world_reopen(world);
	expect_parent(world, "s", "");
	assert_int_equal(world_rename(world, "", "s", "d", "t", 0), 0);
	expect_parent(world, "d/t", "d");
}

static void test_whiteout_is_left_behind(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr attr;

	assert_int_equal(
		world_rename(world, "", "a", "d", "a", RENAME_WHITEOUT), 0);
	attr = world_attr(world, "a");
	assert_int_equal(attr.mode, S_IFCHR);
	assert_int_equal(attr.rdev, 0);
	assert_int_equal(attr.nlink, 1);
	world_expect(world, "d/a", "hello");
}

static void test_replaced_directory_leaves_no_items(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/sub").inode;

	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_DIRENT), 1);
	assert_int_equal(world_make(world, "", "e", S_IFDIR | 0755), 0);
	assert_int_equal(world_rename(world, "", "e", "d", "sub", 0), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_DIRENT), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_INODE), 0);
	world_expect_names(world, "d/sub", "");
	assert_int_equal(world_attr(world, "d").nlink, 3);
}

static void test_replaced_file_lives_on_while_open(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file;
	char data[8] = "";
	size_t bytes;

	world_put(world, "", "new", "new");
	node = world_node(world, "d/f");
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(world_rename(world, "", "new", "d", "f", 0), 0);
	world_expect(world, "d/f", "new");
	assert_int_equal(file_write(file, 0, "IN", 2), 0);
	assert_int_equal(file_read(file, 0, data, sizeof(data), &bytes), 0);
	assert_string_equal(data, "IN d");
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 1);
	tree_file_close(node);
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
}

/* A name that is replaced again and again leads to a file for everybody who
 * looked it up, though he opens it a moment later. */
static void test_replaced_file_can_still_be_opened(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file;
	char data[8] = "";
	size_t bytes;

	world_put(world, "", "old", "old");
	world_put(world, "", "new", "new");
	node = world_node(world, "old");
	assert_int_equal(world_rename(world, "", "new", "", "old", 0), 0);
	assert_int_equal(tree_file_open(node, false, &file), 0);
	assert_int_equal(file_read(file, 0, data, sizeof(data), &bytes), 0);
	assert_string_equal(data, "old");
	tree_file_close(node);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 1);
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	world_expect(world, "old", "new");
}

static void test_merged_directory_counts_no_links(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_attr(world, "d").nlink, 1);
	assert_int_equal(world_attr(world, "").nlink, 1);
	assert_int_equal(world_attr(world, "d/more").nlink, 2);
	assert_int_equal(world_rename(world, "d", "more", "", "m", 0), 0);
	assert_int_equal(world_rename(world, "d", "sub", "", "s", 0), 0);
	assert_int_equal(world_attr(world, "d").nlink, 1);
	world_expect_names(world, "s", "h l ");
	assert_int_equal(world_rename(world, "", "m", "d", "more", 0), 0);
	assert_int_equal(world_rmdir(world, "d", "more"), 0);
	assert_int_equal(world_attr(world, "d").nlink, 1);
	world_reopen(world);
	world_expect_names(world, "d", "f g low ");
	assert_int_equal(world_attr(world, "").nlink, 1);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_directory_cannot_go_into_itself),
		TEST(test_kinds_must_fit),
		TEST(test_flags_are_obeyed),
		TEST(test_two_names_of_one_inode_stay),
		TEST(test_exchange_moves_a_directory_for_a_file),
		TEST(test_moved_directory_has_another_parent),
		TEST(test_whiteout_is_left_behind),
		TEST(test_replaced_directory_leaves_no_items),
		TEST(test_replaced_file_lives_on_while_open),
		TEST(test_replaced_file_can_still_be_opened),
		cmocka_unit_test_setup_teardown(
			test_merged_directory_counts_no_links,
			world_setup_merged, world_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
