/* Changes beside a head take its place all together, or not at all. */
#include "store_world.h"

enum { B = BLOCK_BYTES };

static struct work begin_work(struct store_world *world)
{
	struct work work;

	assert_ok(world, history_begin_work(world->store, "main", &world_actor,
					    &work, &world->failure));
	return work;
}

static void write_beside(struct store_world *world, const struct work *work,
			 size_t block, uint32_t seed)
{
	uint8_t data[BLOCK_BYTES];
	struct view *view;

	world_fill(data, sizeof(data), seed);
	assert_ok(world, view_open_branch(world->store, work->branch, &view,
					  &world->failure));
	assert_int_equal(file_write(view_image(view), block * B, data, B), 0);
	view_put(view);
}

static int adopt(struct store_world *world, const struct work *work,
		 struct rollback_result *result)
{
	return history_adopt_work(world->store, "main", work, "first", "a path",
				  &world_actor, result, &world->failure);
}

static size_t branch_count(struct store_world *world)
{
	struct branch_info *list;
	size_t count;

	assert_int_equal(history_branches(world->store, true, &list, &count),
			 0);
	free(list);
	return count;
}

static void expect_block(struct store_world *world, size_t block, uint32_t seed)
{
	world_fill(world->expected + block * B, B, seed);
}

static void test_work_takes_the_place_of_the_head(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct operation_info *list;
	struct world_copy before;
	struct work work;
	size_t count;

	world_write_block(world, 1, 2);
	before = world_copy(world);
	work = begin_work(world);
	assert_int_equal(branch_count(world), 1); /* not shown */
	write_beside(world, &work, 3, 4);
	world_check(world);
	assert_ok(world, adopt(world, &work, &result));
	expect_block(world, 3, 4);
	world_check(world);
	assert_true(result.kept);
	world_check_snapshot(world, result.kept_as.id, &before);
	assert_int_equal(history_operations(world->store, 1, &list, &count), 0);
	assert_int_equal(list[0].kind, OPERATION_RESTORE);
	assert_int_equal(list[0].id, result.operation_id);
	assert_non_null(strstr(list[0].text, "restore main from @first"));
	free(list);
	world_crash(world);
	world_check(world);
	world_check_snapshot(world, result.kept_as.id, &before);
	world_reopen(world);
	world_write_block(world, 1, 7);
	world_check(world);
	free(before.data);
}

static void test_undo_goes_back_and_again(void **state)
{
	struct store_world *world = *state;
	struct world_copy before, after;
	struct rollback_result result;
	struct undo_result undone;
	struct work work;

	world_write_block(world, 1, 2);
	before = world_copy(world);
	work = begin_work(world);
	write_beside(world, &work, 3, 4);
	assert_ok(world, adopt(world, &work, &result));
	expect_block(world, 3, 4);
	after = world_copy(world);
	world_undo(world, 0, &undone);
	assert_int_equal(undone.undone.kind, OPERATION_RESTORE);
	world_expect_copy(world, &before);
	world_check(world);
	world_undo(world, undone.operation_id, &undone);
	world_expect_copy(world, &after);
	world_check(world);
	world_crash(world);
	world_check(world);
	free(before.data);
	free(after.data);
}

static void test_a_crash_before_leaves_nothing_of_it(void **state)
{
	struct store_world *world = *state;
	struct space_usage usage;
	struct gc_result gc;
	struct work work;

	world_write_block(world, 1, 2);
	work = begin_work(world);
	write_beside(world, &work, 1, 4);
	write_beside(world, &work, 3, 4);
	assert_ok(world, store_sync(world->store));
	world_crash(world);
	world_check(world);
	assert_int_equal(branch_count(world), 1);
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &gc, &world->failure));
	assert_ok(world, space_usage(world->store, &usage, NULL, NULL,
				     &world->failure));
	assert_int_equal(usage.branches_unique_bytes + usage.shared_bytes, B);
	world_check(world);
}

static void test_work_that_is_dropped_is_gone(void **state)
{
	struct store_world *world = *state;
	struct work work = begin_work(world);
	struct rollback_result result;

	write_beside(world, &work, 3, 4);
	history_drop_work(world->store, &work);
	world_check(world);
	assert_failure(world, adopt(world, &work, &result), FAILURE_BUSY);
	world_reopen(world);
	world_check(world);
}

static void test_a_head_that_moved_is_not_replaced(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result, rollback;
	struct work work;
	uint32_t id;

	world_write_block(world, 1, 2);
	id = world_snapshot(world, "first");
	work = begin_work(world);
	write_beside(world, &work, 3, 4);
	world_rollback(world, id, &rollback);
	assert_failure(world, adopt(world, &work, &result), FAILURE_BUSY);
	world_check(world);
	history_drop_work(world->store, &work);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_work_takes_the_place_of_the_head),
		WORLD_TEST(test_undo_goes_back_and_again),
		WORLD_TEST(test_a_crash_before_leaves_nothing_of_it),
		WORLD_TEST(test_work_that_is_dropped_is_gone),
		WORLD_TEST(test_a_head_that_moved_is_not_replaced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
