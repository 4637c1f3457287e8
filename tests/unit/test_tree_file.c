/* Data of files: opened by many as one, and over base as it was. */
#include "tree_world.h"

static void test_all_who_open_it_share_one_file(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	struct file *first, *second;
	char data[8] = "";
	size_t bytes;

	assert_int_equal(tree_file_open(node, false, &first), 0);
	assert_int_equal(tree_file_open(node, true, &second), 0);
	assert_ptr_equal(first, second);
	assert_int_equal(file_write(second, 0, "J", 1), 0);
	tree_file_close(node);
	assert_int_equal(file_read(first, 0, data, sizeof(data), &bytes), 0);
	assert_string_equal(data, "Jello");
	tree_file_close(node);
	tree_node_put(node, 1);
	world_reopen(world);
	world_expect(world, "b", "Jello");
}

static void test_only_regular_files_are_opened(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "d");
	struct file *file;

	assert_int_equal(tree_file_open(node, false, &file), -EISDIR);
	tree_node_put(node, 1);
	assert_int_equal(world_make(world, "", "fifo", S_IFIFO | 0600), 0);
	node = world_node(world, "fifo");
	assert_int_equal(tree_file_open(node, false, &file), -EINVAL);
	tree_node_put(node, 1);
	node = world_node(world, "link");
	assert_int_equal(tree_file_open(node, false, &file), -EINVAL);
	tree_node_put(node, 1);
}

static void test_what_is_gone_is_stale(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file;

	world_put(world, "", "new", "x");
	node = world_node(world, "new");
	assert_int_equal(world_unlink(world, "", "new"), 0);
	assert_int_equal(tree_file_open(node, false, &file), -ESTALE);
	tree_node_put(node, 1);
}

/* Parts of another file must not show between those that were written. */
static void test_other_file_in_base_is_not_shown(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file;
	char path[256];

	world_put(world, "d", "g", "IN");
	world_close(world);
	snprintf(path, sizeof(path), "%s/d/g", world->base);
	assert_int_equal(truncate(path, 3), 0);
	world_open(world);
	node = world_node(world, "d/g");
	assert_int_equal(tree_file_open(node, false, &file), -ESTALE);
	tree_node_put(node, 1);
}

static void test_links_are_read(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "link");
	char target[16];

	assert_int_equal(tree_readlink(node, target, sizeof(target)), 0);
	assert_string_equal(target, "a");
	tree_node_put(node, 1);
	assert_int_equal(world_make(world, "d", "s", S_IFLNK | 0777), 0);
	world_reopen(world);
	node = world_node(world, "d/s");
	assert_int_equal(tree_readlink(node, target, sizeof(target)), 0);
	assert_string_equal(target, "target");
	tree_node_put(node, 1);
	node = world_node(world, "a");
	assert_int_equal(tree_readlink(node, target, sizeof(target)), -EINVAL);
	tree_node_put(node, 1);
}

static int open_rc(struct tree_world *world, const char *path)
{
	struct tree_node *node = world_node(world, path);
	struct file *file;
	int rc = tree_file_open(node, false, &file);

	if (rc == 0)
		tree_file_close(node);
	tree_node_put(node, 1);
	return rc;
}

/* Also if it has another inode, and nobody remembers the first node. */
static void test_what_was_looked_at_must_not_change(void **state)
{
	struct tree_world *world = *state;
	char from[96], to[96];

	world_attr(world, "d/f");
	world_attr(world, "d/g");
	world_attr(world, "a");
	world_base(world, "d/f", "longer than it was");
	world_base(world, "d/next", "in d, too");
	snprintf(from, sizeof(from), "%s/d/next", world->base);
	snprintf(to, sizeof(to), "%s/d/g", world->base);
	assert_int_equal(rename(from, to), 0);
	snprintf(to, sizeof(to), "%s/a", world->base);
	assert_int_equal(truncate(to, 0), 0);
	assert_int_equal(open_rc(world, "d/f"), -ESTALE);
	assert_int_equal(open_rc(world, "d/g"), -ESTALE);
	assert_int_equal(open_rc(world, "a"), -ESTALE);
	world_reopen(world); /* it is looked at anew */
	world_expect(world, "d/f", "longer than it was");
	world_expect(world, "d/g", "in d, too");
	world_expect(world, "a", "");
}

static void test_a_change_while_it_is_open_is_told(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "d/f");
	struct file *file, *again;
	char text[8];
	size_t len_bytes;

	assert_int_equal(tree_file_open(node, false, &file), 0);
	world_base(world, "d/f", "other");
	assert_int_equal(tree_file_open(node, false, &again), -ESTALE);
	assert_int_equal(tree_file_open(node, true, &again), -ESTALE);
	assert_int_equal(file_read(file, 0, text, 7, &len_bytes), -ESTALE);
	tree_file_close(node);
	tree_node_put(node, 1);
}

static void test_who_follows_base_sees_it_as_it_is(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct file *file, *again;
	char text[32] = "";
	size_t len_bytes;

	tree_follow_base(world->tree);
	node = world_node(world, "d/f");
	assert_int_equal(tree_file_open(node, false, &file), 0);
	assert_int_equal(file_read(file, 0, text, 31, &len_bytes), 0);
	world_base(world, "d/f", "longer than it was");
	assert_int_equal(tree_file_open(node, false, &again), 0);
	assert_ptr_equal(file, again);
	assert_int_equal(file_read(file, 0, text, 31, &len_bytes), 0);
	assert_string_equal(text, "longer than it was");
	tree_file_close(node);
	tree_file_close(node);
	tree_node_put(node, 1);
	world_put(world, "d", "f", "mine");
	world_expect(world, "d/f", "mineer than it was");
	world_base(world, "d/f", "third");
	assert_int_equal(open_rc(world, "d/f"), -ESTALE);
}

/* Only the ctime shows it; who follows vouches for it. */
static void test_a_changed_mode_of_what_is_stored_is_told(void **state)
{
	struct tree_world *world = *state;
	char path[96];

	world_put(world, "d", "f", "IN");
	snprintf(path, sizeof(path), "%s/d/f", world->base);
	assert_int_equal(chmod(path, 0604), 0);
	assert_int_equal(open_rc(world, "d/f"), -ESTALE);
	tree_follow_base(world->tree);
	world_expect(world, "d/f", "IN d");
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_all_who_open_it_share_one_file),
		TEST(test_only_regular_files_are_opened),
		TEST(test_what_is_gone_is_stale),
		TEST(test_other_file_in_base_is_not_shown),
		TEST(test_what_was_looked_at_must_not_change),
		TEST(test_a_change_while_it_is_open_is_told),
		TEST(test_who_follows_base_sees_it_as_it_is),
		TEST(test_a_changed_mode_of_what_is_stored_is_told),
		TEST(test_links_are_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
