/* Every kind of operation is taken back by undo, also after a crash. */
#include "store_world.h"

/* Undoes what was done last, once before a crash and once after one. */
static void undo_last(struct store_world *world, enum operation_kind kind)
{
	struct undo_result result;

	world_crash(world);
	world_undo(world, 0, &result);
	assert_int_equal(result.undone.kind, kind);
	world_crash(world);
}

static bool snapshot_is(struct store_world *world, uint32_t id,
			enum snapshot_state state, const char *name)
{
	struct snapshot_info *list;
	bool found = false;
	size_t count, i;

	assert_ok(world, history_snapshots(world->store, NULL, true, &list,
					   &count, &world->failure));
	for (i = 0; i < count; i++)
		if (list[i].id == id)
			found = list[i].state == state &&
				strcmp(list[i].name, name) == 0;
	free(list);
	return found;
}

static bool branch_exists(struct store_world *world, const char *name)
{
	struct branch_info info;

	return history_find_branch(world->store, name, &info, NULL) == 0;
}

static uint32_t clone(struct store_world *world, uint32_t snapshot,
		      const char *name)
{
	struct branch_info info;

	assert_ok(world, history_clone(world->store, "main", snapshot, name,
				       &world_actor, &info, &world->failure));
	return info.id;
}

static void test_undo_of_a_snapshot_puts_it_into_the_trash(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	undo_last(world, OPERATION_SNAPSHOT_CREATE);
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_TRASH, "s"));
}

static void test_undo_of_a_delete_brings_the_snapshot_back(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = world_copy(world);
	uint32_t id = world_snapshot(world, "s");

	world_write(world, 0, 100, 5);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, false, &world_actor,
					  &world->failure));
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_TRASH, "s"));
	undo_last(world, OPERATION_SNAPSHOT_DELETE);
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_LIVE, "s"));
	world_check_snapshot(world, id, &copy);
	free(copy.data);
}

static void test_undo_of_a_rename_gives_the_old_name(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world,
		  history_rename_snapshot(world->store, id, "t", &world_actor,
					  &world->failure));
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_LIVE, "t"));
	undo_last(world, OPERATION_SNAPSHOT_RENAME);
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_LIVE, "s"));
}

static size_t hold_count(struct store_world *world, uint32_t id)
{
	struct hold_info *list;
	size_t count;

	assert_int_equal(history_holds(world->store, id, &list, &count), 0);
	free(list);
	return count;
}

static void test_undo_of_a_hold_releases_and_of_a_release_holds(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world, history_hold(world->store, id, "h", &world_actor,
				      &world->failure));
	assert_int_equal(hold_count(world, id), 1);
	undo_last(world, OPERATION_HOLD);
	assert_int_equal(hold_count(world, id), 0);
	assert_ok(world, history_hold(world->store, id, "h", &world_actor,
				      &world->failure));
	assert_ok(world, history_release(world->store, id, "h", &world_actor,
					 &world->failure));
	undo_last(world, OPERATION_RELEASE);
	assert_int_equal(hold_count(world, id), 1);
}

static void test_undo_of_a_rollback_shows_what_it_left(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy old, new;
	uint32_t id;

	world_write(world, 10, 5000, 2);
	old = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, 4000, WINDOW_BYTES, 3);
	world_resize(world, WORLD_BASE_BYTES / 2);
	new = world_copy(world);
	world_rollback(world, id, &result);
	assert_true(result.kept);
	world_expect_copy(world, &old);
	world_check(world);
	undo_last(world, OPERATION_ROLLBACK);
	world_expect_copy(world, &new);
	world_check(world);
	free(old.data);
	free(new.data);
}

static void test_undo_of_a_rollback_without_changes_goes_back(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy newer;
	uint32_t id = world_snapshot(world, "old");

	world_write(world, 0, 3, 3);
	newer = world_copy(world);
	world_snapshot(world, "new");
	world_rollback(world, id, &result);
	assert_false(result.kept);
	undo_last(world, OPERATION_ROLLBACK);
	world_expect_copy(world, &newer);
	world_check(world);
	free(newer.data);
}

static void test_undo_of_an_undo_does_it_again(void **state)
{
	struct store_world *world = *state;
	struct rollback_result rollback;
	struct undo_result undo;
	struct world_copy old = world_copy(world);
	uint32_t id = world_snapshot(world, "s");

	world_write(world, 0, 3, 3);
	world_rollback(world, id, &rollback);
	world_undo(world, rollback.operation_id, &undo);
	world_check(world);
	world_undo(world, undo.operation_id, &undo);
	world_expect_copy(world, &old);
	world_check(world);
	free(old.data);
}

static void test_undo_of_a_clone_puts_the_branch_into_the_trash(void **state)
{
	struct store_world *world = *state;

	clone(world, 0, "other");
	assert_true(branch_exists(world, "other"));
	undo_last(world, OPERATION_CLONE);
	assert_false(branch_exists(world, "other"));
}

static void test_undo_of_a_branch_delete_brings_it_back(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = world_copy(world);

	clone(world, 0, "other");
	world_write(world, 0, 3, 3);
	assert_ok(world, history_delete_branch(world->store, "other", false,
					       &world_actor, &world->failure));
	assert_false(branch_exists(world, "other"));
	undo_last(world, OPERATION_BRANCH_DELETE);
	world_check_branch(world, "other", &copy);
	free(copy.data);
}

static void rename_branch(struct store_world *world, const char *from,
			  const char *to)
{
	assert_ok(world, history_rename_branch(world->store, from, to,
					       &world_actor, &world->failure));
}

static void test_undo_of_a_branch_rename_gives_the_old_name(void **state)
{
	struct store_world *world = *state;

	clone(world, 0, "a");
	rename_branch(world, "a", "b");
	undo_last(world, OPERATION_BRANCH_RENAME);
	assert_true(branch_exists(world, "a"));
	assert_false(branch_exists(world, "b"));
}

/* The name that it had then may belong to another branch now. */
static void test_undo_of_a_rename_finds_the_branch_not_its_name(void **state)
{
	struct store_world *world = *state;
	struct operation_info *list;
	struct branch_info info;
	struct undo_result undo;
	uint32_t first = clone(world, 0, "a"), second = clone(world, 0, "x");
	uint64_t operation;
	size_t count;

	rename_branch(world, "a", "b");
	assert_int_equal(history_operations(world->store, 1, &list, &count), 0);
	operation = list[0].id;
	free(list);
	rename_branch(world, "b", "c");
	rename_branch(world, "x", "b");
	world_undo(world, operation, &undo);
	assert_int_equal(history_find_branch(world->store, "a", &info, NULL),
			 0);
	assert_int_equal(info.id, first);
	assert_int_equal(history_find_branch(world->store, "b", &info, NULL),
			 0);
	assert_int_equal(info.id, second);
}

static void test_undo_of_growing_shrinks(void **state)
{
	struct store_world *world = *state;

	assert_ok(world, history_resize(world->store, "main",
					(uint64_t)2 * WORLD_BASE_BYTES,
					&world_actor, &world->failure));
	undo_last(world, OPERATION_RESIZE);
	world_check(world);
}

static void test_undo_of_shrinking_brings_the_bytes_back(void **state)
{
	struct store_world *world = *state;

	world_write(world, WORLD_BASE_BYTES - 10, 10, 4);
	assert_ok(world, history_resize(world->store, "main", 5000,
					&world_actor, &world->failure));
	undo_last(world, OPERATION_RESIZE);
	world_check(world);
}

static void test_an_operation_is_undone_once(void **state)
{
	struct store_world *world = *state;
	struct undo_result undo;

	world_snapshot(world, "s");
	world_undo(world, 0, &undo);
	assert_failure(world,
		       history_undo(world->store, undo.undone.id, false,
				    &world_actor, &undo, &world->failure),
		       FAILURE_UNSUPPORTED);
	assert_failure(world,
		       history_undo(world->store, 0, false, &world_actor, &undo,
				    &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_undo(world->store, 12345, false, &world_actor,
				    &undo, &world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_what_was_purged_does_not_come_back(void **state)
{
	struct store_world *world = *state;
	struct undo_result undo;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_failure(world,
		       history_undo(world->store, 0, false, &world_actor, &undo,
				    &world->failure),
		       FAILURE_UNSUPPORTED);
}

static void test_a_dry_run_only_says_what_it_would_undo(void **state)
{
	struct store_world *world = *state;
	struct undo_result undo;
	uint32_t id = world_snapshot(world, "s");

	assert_ok(world, history_undo(world->store, 0, true, &world_actor,
				      &undo, &world->failure));
	assert_int_equal(undo.undone.kind, OPERATION_SNAPSHOT_CREATE);
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_LIVE, "s"));
}

static void test_a_name_that_was_taken_meanwhile_stops_the_undo(void **state)
{
	struct store_world *world = *state;
	struct undo_result undo;
	uint32_t id = world_snapshot(world, "s");
	struct operation_info *list;
	uint64_t operation;
	size_t count;

	assert_ok(world,
		  history_delete_snapshot(world->store, id, false, &world_actor,
					  &world->failure));
	assert_int_equal(history_operations(world->store, 1, &list, &count), 0);
	operation = list[0].id;
	free(list);
	world_snapshot(world, "s");
	assert_failure(world,
		       history_undo(world->store, operation, false,
				    &world_actor, &undo, &world->failure),
		       FAILURE_EXISTS);
	assert_true(snapshot_is(world, id, SNAPSHOT_STATE_TRASH, "s"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_undo_of_a_snapshot_puts_it_into_the_trash),
		WORLD_TEST(test_undo_of_a_delete_brings_the_snapshot_back),
		WORLD_TEST(test_undo_of_a_rename_gives_the_old_name),
		WORLD_TEST(test_undo_of_a_hold_releases_and_of_a_release_holds),
		WORLD_TEST(test_undo_of_a_rollback_shows_what_it_left),
		WORLD_TEST(test_undo_of_a_rollback_without_changes_goes_back),
		WORLD_TEST(test_undo_of_an_undo_does_it_again),
		WORLD_TEST(test_undo_of_a_clone_puts_the_branch_into_the_trash),
		WORLD_TEST(test_undo_of_a_branch_delete_brings_it_back),
		WORLD_TEST(test_undo_of_a_branch_rename_gives_the_old_name),
		WORLD_TEST(test_undo_of_a_rename_finds_the_branch_not_its_name),
		WORLD_TEST(test_undo_of_growing_shrinks),
		WORLD_TEST(test_undo_of_shrinking_brings_the_bytes_back),
		WORLD_TEST(test_an_operation_is_undone_once),
		WORLD_TEST(test_what_was_purged_does_not_come_back),
		WORLD_TEST(test_a_dry_run_only_says_what_it_would_undo),
		WORLD_TEST(test_a_name_that_was_taken_meanwhile_stops_the_undo),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
