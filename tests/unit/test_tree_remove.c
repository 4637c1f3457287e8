/* Removing: what is answered, what is left, and of what is still in use. */
#include "tree_world.h"

static void test_kinds_are_told_apart(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_unlink(world, "", "d"), -EISDIR);
	assert_int_equal(world_rmdir(world, "", "a"), -ENOTDIR);
	assert_int_equal(world_rmdir(world, "", "link"), -ENOTDIR);
	assert_int_equal(world_rmdir(world, "", "d"), -ENOTEMPTY);
	assert_int_equal(world_unlink(world, "", "none"), -ENOENT);
	assert_int_equal(world_rmdir(world, "", "none"), -ENOENT);
	assert_int_equal(world_unlink(world, "a", "x"), -ENOTDIR);
}

static void test_directory_of_base_goes_with_its_whiteouts(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d/sub").inode;

	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	assert_int_equal(world_rmdir(world, "d", "sub"), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_DIRENT), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_INODE), 0);
	assert_int_equal(world_attr(world, "d").nlink, 2);
	/* A new one of that name has nothing of the old one. */
	assert_int_equal(world_make(world, "d", "sub", S_IFDIR | 0755), 0);
	world_expect_names(world, "d/sub", "");
	assert_int_not_equal(world_attr(world, "d/sub").inode, inode);
}

static void test_last_of_several_links_removes_the_inode(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr attr = world_attr(world, "a");

	assert_int_equal(attr.nlink, 2);
	assert_int_equal(world_link(world, "b", "d", "third"), 0);
	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_attr(world, "b").nlink, 2);
	assert_true(world_attr(world, "b").ctime_ns > attr.ctime_ns);
	assert_int_equal(world_attr(world, "b").mtime_ns, attr.mtime_ns);
	assert_int_equal(world_unlink(world, "", "b"), 0);
	world_expect(world, "d/third", "hello");
	assert_int_equal(world_items(world, attr.inode, ITEM_TYPE_INODE), 1);
	assert_int_equal(world_unlink(world, "d", "third"), 0);
	assert_int_equal(world_items(world, attr.inode, ITEM_TYPE_INODE), 0);
}

static void test_open_file_lives_through_its_last_unlink(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	char data[8] = "";
	struct tree_attr attr;
	struct file *file;
	size_t bytes;

	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	assert_int_equal(world_unlink(world, "", "b"), 0);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 1);
	assert_int_equal(file_write(file, 4, "!", 1), 0);
	assert_int_equal(file_read(file, 0, data, sizeof(data), &bytes), 0);
	assert_string_equal(data, "hell!");
	assert_int_equal(tree_get_attr(node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	tree_file_close(node);
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	assert_int_equal(world_items(world, attr.inode, ITEM_TYPE_INODE), 0);
}

static void test_crash_leaves_no_nameless_file(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "d/f");
	uint64_t inode = tree_node_inode(node);
	struct file *file;

	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(file_write(file, 0, "x", 1), 0);
	assert_int_equal(world_unlink(world, "d", "f"), 0);
	world_crash(world);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_INODE), 0);
	world_expect_names(world, "d", "g sub ");
}

/* More than one batch holds. */
static void test_thousands_of_xattrs_go_with_their_file(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	uint64_t inode;
	char name[200];
	int i;

	world_put(world, "", "many", "x");
	node = world_node(world, "many");
	inode = tree_node_inode(node);
	for (i = 0; i < 1500; i++) {
		snprintf(name, sizeof(name), "user.%0150d", i);
		assert_int_equal(tree_set_xattr(node, name, "v", 1, 0), 0);
	}
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_XATTR), 1500);
	assert_int_equal(world_unlink(world, "", "many"), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_XATTR), 0);
	assert_int_equal(world_items(world, inode, ITEM_TYPE_INODE), 0);
}

static void test_directory_that_is_gone_holds_nothing(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node, *found;
	struct tree_listing *listing;
	struct tree_attr attr;

	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	node = world_node(world, "d/sub");
	assert_int_equal(world_rmdir(world, "d", "sub"), 0);
	assert_int_equal(tree_list(node, &listing), 0);
	assert_int_equal(listing->count, 0);
	tree_listing_free(listing);
	assert_int_equal(tree_lookup(node, "h", &found, &attr), -ENOENT);
	assert_int_equal(tree_create(node, "x", S_IFREG | 0644, 0, NULL,
				     &world_caller, &found, &attr),
			 -ENOENT);
	assert_int_equal(tree_create_unnamed(node, S_IFREG | 0644,
					     &world_caller, &found, &attr),
			 -ENOENT);
	assert_int_equal(tree_parent(node, &found, &attr), -ENOENT);
	assert_int_equal(tree_rename(tree_root(world->tree), "a", node, "a", 0,
				     &world_caller),
			 -ENOENT);
	assert_int_equal(tree_get_attr(node, &attr), 0);
	assert_int_equal(attr.nlink, 0);
	tree_node_put(node, 1);
}

static int reveal(struct tree_world *world, const char *directory,
		  const char *name, bool is_directory)
{
	struct tree_node *parent = world_node(world, directory);
	int rc = tree_reveal(parent, name, is_directory);

	tree_node_put(parent, 1);
	return rc;
}

static void test_revealed_is_what_nobody_has_touched(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *known = world_node(world, "d/f");
	unsigned links;

	world_base(world, "empty", NULL);
	links = world_attr(world, "").nlink;
	assert_int_equal(reveal(world, "d", "f", false), -EROFS);
	assert_int_equal(reveal(world, "", "d", true), -EROFS);
	world_put(world, "d", "new", "new");
	assert_int_equal(world_rename(world, "d", "new", "d", "f", 0), 0);
	world_expect(world, "d/f", "new");
	assert_int_equal(reveal(world, "d", "f", true), -ENOTDIR);
	assert_int_equal(reveal(world, "d", "f", false), 0);
	world_expect(world, "d/f", "in d");
	assert_int_equal(world_attr(world, "d/f").nlink, 1);
	tree_node_put(known, 1);
	assert_int_equal(world_rmdir(world, "", "empty"), 0);
	assert_int_equal(world_make(world, "", "empty", S_IFDIR | 0700), 0);
	assert_int_equal(reveal(world, "", "empty", true), 0);
	assert_int_equal(world_attr(world, "empty").mode, S_IFDIR | 0755);
	assert_int_equal(world_attr(world, "").nlink, links);
	/* What has nothing below. */
	world_put(world, "d", "new", "new");
	assert_int_equal(reveal(world, "d", "new", false), 0);
	assert_int_equal(world_lookup_rc(world, "d/new"), -ENOENT);
	/* It is elsewhere. */
	assert_int_equal(world_rename(world, "d", "g", "", "moved", 0), 0);
	world_put(world, "d", "g", "another");
	assert_int_equal(reveal(world, "d", "g", false), 0);
	assert_int_equal(world_lookup_rc(world, "d/g"), -ENOENT);
	world_reopen(world);
	world_expect(world, "d/f", "in d");
	assert_int_equal(world_lookup_rc(world, "d/g"), -ENOENT);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_kinds_are_told_apart),
		TEST(test_directory_of_base_goes_with_its_whiteouts),
		TEST(test_last_of_several_links_removes_the_inode),
		TEST(test_open_file_lives_through_its_last_unlink),
		TEST(test_crash_leaves_no_nameless_file),
		TEST(test_thousands_of_xattrs_go_with_their_file),
		TEST(test_directory_that_is_gone_holds_nothing),
		TEST(test_revealed_is_what_nobody_has_touched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
