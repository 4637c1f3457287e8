/*
 * Accounting, exact to the block: in small stores where it can be counted by
 * hand, and what is left when history goes.
 */
#include "store_world.h"

enum { B = BLOCK_BYTES };

static struct space_usage usage(struct store_world *world)
{
	struct space_usage usage;

	assert_ok(world, space_usage(world->store, &usage, NULL, NULL,
				     &world->failure));
	return usage;
}

static void assert_usage(struct store_world *world, uint64_t branches,
			 uint64_t snapshots, uint64_t shared, uint64_t trash)
{
	struct space_usage u = usage(world);

	assert_int_equal(u.branches_unique_bytes, branches * B);
	assert_int_equal(u.snapshots_unique_bytes, snapshots * B);
	assert_int_equal(u.shared_bytes, shared * B);
	assert_int_equal(u.trash_bytes, trash * B);
}

static uint64_t unique_blocks(struct store_world *world, bool is_branch,
			      uint32_t id)
{
	struct space_unique *list;
	struct space_usage u;
	uint64_t bytes = UINT64_MAX;
	size_t count, i;

	assert_ok(world, space_usage(world->store, &u, &list, &count,
				     &world->failure));
	for (i = 0; i < count; i++)
		if (list[i].is_branch == is_branch && list[i].id == id)
			bytes = list[i].bytes;
	free(list);
	assert_int_not_equal(bytes, UINT64_MAX);
	return bytes / B;
}

static void drop(struct store_world *world, uint32_t id, bool now)
{
	assert_ok(world,
		  history_delete_snapshot(world->store, id, now, &world_actor,
					  &world->failure));
}

static void test_a_new_store_uses_nothing(void **state)
{
	assert_usage(*state, 0, 0, 0, 0);
}

static void test_a_block_belongs_to_who_sees_it(void **state)
{
	struct store_world *world = *state;
	uint32_t one, two;

	world_write(world, 0, (size_t)10 * B, 2);
	assert_usage(world, 10, 0, 0, 0);
	one = world_snapshot(world, "one");
	assert_usage(world, 0, 0, 10, 0);
	world_write(world, 0, (size_t)4 * B, 3);
	assert_usage(world, 4, 4, 6, 0);
	two = world_snapshot(world, "two");
	world_write(world, 0, (size_t)1 * B, 4);
	assert_usage(world, 1, 5, 9, 0);
	assert_int_equal(unique_blocks(world, true, 1), 1);
	assert_int_equal(unique_blocks(world, false, one), 4);
	assert_int_equal(unique_blocks(world, false, two), 1);
}

static void test_what_is_overwritten_in_one_generation_is_free(void **state)
{
	struct store_world *world = *state;
	uint32_t i;

	for (i = 0; i < 20; i++)
		world_write(world, 3 * B, (size_t)5 * B, i + 2);
	assert_usage(world, 5, 0, 0, 0);
	world_zero(world, 4 * B, 2 * B);
	assert_usage(world, 3, 0, 0, 0);
	world_resize(world, 7 * B);
	assert_usage(world, 2, 0, 0, 0);
}

static void test_the_trash_counts_what_only_it_has(void **state)
{
	struct store_world *world = *state;
	uint32_t one, two;

	world_write(world, 0, (size_t)3 * B, 2);
	one = world_snapshot(world, "one");
	world_write(world, 0, (size_t)2 * B, 3);
	two = world_snapshot(world, "two");
	world_write(world, 0, (size_t)1 * B, 4);
	drop(world, one, false);
	assert_usage(world, 1, 1, 2, 2);
	drop(world, two, false);
	/* Two of the head's three blocks are in the trash as well. */
	assert_usage(world, 1, 0, 2, 3);
	assert_int_equal(unique_blocks(world, false, one), 2);
	assert_int_equal(unique_blocks(world, false, two), 1);
}

static void test_unique_is_what_deleting_frees(void **state)
{
	struct store_world *world = *state;
	struct space_usage before, after;
	struct gc_result gc;
	uint32_t one;

	world_write(world, 0, (size_t)9 * B, 2);
	one = world_snapshot(world, "one");
	world_write(world, 0, (size_t)4 * B, 3);
	before = usage(world);
	assert_int_equal(unique_blocks(world, false, one), 4);
	drop(world, one, false);
	assert_ok(world, space_gc(world->store, 0, true, &world_actor, NULL,
				  NULL, &gc, &world->failure));
	assert_int_equal(gc.freed_bytes, 4 * B);
	assert_int_equal(gc.snapshots_purged, 1);
	world_gc(world);
	after = usage(world);
	assert_usage(world, 9, 0, 0, 0);
	assert_int_equal(after.dead_bytes, before.dead_bytes);
	world_check(world);
}

static void test_a_dry_run_purges_nothing(void **state)
{
	struct store_world *world = *state;
	struct gc_result gc;
	uint32_t id = world_snapshot(world, "s");

	drop(world, id, false);
	assert_ok(world, space_gc(world->store, 0, true, &world_actor, NULL,
				  NULL, &gc, &world->failure));
	assert_ok(world,
		  history_undo(world->store, 0, false, &world_actor,
			       &(struct undo_result){ 0 }, &world->failure));
}

static void test_young_trash_stays(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");
	struct undo_result undo;
	struct gc_result gc;

	drop(world, id, false);
	assert_ok(world,
		  space_gc(world->store, INT64_C(3600000000000), false,
			   &world_actor, NULL, NULL, &gc, &world->failure));
	assert_int_equal(gc.snapshots_purged, 0);
	world_undo(world, 0, &undo);
}

/* All that history cost comes back, whatever order it goes in. */
static void test_without_snapshots_only_the_heads_need_is_left(void **state)
{
	static const unsigned orders[][5] = { { 0, 1, 2, 3, 4 },
					      { 4, 3, 2, 1, 0 },
					      { 2, 0, 4, 1, 3 } };
	struct store_world *world = *state;
	uint32_t ids[5];
	unsigned order, i;
	char name[16];

	for (order = 0; order < 3; order++) {
		for (i = 0; i < 5; i++) {
			world_write(world, (size_t)i * 3 * B, (size_t)6 * B,
				    order * 10 + i);
			snprintf(name, sizeof(name), "%u-%u", order, i);
			ids[i] = world_snapshot(world, name);
		}
		for (i = 0; i < 5; i++)
			drop(world, ids[orders[order][i]], i % 2);
		world_gc(world);
		assert_usage(world, 18, 0, 0, 0);
		world_check(world);
		world_crash(world);
		assert_usage(world, 18, 0, 0, 0);
		world_check(world);
	}
}

static void test_branches_share_what_both_see(void **state)
{
	struct store_world *world = *state;
	struct branch_info clone;
	struct view *view;

	world_write(world, 0, (size_t)8 * B, 2);
	assert_ok(world, history_clone(world->store, "main", 0, "clone",
				       &world_actor, &clone, &world->failure));
	assert_usage(world, 0, 0, 8, 0);
	assert_ok(world, view_open_branch(world->store, "clone", &view,
					  &world->failure));
	assert_int_equal(
		file_write(view_image(view), 0, world->expected + B, 3 * B), 0);
	view_put(view);
	assert_usage(world, 6, 0, 5, 0);
	assert_int_equal(unique_blocks(world, true, 1), 3);
	assert_int_equal(unique_blocks(world, true, clone.id), 3);
	assert_ok(world, history_delete_branch(world->store, "clone", true,
					       &world_actor, &world->failure));
	world_gc(world);
	assert_usage(world, 8, 0, 0, 0);
	world_check(world);
}

/* Rolled back and undone again and again: nothing adds up. */
static void test_rollbacks_leave_nothing_behind(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy base_copy;
	uint32_t id, i;

	world_write(world, 0, (size_t)4 * B, 2);
	id = world_snapshot(world, "base-line");
	base_copy = world_copy(world);
	for (i = 0; i < 10; i++) {
		world_write(world, 2 * B, (size_t)4 * B, 3 + i);
		world_rollback(world, id, &result);
		world_expect_copy(world, &base_copy);
		drop(world, result.kept_as.id, false);
	}
	world_gc(world);
	assert_usage(world, 0, 0, 4, 0);
	world_check(world);
	drop(world, id, true);
	world_gc(world);
	assert_usage(world, 4, 0, 0, 0);
	world_check(world);
	free(base_copy.data);
}

static void test_gc_passes_over_a_snapshot_that_is_open(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = world_copy(world);
	uint32_t open = world_snapshot(world, "open"), other;
	struct gc_result gc;
	struct view *view;

	world_write(world, 0, B, 2);
	other = world_snapshot(world, "other");
	assert_ok(world, view_open_snapshot(world->store, open, &view,
					    &world->failure));
	drop(world, open, false);
	drop(world, other, false);
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &gc, &world->failure));
	assert_int_equal(gc.snapshots_purged, 1);
	world_check_file(view_image(view), copy.data, copy.size_bytes);
	view_put(view);
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &gc, &world->failure));
	assert_int_equal(gc.snapshots_purged, 1);
	free(copy.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_new_store_uses_nothing),
		WORLD_TEST(test_a_block_belongs_to_who_sees_it),
		WORLD_TEST(test_what_is_overwritten_in_one_generation_is_free),
		WORLD_TEST(test_the_trash_counts_what_only_it_has),
		WORLD_TEST(test_unique_is_what_deleting_frees),
		WORLD_TEST(test_a_dry_run_purges_nothing),
		WORLD_TEST(test_young_trash_stays),
		WORLD_TEST(test_without_snapshots_only_the_heads_need_is_left),
		WORLD_TEST(test_branches_share_what_both_see),
		WORLD_TEST(test_rollbacks_leave_nothing_behind),
		WORLD_TEST(test_gc_passes_over_a_snapshot_that_is_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
