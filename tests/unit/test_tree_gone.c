/* What is deleted stays what it was for those who hold it. */
#include <sys/xattr.h>

#include "tree_world.h"

static void expect_xattr(struct tree_node *node, const char *name,
			 const char *want)
{
	char value[64] = "";
	size_t len_bytes = 0;
	int rc = tree_get_xattr(node, name, value, sizeof(value) - 1,
				&len_bytes);

	assert_int_equal(rc, want ? 0 : -ENODATA);
	assert_string_equal(value, want ? want : "");
}

static void test_symlink_keeps_its_target(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *link;
	char text[64];

	assert_int_equal(world_make(world, "d", "link", S_IFLNK | 0777), 0);
	link = world_node(world, "d/link");
	assert_int_equal(world_unlink(world, "d", "link"), 0);
	assert_int_equal(
		world_items(world, tree_node_inode(link), ITEM_TYPE_TARGET), 0);
	assert_int_equal(tree_readlink(link, text, 6), -ERANGE);
	assert_int_equal(tree_readlink(link, text, sizeof(text)), 0);
	assert_string_equal(text, "target");
	tree_node_put(link, 1);
}

static void test_xattrs_stay_and_change_but_are_not_stored(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *dir;
	struct tree_attr before, now;
	char names[64];
	size_t len_bytes;

	assert_int_equal(world_make(world, "d", "dir", S_IFDIR | 0777), 0);
	dir = world_node(world, "d/dir");
	assert_int_equal(tree_set_xattr(dir, "user.a", "1", 1, 0), 0);
	assert_int_equal(world_rmdir(world, "d", "dir"), 0);
	assert_int_equal(tree_get_attr(dir, &before), 0);
	usleep(20000); /* times are the kernel's, which come in ticks */
	expect_xattr(dir, "user.a", "1");
	assert_int_equal(tree_set_xattr(dir, "user.a", "2", 1, XATTR_CREATE),
			 -EEXIST);
	assert_int_equal(tree_set_xattr(dir, "user.b", "22", 2, XATTR_REPLACE),
			 -ENODATA);
	assert_int_equal(tree_set_xattr(dir, "user.b", "22", 2, 0), 0);
	assert_int_equal(tree_set_xattr(dir, "user.b", "333", 3, 0), 0);
	assert_int_equal(tree_remove_xattr(dir, "user.a"), 0);
	expect_xattr(dir, "user.a", NULL);
	expect_xattr(dir, "user.b", "333");
	assert_int_equal(tree_list_xattr(dir, names, sizeof(names), &len_bytes),
			 0);
	assert_int_equal(len_bytes, sizeof("user.b"));
	assert_string_equal(names, "user.b");
	assert_int_equal(tree_get_attr(dir, &now), 0);
	assert_true(now.ctime_ns > before.ctime_ns);
	assert_int_equal(
		world_items(world, tree_node_inode(dir), ITEM_TYPE_XATTR), 0);
	tree_node_put(dir, 1);
}

static void test_attributes_change_without_an_item(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr attr = { .mode = 0700 };
	struct tree_node *node;

	assert_int_equal(world_make(world, "d", "fifo", S_IFIFO | 0600), 0);
	node = world_node(world, "d/fifo");
	assert_int_equal(world_unlink(world, "d", "fifo"), 0);
	assert_int_equal(tree_set_attr(node, TREE_SET_MODE, &attr, &attr), 0);
	assert_int_equal(attr.mode, S_IFIFO | 0700);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(world_items(world, attr.inode, ITEM_TYPE_INODE), 0);
	tree_node_put(node, 1);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_symlink_keeps_its_target),
		TEST(test_xattrs_stay_and_change_but_are_not_stored),
		TEST(test_attributes_change_without_an_item),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
