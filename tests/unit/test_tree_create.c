/* New objects: what they get, and what they do to their directory. */
#include <stdio.h>
#include <sys/sysmacros.h>

#include "tree_world.h"

static void set_mode(struct tree_world *world, const char *path, uint32_t mode)
{
	struct tree_node *node = world_node(world, path);
	struct tree_attr attr = { .mode = mode, .gid = 99 };

	assert_int_equal(tree_set_attr(node, TREE_SET_MODE | TREE_SET_GID,
				       &attr, NULL),
			 0);
	tree_node_put(node, 1);
}

static void test_new_object_is_its_callers(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "d"), now, made;

	assert_int_equal(world_make(world, "d", "new", S_IFREG | 04755), 0);
	made = world_attr(world, "d/new");
	now = world_attr(world, "d");
	assert_int_equal(made.mode, S_IFREG | 04755);
	assert_int_equal(made.uid, world_caller.uid);
	assert_int_equal(made.gid, world_caller.gid);
	assert_int_equal(made.nlink, 1);
	assert_int_equal(made.size_bytes, 0);
	assert_true(made.inode < INODE_NEW_END);
	assert_int_equal(made.mtime_ns, made.btime_ns);
	assert_true(now.mtime_ns > before.mtime_ns);
	assert_int_equal(now.mtime_ns, now.ctime_ns);
	assert_int_equal(now.nlink, before.nlink);
	assert_int_equal(world_make(world, "d", "dir", S_IFDIR | 0700), 0);
	assert_int_equal(world_attr(world, "d").nlink, before.nlink + 1);
	assert_int_equal(world_attr(world, "d/dir").nlink, 2);
}

static void test_setgid_directory_hands_down_its_group(void **state)
{
	struct tree_world *world = *state;

	set_mode(world, "d", 02775);
	assert_int_equal(world_make(world, "d", "file", S_IFREG | 0644), 0);
	assert_int_equal(world_make(world, "d", "dir", S_IFDIR | 0755), 0);
	assert_int_equal(world_attr(world, "d/file").gid, 99);
	assert_int_equal(world_attr(world, "d/file").mode, S_IFREG | 0644);
	assert_int_equal(world_attr(world, "d/dir").gid, 99);
	assert_int_equal(world_attr(world, "d/dir").mode,
			 S_IFDIR | S_ISGID | 0755);
}

static void test_names_and_targets_have_their_bounds(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *root = tree_root(world->tree), *node;
	char name[300], target[5000], read[5000];
	struct tree_attr attr;

	memset(name, 'n', sizeof(name));
	name[256] = '\0';
	assert_int_equal(world_make(world, "", name, S_IFREG | 0644),
			 -ENAMETOOLONG);
	assert_int_equal(world_lookup_rc(world, name), -ENAMETOOLONG);
	name[255] = '\0';
	assert_int_equal(world_make(world, "", name, S_IFREG | 0644), 0);
	assert_int_equal(world_lookup_rc(world, name), 0);
	memset(target, 't', sizeof(target));
	target[4096] = '\0';
	assert_int_equal(tree_create(root, "s", S_IFLNK | 0777, 0, target,
				     &world_caller, &node, &attr),
			 -ENAMETOOLONG);
	assert_int_equal(tree_create(root, "s", S_IFLNK | 0777, 0, "",
				     &world_caller, &node, &attr),
			 -ENOENT);
	target[4095] = '\0';
	assert_int_equal(tree_create(root, "s", S_IFLNK | 0777, 0, target,
				     &world_caller, &node, &attr),
			 0);
	assert_int_equal(attr.size_bytes, 4095);
	assert_int_equal(tree_readlink(node, read, 4096), 0);
	assert_string_equal(read, target);
	assert_int_equal(tree_readlink(node, read, 4095), -ERANGE);
	tree_node_put(node, 1);
}

static void test_name_that_is_there_is_kept(void **state)
{
	struct tree_world *world = *state;

	assert_int_equal(world_make(world, "", "a", S_IFREG | 0644), -EEXIST);
	assert_int_equal(world_make(world, "", "d", S_IFDIR | 0755), -EEXIST);
	assert_int_equal(world_make(world, "a", "x", S_IFREG | 0644), -ENOTDIR);
	assert_int_equal(world_link(world, "a", "", "b"), -EEXIST);
	assert_int_equal(world_link(world, "d", "", "e"), -EPERM);
	world_expect(world, "a", "hello");
}

static void test_device_keeps_its_number(void **state)
{
	struct tree_world *world = *state;
	uint64_t number = makedev(4095, 1048575);
	struct tree_node *node;
	struct tree_attr attr;

	assert_int_equal(tree_create(tree_root(world->tree), "dev",
				     S_IFBLK | 0600, number, NULL,
				     &world_caller, &node, &attr),
			 0);
	tree_node_put(node, 1);
	world_reopen(world);
	assert_int_equal(world_attr(world, "dev").rdev, number);
	assert_int_equal(world_attr(world, "dev").mode, S_IFBLK | 0600);
}

static void expect_given(struct tree_world *world, const char *path,
			 const char *name, const char *want)
{
	struct tree_node *node = world_node(world, path);
	char value[16] = "";
	size_t len_bytes;

	assert_int_equal(tree_get_xattr(node, name, value, sizeof(value) - 1,
					&len_bytes),
			 0);
	assert_string_equal(value, want);
	tree_node_put(node, 1);
}

static void test_new_object_has_what_is_given_to_it(void **state)
{
	static const struct tree_given given[] = { { "user.a", "one", 3 },
						   { "user.b", "two", 3 } };
	const struct tree_caller caller = { 1, 2, given, 2 };
	struct tree_world *world = *state;
	struct tree_node *root = tree_root(world->tree), *node;
	struct tree_attr attr;

	assert_int_equal(tree_create(root, "new", S_IFDIR | 0700, 0, NULL,
				     &caller, &node, &attr),
			 0);
	assert_int_equal(attr.ctime_ns, attr.btime_ns);
	tree_node_put(node, 1);
	assert_int_equal(tree_create_unnamed(root, S_IFREG | 0600, &caller,
					     &node, &attr),
			 0);
	assert_int_equal(tree_link(node, root, "linked", &attr), 0);
	tree_node_put(node, 1);
	assert_int_equal(tree_rename(root, "new", root, "newer",
				     RENAME_WHITEOUT, &caller),
			 0);
	world_crash(world);
	expect_given(world, "newer", "user.a", "one");
	expect_given(world, "newer", "user.b", "two");
	expect_given(world, "linked", "user.b", "two");
	expect_given(world, "new", "user.a", "one");
}

static void test_nameless_file_gets_a_name(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "d"), attr;
	struct tree_node *parent = world_node(world, "d"), *node;
	struct file *file;

	assert_int_equal(tree_create_unnamed(parent, S_IFREG | 0600,
					     &world_caller, &node, &attr),
			 0);
	assert_int_equal(attr.nlink, 0);
	assert_int_equal(world_attr(world, "d").mtime_ns, before.mtime_ns);
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(file_write(file, 0, "named", 5), 0);
	tree_file_close(node);
	assert_int_equal(tree_link(node, parent, "tmp", &attr), 0);
	assert_int_equal(attr.nlink, 1);
	tree_node_put(node, 1);
	tree_node_put(parent, 1);
	world_crash(world);
	world_expect(world, "d/tmp", "named");
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
}

static void test_nameless_file_goes_with_its_last_user(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct tree_attr attr;

	assert_int_equal(tree_create_unnamed(tree_root(world->tree),
					     S_IFREG | 0600, &world_caller,
					     &node, &attr),
			 0);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 1);
	tree_node_put(node, 1);
	assert_int_equal(world_items(world, 0, ITEM_TYPE_ORPHAN), 0);
	assert_int_equal(world_items(world, attr.inode, ITEM_TYPE_INODE), 0);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_new_object_is_its_callers),
		TEST(test_setgid_directory_hands_down_its_group),
		TEST(test_names_and_targets_have_their_bounds),
		TEST(test_name_that_is_there_is_kept),
		TEST(test_device_keeps_its_number),
		TEST(test_new_object_has_what_is_given_to_it),
		TEST(test_nameless_file_gets_a_name),
		TEST(test_nameless_file_goes_with_its_last_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
