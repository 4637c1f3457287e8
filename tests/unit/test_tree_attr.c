/* Attributes: what is set, and which times change with it. */
#include "tree_world.h"

static struct tree_attr set(struct tree_world *world, const char *path,
			    unsigned mask, struct tree_attr attr)
{
	struct tree_node *node = world_node(world, path);
	struct tree_attr now;

	assert_int_equal(tree_set_attr(node, mask, &attr, &now), 0);
	tree_node_put(node, 1);
	return now;
}

static void test_only_what_is_asked_for_changes(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr before = world_attr(world, "d/f"), now;

	now = set(world, "d/f", TREE_SET_MODE,
		  (struct tree_attr){ .mode = 04711, .uid = 3 });
	assert_int_equal(now.mode, S_IFREG | 04711);
	assert_int_equal(now.uid, before.uid);
	assert_int_equal(now.mtime_ns, before.mtime_ns);
	assert_true(now.ctime_ns > before.ctime_ns);
	now = set(world, "d/f", TREE_SET_UID | TREE_SET_GID,
		  (struct tree_attr){ .uid = 3, .gid = 4 });
	assert_int_equal(now.uid, 3);
	assert_int_equal(now.gid, 4);
	assert_int_equal(now.mode, S_IFREG | 04711);
	now = set(world, "d/f", TREE_SET_ATIME | TREE_SET_MTIME,
		  (struct tree_attr){ .atime_ns = -5, .mtime_ns = 6 });
	assert_int_equal(now.atime_ns, -5);
	assert_int_equal(now.mtime_ns, 6);
	world_crash(world);
	now = world_attr(world, "d/f");
	assert_int_equal(now.atime_ns, -5);
	assert_int_equal(now.mtime_ns, 6);
	assert_int_equal(now.uid, 3);
	assert_int_equal(now.mode, S_IFREG | 04711);
	assert_int_equal(now.inode, before.inode);
}

static void test_given_ctime_is_taken(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr now =
		set(world, "a", TREE_SET_CTIME | TREE_SET_MTIME,
		    (struct tree_attr){ .ctime_ns = 7, .mtime_ns = 8 });

	assert_int_equal(now.ctime_ns, 7);
	assert_int_equal(now.mtime_ns, 8);
}

/* As truncate(2) and ftruncate(2) do. */
static void test_the_same_size_changes_times(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr size = { .size_bytes = 4 }, first, second;

	set(world, "d/f", TREE_SET_MTIME, (struct tree_attr){ .mtime_ns = 1 });
	first = set(world, "d/f", TREE_SET_SIZE, size);
	assert_true(first.mtime_ns > 1);
	assert_int_equal(first.size_bytes, 4);
	world_tick();
	second = set(world, "d/f", TREE_SET_SIZE, size);
	assert_true(second.mtime_ns > first.mtime_ns);
	assert_true(second.ctime_ns > first.ctime_ns);
	size.mtime_ns = 9;
	second = set(world, "d/f", TREE_SET_SIZE | TREE_SET_MTIME, size);
	assert_int_equal(second.mtime_ns, 9);
	world_expect(world, "d/f", "in d");
}

static void test_size_cuts_and_grows(void **state)
{
	struct tree_world *world = *state;
	char data[8] = "";
	struct tree_node *node;
	struct file *file;
	size_t bytes;

	set(world, "a", TREE_SET_SIZE, (struct tree_attr){ .size_bytes = 2 });
	world_expect(world, "b", "he");
	set(world, "b", TREE_SET_SIZE, (struct tree_attr){ .size_bytes = 6 });
	node = world_node(world, "a");
	assert_int_equal(tree_file_open(node, false, &file), 0);
	assert_int_equal(file_read(file, 0, data, sizeof(data), &bytes), 0);
	assert_int_equal(bytes, 6);
	assert_memory_equal(data, "he\0\0\0\0", 6);
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void test_only_files_have_a_size_to_set(void **state)
{
	struct tree_world *world = *state;
	struct tree_attr attr = { .size_bytes = 1 };
	struct tree_node *node = world_node(world, "d");

	assert_int_equal(tree_set_attr(node, TREE_SET_SIZE, &attr, NULL),
			 -EISDIR);
	tree_node_put(node, 1);
	node = world_node(world, "link");
	assert_int_equal(tree_set_attr(node, TREE_SET_SIZE, &attr, NULL),
			 -EINVAL);
	tree_node_put(node, 1);
}

static void test_gone_directory_can_still_be_set(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct tree_attr attr = { .mode = 0700 }, now;

	assert_int_equal(world_make(world, "", "e", S_IFDIR | 0755), 0);
	node = world_node(world, "e");
	assert_int_equal(world_rmdir(world, "", "e"), 0);
	assert_int_equal(tree_set_attr(node, TREE_SET_MODE, &attr, &now), 0);
	assert_int_equal(now.mode, S_IFDIR | 0700);
	assert_int_equal(now.nlink, 0);
	tree_node_put(node, 1);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_only_what_is_asked_for_changes),
		TEST(test_given_ctime_is_taken),
		TEST(test_the_same_size_changes_times),
		TEST(test_size_cuts_and_grows),
		TEST(test_only_files_have_a_size_to_set),
		TEST(test_gone_directory_can_still_be_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
