/* What a snapshot has at a path comes back into the head. */
#include "tree_restore.h"

#include "tree_world.h"

#include <sys/xattr.h>

#include "tree_diff.h"

static uint32_t snapshot(struct tree_world *world, const char *name)
{
	const struct actor actor = { 0 };
	struct snapshot_info info;

	assert_ok(world, history_snapshot(world->store, "main", name, NULL,
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	return info.id;
}

static struct tree *open_snapshot(struct tree_world *world, uint32_t id)
{
	struct tree *tree;
	struct view *view;

	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	assert_ok(world, tree_open_reader(view, &tree, &world->failure));
	return tree;
}

static struct tree_restored restore(struct tree_world *world, uint32_t id,
				    const char *path, int expected)
{
	struct tree *from = open_snapshot(world, id);
	struct tree_restored restored;

	assert_int_equal(tree_restore(from, world->tree, path, &restored),
			 expected);
	tree_close(from);
	return restored;
}

static int note_path(void *context, const struct tree_diff_entry *entry)
{
	strncat(context, entry->path, 1000 - strlen(context) - 1);
	strncat(context, " ", 1000 - strlen(context) - 1);
	return 0;
}

/* What the head has otherwise than the snapshot. */
static void expect_differs(struct tree_world *world, uint32_t id,
			   const char *paths)
{
	struct tree *from = open_snapshot(world, id), *to;
	char all[1000] = "";
	struct view *view;

	assert_ok(world, view_open_branch(world->store, "main", &view,
					  &world->failure));
	assert_ok(world, tree_open_reader(view, &to, &world->failure));
	assert_int_equal(tree_diff(from, to, false, note_path, all), 0);
	assert_string_equal(all, paths);
	tree_close(from);
	tree_close(to);
}

static void remove_all(struct tree_world *world)
{
	struct tree_node *root = world_node(world, "");
	struct tree_node *d = world_node(world, "d");

	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	assert_int_equal(tree_rmdir(d, "sub"), 0);
	assert_int_equal(world_unlink(world, "d", "f"), 0);
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	tree_node_put(d, 1);
	assert_int_equal(tree_rmdir(root, "d"), 0);
	tree_node_put(root, 1);
}

static void test_a_changed_file_gets_its_blocks_back(void **state)
{
	struct tree_world *world = *state;
	struct tree_restored restored;
	uint64_t inode;
	uint32_t s;

	world_put(world, "d", "f", "first");
	s = snapshot(world, "s");
	world_put(world, "d", "f", "second, and longer");
	world_put(world, "d", "g", "other");
	inode = world_attr(world, "d/f").inode;
	restored = restore(world, s, "d/f", 0);
	assert_int_equal(restored.changed, 1);
	assert_int_equal(restored.created + restored.removed, 0);
	world_expect(world, "d/f", "first");
	assert_int_equal(world_attr(world, "d/f").inode, inode);
	expect_differs(world, s, "d/g ");
	world_reopen(world);
	world_expect(world, "d/f", "first");
}

static void test_what_base_has_becomes_visible_again(void **state)
{
	struct tree_world *world = *state;
	uint64_t f = world_attr(world, "d/f").inode;
	uint64_t nlink = world_attr(world, "").nlink;
	struct tree_restored restored;
	uint32_t s = snapshot(world, "s");

	remove_all(world);
	assert_int_equal(world_lookup_rc(world, "d"), -ENOENT);
	restored = restore(world, s, "d", 0);
	assert_int_equal(restored.created, 1);
	assert_int_equal(restored.written_bytes, 0);
	assert_int_equal(world_attr(world, "d/f").inode, f);
	assert_int_equal(world_attr(world, "").nlink, nlink);
	world_expect(world, "d/sub/h", "deep");
	expect_differs(world, s, "");
	/* And it can be changed as before. */
	world_put(world, "d", "f", "IN");
	world_expect(world, "d/f", "IN d");
	expect_differs(world, s, "d/f ");
}

static void test_a_file_in_a_directory_that_is_gone(void **state)
{
	struct tree_world *world = *state;
	uint32_t s;

	world_put(world, "d/sub", "h", "DE");
	s = snapshot(world, "s");
	remove_all(world);
	restore(world, s, "d/sub/h", 0);
	world_expect(world, "d/sub/h", "DEep");
	world_expect_names(world, "d", "sub ");
	restore(world, s, "", 0);
	world_expect_names(world, "d", "f g sub ");
	world_expect(world, "d/sub/h", "DEep");
	world_crash(world);
	world_expect(world, "d/sub/h", "DEep");
}

static void test_what_is_new_below_goes(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct tree_restored restored;
	uint32_t s = snapshot(world, "s");

	world_put(world, "d", "new", "text");
	world_put(world, "", "stays", "text");
	assert_int_equal(world_unlink(world, "d", "g"), 0);
	assert_int_equal(world_rename(world, "d", "f", "d", "g", 0), 0);
	node = world_node(world, "d/sub");
	assert_int_equal(tree_set_xattr(node, "user.k", "v", 1, 0), 0);
	tree_node_put(node, 1);
	restored = restore(world, s, "/d/", 0);
	assert_true(restored.removed >= 1);
	world_expect(world, "d/f", "in d");
	world_expect(world, "d/g", "in d, too");
	node = world_node(world, "d/sub");
	assert_int_equal(tree_get_xattr(node, "user.k", NULL, 0,
					&(size_t){ 0 }),
			 -ENODATA);
	tree_node_put(node, 1);
	world_expect(world, "stays", "text");
	world_expect_names(world, "d", "f g sub ");
}

static void test_links_are_links_again(void **state)
{
	struct tree_world *world = *state;
	uint32_t s = snapshot(world, "s");

	assert_int_equal(world_unlink(world, "", "a"), 0);
	world_put(world, "", "b", "HE");
	restore(world, s, "a", 0);
	world_expect(world, "a", "hello");
	world_expect(world, "b", "hello");
	assert_int_equal(world_attr(world, "a").inode,
			 world_attr(world, "b").inode);
	assert_int_equal(world_unlink(world, "", "a"), 0);
	assert_int_equal(world_unlink(world, "", "b"), 0);
	assert_int_equal(world_unlink(world, "", "link"), 0);
	restore(world, s, "", 0);
	world_expect(world, "a", "hello");
	assert_int_equal(world_attr(world, "a").inode,
			 world_attr(world, "b").inode);
	assert_int_equal(world_attr(world, "a").nlink, 2);
	expect_differs(world, s, "");
}

static void test_a_truncated_file_shows_base_again(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node = world_node(world, "d/g");
	struct tree_attr attr = { .size_bytes = 0 };
	uint32_t s = snapshot(world, "s");

	assert_int_equal(tree_set_attr(node, TREE_SET_SIZE, &attr, NULL), 0);
	attr.size_bytes = 9;
	assert_int_equal(tree_set_attr(node, TREE_SET_SIZE, &attr, NULL), 0);
	tree_node_put(node, 1);
	restore(world, s, "d/g", 0);
	world_expect(world, "d/g", "in d, too");
}

static void test_what_was_not_there_is_no_reason_to_remove(void **state)
{
	struct tree_world *world = *state;
	uint32_t s = snapshot(world, "s");

	world_put(world, "d", "new", "text");
	restore(world, s, "d/new", -ENOENT);
	restore(world, s, "d/f/x", -ENOENT);
	world_expect(world, "d/new", "text");
	assert_int_equal(world_unlink(world, "d/sub", "h"), 0);
	assert_int_equal(world_rename(world, "d", "sub", "", "kept", 0), 0);
	world_put(world, "d", "sub", "in the way");
	restore(world, s, "d/sub/h", -ENOTDIR);
	restore(world, s, "d/sub", 0);
	world_expect(world, "d/sub/h", "deep");
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_changed_file_gets_its_blocks_back),
		TEST(test_what_base_has_becomes_visible_again),
		TEST(test_a_file_in_a_directory_that_is_gone),
		TEST(test_what_is_new_below_goes),
		TEST(test_links_are_links_again),
		TEST(test_a_truncated_file_shows_base_again),
		TEST(test_what_was_not_there_is_no_reason_to_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
