/* Trees over a directory: base shows through until it is changed. */
#include "tree_world.h"

static void test_base_shows_through(void **state)
{
	struct tree_world *world = *state;

	world_expect_names(world, "", "a b d link ");
	world_expect_names(world, "d", "f g sub ");
	world_expect(world, "d/sub/h", "deep");
	assert_int_equal(world_attr(world, "a").nlink, 2);
	assert_int_equal(world_attr(world, "a").inode,
			 world_attr(world, "b").inode);
	assert_int_equal(world_lookup_rc(world, "x"), -ENOENT);
}

static void check_changes(struct tree_world *world)
{
	world_expect_names(world, "", "a b d link new ");
	world_expect(world, "a", "HELLo");
	world_expect(world, "b", "HELLo");
	world_expect(world, "new", "made here");
	world_expect_names(world, "d", "g made sub ");
	world_expect(world, "d/made", "1");
	world_expect(world, "d/g", "in d, too");
	assert_int_equal(world_lookup_rc(world, "d/f"), -ENOENT);
	world_expect(world, "d/sub/h", "deep");
}

static void test_changes_survive_all_there_is(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "a").inode;

	world_put(world, "", "a", "HELL");
	world_put(world, "", "new", "made here");
	world_put(world, "d", "made", "1");
	assert_int_equal(world_unlink(world, "d", "f"), 0);
	check_changes(world);
	assert_int_equal(store_checkpoint(world->store), 0);
	check_changes(world);
	world_reopen(world);
	check_changes(world);
	world_crash(world);
	check_changes(world);
	assert_int_equal(world_attr(world, "a").inode, inode);
}

static void test_a_crash_loses_no_change(void **state)
{
	struct tree_world *world = *state;

	world_put(world, "", "a", "HELL");
	world_put(world, "", "new", "made here");
	world_put(world, "d", "made", "1");
	assert_int_equal(world_unlink(world, "d", "f"), 0);
	world_crash(world);
	check_changes(world);
}

static void test_a_directory_of_base_is_renamed_with_all_it_has(void **state)
{
	struct tree_world *world = *state;
	uint64_t inode = world_attr(world, "d").inode;

	world_put(world, "d", "f", "IN");
	assert_int_equal(world_rename(world, "", "d", "", "e", 0), 0);
	world_expect_names(world, "", "a b e link ");
	world_expect_names(world, "e", "f g sub ");
	world_expect(world, "e/f", "IN d");
	world_expect(world, "e/sub/h", "deep");
	assert_int_equal(world_attr(world, "e").inode, inode);
	assert_int_equal(world_rename(world, "e", "sub", "", "d", 0), 0);
	world_reopen(world);
	world_expect(world, "e/f", "IN d");
	world_expect(world, "d/h", "deep");
	world_expect_names(world, "e", "f g ");
	assert_int_equal(world_attr(world, "e").inode, inode);
	assert_int_equal(world_attr(world, "e").nlink, 2);
}

static void test_a_snapshot_keeps_names_and_data(void **state)
{
	static const struct actor actor = { .uid = 7 };
	struct tree_world *world = *state;
	struct tree_world then = { 0 };
	struct snapshot_info info;
	struct view *view;

	world_put(world, "", "a", "HELL");
	assert_ok(world, history_snapshot(world->store, "main", "s", "",
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_rename(world, "", "d", "", "e", 0), 0);
	world_put(world, "e", "f", "XX");
	assert_ok(world, view_open_snapshot(world->store, info.id, &view,
					    &world->failure));
	assert_ok(world, tree_open(view, &then.tree, &world->failure));
	world_expect(&then, "a", "HELLo");
	world_expect(&then, "d/f", "in d");
	world_expect_names(&then, "", "a b d link ");
	assert_int_equal(world_unlink(&then, "", "a"), -EROFS);
	world_expect_names(world, "", "b e link ");
	world_expect(world, "e/f", "XX d");
	tree_close(then.tree);
}

/* What was open before answers ESTALE and never writes to the new head. */
static void test_a_rollback_leaves_open_files_behind(void **state)
{
	static const struct actor actor = { .uid = 7 };
	struct tree_world *world = *state;
	struct rollback_result result;
	struct snapshot_info info;
	struct tree_node *node;
	struct file *file;
	struct tree *old;
	struct view *view;
	char data[8];
	size_t len_bytes;

	world_put(world, "", "a", "HELL");
	assert_ok(world, history_snapshot(world->store, "main", "s", "",
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	world_put(world, "", "a", "JUMP");
	node = world_node(world, "a");
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_ok(world, history_rollback(world->store, "main", info.id, "",
					  &actor, &result, &world->failure));
	old = world->tree;
	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_ok(world, tree_open(view, &world->tree, &world->failure));
	world_expect(world, "a", "HELLo");
	assert_int_equal(file_write(file, 0, "OLD", 3), -ESTALE);
	assert_int_equal(file_read(file, 0, data, 4, &len_bytes), -ESTALE);
	world_expect(world, "a", "HELLo");
	tree_file_close(node);
	tree_node_put(node, 1);
	tree_close(old);
	world_put(world, "", "a", "NEW");
	world_expect(world, "a", "NEWLo");
}

/* The kernel collects what is written, and tells the time of it by itself. */
static void test_writing_leaves_the_times_that_were_told(void **state)
{
	struct tree_attr attr = { .mtime_ns = 5, .ctime_ns = 6 }, seen;
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "a");
	struct file *file;

	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(tree_set_attr(node, TREE_SET_MTIME | TREE_SET_CTIME,
				       &attr, NULL),
			 0);
	assert_int_equal(file_write(file, 0, "later", 5), 0);
	assert_int_equal(file_zero(file, 0, 1), 0);
	assert_int_equal(file_resize(file, 3), 0);
	assert_int_equal(file_sync(file), 0);
	tree_file_close(node);
	tree_node_put(node, 1);
	world_crash(world); /* nor does a replay */
	node = world_node(world, "a");
	assert_int_equal(tree_get_attr(node, &seen), 0);
	assert_int_equal(seen.mtime_ns, 5);
	assert_int_equal(seen.ctime_ns, 6);
	tree_node_put(node, 1);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_base_shows_through),
		TEST(test_changes_survive_all_there_is),
		TEST(test_a_crash_loses_no_change),
		TEST(test_a_directory_of_base_is_renamed_with_all_it_has),
		TEST(test_a_snapshot_keeps_names_and_data),
		TEST(test_a_rollback_leaves_open_files_behind),
		TEST(test_writing_leaves_the_times_that_were_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
