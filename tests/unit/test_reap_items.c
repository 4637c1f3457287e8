/*
 * Versions of items that nobody sees go, with deleted snapshots, branches and
 * lines; what stays is handed on; what hid something that is gone goes too.
 */
#include "core_items.h"

static size_t line_count(struct store_world *world)
{
	size_t count;

	mutex_lock(&world->store->order_lock);
	count = world->store->graph.line_count;
	mutex_unlock(&world->store->order_lock);
	return count;
}

static void test_each_deleted_snapshot_takes_its_versions_along(void **state)
{
	struct store_world *world = *state;
	uint32_t ids[5], i;
	char text[8];

	for (i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "t%u", i);
		put_text(world, 20, "each", text);
		put_text(world, 30 + i, "one", text);
		ids[i] = world_snapshot(world, text);
	}
	assert_int_equal(text_rows(world), 10);
	drop_snapshot(world, ids[1]);
	world_gc(world);
	assert_int_equal(text_rows(world), 9);
	assert_snapshot_text(world, ids[0], 20, "each", "t0");
	assert_snapshot_text(world, ids[2], 20, "each", "t2");
	assert_snapshot_text(world, ids[2], 31, "one", "t1");
	drop_snapshot(world, ids[0]);
	drop_snapshot(world, ids[4]); /* the head sees the same */
	world_gc(world);
	assert_int_equal(text_rows(world), 8);
	assert_text(world, 20, "each", "t4");
	drop_snapshot(world, ids[2]);
	drop_snapshot(world, ids[3]);
	world_gc(world);
	assert_int_equal(text_rows(world), 6);
	assert_text(world, 20, "each", "t4");
	assert_text(world, 30, "one", "t0");
}

static void test_a_deleted_branch_leaves_no_versions(void **state)
{
	struct store_world *world = *state;
	struct view *view;

	put_text(world, 20, "a", "main");
	put_text(world, 20, "b", "main");
	clone_branch(world, "main", 0, "clone");
	view = open_view(world, "clone");
	put_text_in(view, 20, "a", "clone");
	put_text_in(view, 20, "b", NULL);
	put_text_in(view, 20, "c", "clone");
	view_put(view);
	assert_int_equal(text_rows(world), 5);
	drop_branch(world, "clone");
	world_gc(world);
	assert_int_equal(text_rows(world), 2);
	assert_int_equal(line_count(world), 1);
	assert_text(world, 20, "a", "main");
	assert_text(world, 20, "b", "main");
	assert_text(world, 20, "c", NULL);
}

/* Main goes; its clone has all that it needs of it. */
static void test_a_fold_hands_down_what_the_child_sees(void **state)
{
	struct store_world *world = *state;
	struct view *view;

	put_text(world, 20, "kept", "from main");
	put_text(world, 20, "replaced", "from main");
	put_text(world, 20, "removed", "from main");
	put_text(world, 20, "later", "before");
	clone_branch(world, "main", 0, "clone");
	put_text(world, 20, "later", "after");
	put_text(world, 20, "main's", "own");
	view = open_view(world, "clone");
	put_text_in(view, 20, "replaced", "in the clone");
	put_text_in(view, 20, "removed", NULL);
	assert_int_equal(text_rows(world), 8);
	view_put(world->view);
	drop_branch(world, "main");
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	assert_int_equal(text_rows(world), 3);
	assert_text_in(view, 20, "kept", "from main");
	assert_text_in(view, 20, "replaced", "in the clone");
	assert_text_in(view, 20, "removed", NULL);
	assert_text_in(view, 20, "later", "before");
	assert_text_in(view, 20, "main's", NULL);
	view_put(view);
	store_abandon(world->store);
	assert_ok(world, store_open(world->path, NULL, &world->store,
				    &world->failure));
	view = open_view(world, "clone");
	assert_text_in(view, 20, "kept", "from main");
	assert_text_in(view, 20, "removed", NULL);
	view_put(view);
}

/* A snapshot of the clone, taken before its own first version, sees main's. */
static void test_a_fold_keeps_what_a_snapshot_of_the_child_sees(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	uint32_t id, early;

	put_text(world, 20, "a", "one");
	put_text(world, 20, "b", "one");
	id = world_snapshot(world, "s");
	put_text(world, 20, "a", "lost");
	world_rollback(world, id, &result);
	drop_snapshot(world, id);
	drop_snapshot(world, result.kept_as.id);
	early = world_snapshot(world, "early");
	put_text(world, 20, "a", "two");
	put_text(world, 20, "b", NULL);
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	assert_int_equal(text_rows(world), 4);
	assert_snapshot_text(world, early, 20, "a", "one");
	assert_snapshot_text(world, early, 20, "b", "one");
	assert_text(world, 20, "a", "two");
	assert_text(world, 20, "b", NULL);
	drop_snapshot(world, early);
	world_gc(world);
	assert_int_equal(text_rows(world), 1);
	assert_text(world, 20, "a", "two");
	assert_text(world, 20, "b", NULL);
}

/* I1: on one line. */
static void test_absent_rows_go_with_what_they_hide(void **state)
{
	struct store_world *world = *state;
	uint32_t first, second;

	put_text(world, 20, "a", "one");
	first = world_snapshot(world, "first");
	put_text(world, 20, "a", "two");
	second = world_snapshot(world, "second");
	put_text(world, 20, "a", NULL);
	assert_int_equal(text_rows(world), 3);
	drop_snapshot(world, second);
	world_gc(world);
	assert_int_equal(text_rows(world), 2); /* it hides the first still */
	assert_text(world, 20, "a", NULL);
	drop_snapshot(world, first);
	world_gc(world);
	assert_int_equal(text_rows(world), 0);
	assert_text(world, 20, "a", NULL);
}

/* I1: what is hidden is of a line below; several lines are folded. */
static void test_absent_rows_go_with_the_lines_below(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	uint32_t id, round;

	put_text(world, 20, "a", "one");
	put_text(world, 20, "b", "one");
	put_text(world, 20, "c", "one");
	for (round = 0; round < 3; round++) {
		id = world_snapshot(world, "s");
		put_text(world, 20, "a", "lost");
		world_rollback(world, id, &result);
		put_text(world, 20, "a", round % 2 ? "again" : NULL);
		put_text(world, 20, "b", round % 2 ? NULL : "again");
		drop_snapshot(world, id);
		drop_snapshot(world, result.kept_as.id);
		assert_int_equal(store_checkpoint(world->store), 0);
	}
	put_text(world, 20, "c", NULL);
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	assert_int_equal(text_rows(world), 1);
	assert_text(world, 20, "a", NULL);
	assert_text(world, 20, "b", "again");
	assert_text(world, 20, "c", NULL);
	world_crash(world);
	assert_text(world, 20, "a", NULL);
	assert_text(world, 20, "b", "again");
}

static void test_a_crash_while_deleting_goes_on_at_the_next_open(void **state)
{
	struct store_world *world = *state;
	uint32_t ids[4], i;
	char name[8];

	for (i = 0; i < 4; i++) {
		put_text(world, 20, "a", i % 2 ? NULL : "text");
		put_text(world, 20, "b", "text");
		snprintf(name, sizeof(name), "s%u", i);
		ids[i] = world_snapshot(world, name);
	}
	for (i = 0; i < 4; i++)
		drop_snapshot(world, ids[i]);
	world_crash(world);
	assert_text(world, 20, "a", NULL);
	world_gc(world);
	assert_int_equal(text_rows(world), 1);
	assert_text(world, 20, "b", "text");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_each_deleted_snapshot_takes_its_versions_along),
		WORLD_TEST(test_a_deleted_branch_leaves_no_versions),
		WORLD_TEST(test_a_fold_hands_down_what_the_child_sees),
		WORLD_TEST(test_a_fold_keeps_what_a_snapshot_of_the_child_sees),
		WORLD_TEST(test_absent_rows_go_with_what_they_hide),
		WORLD_TEST(test_absent_rows_go_with_the_lines_below),
		WORLD_TEST(
			test_a_crash_while_deleting_goes_on_at_the_next_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
