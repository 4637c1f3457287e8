/* Rows that one view sees and another does not. */
#include "view_rows.h"

#include "tree_world.h"
#include "view_items.h"

struct seen {
	unsigned items, windows;
	uint64_t inode; /* of the last window */
};

static int see_item(void *context, const struct item_key *key)
{
	struct seen *seen = context;

	(void)key;
	seen->items++;
	return 0;
}

static int see_window(void *context, uint64_t inode, uint64_t window)
{
	struct seen *seen = context;

	assert_int_equal(window, 0);
	seen->windows++;
	seen->inode = inode;
	return 0;
}

static struct seen between(struct view *from, struct view *to)
{
	const struct view_rows_visitor visitor = { see_item, see_window };
	struct seen seen = { 0 };

	assert_int_equal(view_rows_between(from, to, &visitor, &seen), 0);
	return seen;
}

static void test_only_what_changed_is_seen(void **state)
{
	struct tree_world *world = *state;
	struct view *head = tree_view(world->tree), *before;
	const struct actor actor = { 0 };
	struct window_difference difference;
	struct snapshot_info info;
	struct seen seen;

	world_put(world, "d", "f", "IN");
	assert_ok(world, history_snapshot(world->store, "main", "s", NULL,
					  SNAPSHOT_KIND_MANUAL, &actor, &info,
					  &world->failure));
	assert_ok(world, view_open_snapshot(world->store, info.id, &before,
					    &world->failure));
	seen = between(before, head);
	assert_int_equal(seen.items + seen.windows, 0);
	world_put(world, "d", "g", "IN");
	seen = between(before, head);
	assert_int_equal(seen.items, 1);
	assert_int_equal(seen.windows, 1);
	assert_int_equal(seen.inode, world_attr(world, "d/g").inode);
	assert_int_equal(view_window_compare(before, head, seen.inode, 0,
					     &difference),
			 0);
	assert_int_equal(difference.changed_blocks, 1);
	assert_int_equal(difference.stored_blocks, 1);
	assert_int_equal(view_window_compare(head, before, seen.inode, 0,
					     &difference),
			 0);
	assert_int_equal(difference.changed_blocks, 1);
	assert_int_equal(difference.stored_blocks, 0);
	view_put(before);
}

static void test_base_sees_no_row(void **state)
{
	struct tree_world *world = *state;
	struct inode_item item;
	struct view *base;
	struct seen seen;

	world_put(world, "d", "f", "IN");
	assert_ok(world, view_open_base(world->store, &base, &world->failure));
	assert_false(view_is_head(base));
	assert_int_equal(view_inode_get(base, world_attr(world, "d/f").inode,
					&item),
			 -ENOENT);
	seen = between(base, tree_view(world->tree));
	assert_int_equal(seen.windows, 1);
	assert_true(seen.items > 0);
	view_put(base);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_what_changed_is_seen),
		TEST(test_base_sees_no_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
