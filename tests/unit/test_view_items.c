/* Items of a view: one edit is one step, and numbers are given once. */
#include "tree_world.h"

static const struct item_key xattr_key = {
	.inode = 500, .type = ITEM_TYPE_XATTR, .name = "x", .name_bytes = 1
};
static const struct inode_item new_file = { .mode = S_IFREG | 0600,
					    .nlink = 1 };

static struct view *view_of(struct tree_world *world)
{
	return tree_view(world->tree);
}

static int find(struct tree_world *world)
{
	struct item_copy *copy = NULL;
	int rc = view_item_get(view_of(world), &xattr_key, &copy);

	free(copy);
	return rc;
}

static void test_edit_that_is_aborted_leaves_nothing(void **state)
{
	struct tree_world *world = *state;
	struct view_edit edit;

	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	view_edit_put(&edit, &xattr_key, "\1v", 2);
	view_edit_abort(&edit);
	assert_int_equal(find(world), -ENOENT);
	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	view_edit_put(&edit, &xattr_key, "\1v", 2);
	assert_int_equal(view_edit_commit(&edit), 0);
	world_crash(world);
	assert_int_equal(find(world), 0);
	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	view_edit_put(&edit, &xattr_key, NULL, 0);
	assert_int_equal(view_edit_commit(&edit), 0);
	assert_int_equal(find(world), -ENOENT);
}

/* What does not fit into a batch: nothing of it happens. */
static void test_first_error_is_that_of_the_edit(void **state)
{
	static uint8_t payload[ITEM_PAYLOAD_BYTES_MAX] = { XATTR_KIND_VALUE };
	struct tree_world *world = *state;
	struct view_edit edit;
	struct item_key key = xattr_key;
	int i;

	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	view_edit_put(&edit, &xattr_key, "\1v", 2);
	for (i = 0; i < 3; i++) {
		key.name = &"abc"[i];
		view_edit_put(&edit, &key, payload, sizeof(payload));
	}
	assert_int_equal(view_edit_commit(&edit), -E2BIG);
	assert_int_equal(find(world), -ENOENT);
}

static void test_numbers_are_given_once(void **state)
{
	struct tree_world *world = *state;
	struct inode_item item;
	struct view_edit edit;
	uint64_t first, second;

	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	first = view_edit_new_inode(&edit);
	view_edit_put_inode(&edit, first, &new_file);
	assert_int_equal(view_edit_commit(&edit), 0);
	world_crash(world);
	assert_int_equal(view_inode_get(view_of(world), first, &item), 0);
	assert_int_equal(item.mode, new_file.mode);
	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	second = view_edit_new_inode(&edit);
	view_edit_abort(&edit);
	assert_true(second > first);
	assert_int_equal(view_inode_get(view_of(world), second, &item),
			 -ENOENT);
}

/* The item that was looked at is older than what was written since. */
static void test_edit_sees_what_was_written_meanwhile(void **state)
{
	struct tree_world *world = *state;
	struct tree_node *node;
	struct inode_item item;
	struct view_edit edit;
	struct file *file;

	world_put(world, "", "new", "x");
	node = world_node(world, "new");
	assert_int_equal(tree_file_open(node, true, &file), 0);
	assert_int_equal(view_inode_get(view_of(world), tree_node_inode(node),
					&item),
			 0);
	assert_int_equal(file_write(file, 0, "longer", 6), 0);
	assert_int_equal(view_edit_begin(view_of(world), &edit), 0);
	assert_int_equal(item.size_bytes, 1);
	view_edit_refresh(&edit, tree_node_inode(node), &item);
	assert_int_equal(item.size_bytes, 6);
	view_edit_abort(&edit);
	tree_file_close(node);
	tree_node_put(node, 1);
}

static int stop_at_second(void *context, const struct item_key *key,
			  const void *payload, size_t payload_bytes)
{
	(void)key, (void)payload, (void)payload_bytes;
	return ++*(unsigned *)context == 2 ? -EINTR : 0;
}

static void test_scan_ends_when_told(void **state)
{
	struct tree_world *world = *state;
	unsigned count = 0;

	world_put(world, "", "1", "");
	world_put(world, "", "2", "");
	world_put(world, "", "3", "");
	assert_int_equal(world_items(world, 1, ITEM_TYPE_DIRENT), 3);
	assert_int_equal(view_items_scan(view_of(world), 1, ITEM_TYPE_DIRENT,
					 stop_at_second, &count),
			 -EINTR);
	assert_int_equal(count, 2);
}

static void test_snapshot_is_not_edited(void **state)
{
	static const struct actor actor;
	struct tree_world *world = *state;
	struct snapshot_info info;
	struct view_edit edit;
	struct view *view;

	assert_ok(world, history_snapshot(world->store, "main", "s", "",
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	assert_ok(world, view_open_snapshot(world->store, info.id, &view,
					    &world->failure));
	assert_false(view_is_head(view));
	assert_true(view_is_head(view_of(world)));
	assert_ptr_equal(view_store(view), world->store);
	assert_int_equal(view_edit_begin(view, &edit), -EROFS);
	view_put(view);
}

int main(void)
{
#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_edit_that_is_aborted_leaves_nothing),
		TEST(test_first_error_is_that_of_the_edit),
		TEST(test_numbers_are_given_once),
		TEST(test_edit_sees_what_was_written_meanwhile),
		TEST(test_scan_ends_when_told),
		TEST(test_snapshot_is_not_edited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
