/* Branches: rollback, clone, delete, rename, resize. */
#include "store_world.h"

static int clone(struct store_world *world, const char *branch,
		 uint32_t snapshot, const char *name)
{
	struct branch_info info;

	return history_clone(world->store, branch, snapshot, name, &world_actor,
			     &info, &world->failure);
}

static int drop(struct store_world *world, const char *name)
{
	return history_delete_branch(world->store, name, false, &world_actor,
				     &world->failure);
}

/* Writes into another branch than main. */
static void write_to(struct store_world *world, const char *branch,
		     size_t offset, const char *text)
{
	struct view *view;

	assert_ok(world, view_open_branch(world->store, branch, &view,
					  &world->failure));
	assert_int_equal(
		file_write(view_image(view), offset, text, strlen(text)), 0);
	view_put(view);
}

static void test_a_rollback_shows_in_the_open_view(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy old, new;
	uint32_t id;

	world_write(world, 50, 9000, 2);
	old = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, 0, WINDOW_BYTES + 9000, 3);
	world_resize(world, WINDOW_BYTES + 5);
	new = world_copy(world);
	world_rollback(world, id, &result);
	world_expect_copy(world, &old);
	world_check(world);
	assert_true(result.kept);
	assert_int_equal(result.kept_as.kind, SNAPSHOT_KIND_ROLLBACK);
	world_check_snapshot(world, result.kept_as.id, &new);
	world_write(world, 100, 20, 4);
	world_check(world);
	world_crash(world);
	world_check(world);
	world_check_snapshot(world, id, &old);
	world_check_snapshot(world, result.kept_as.id, &new);
	free(old.data);
	free(new.data);
}

static void test_a_rollback_without_changes_keeps_nothing(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	uint32_t id = world_snapshot(world, "s");

	world_rollback(world, id, &result);
	assert_false(result.kept);
	world_rollback(world, id, &result);
	assert_false(result.kept);
	world_write(world, 0, 1, 2);
	world_rollback(world, id, &result);
	assert_true(result.kept);
}

static void test_rollbacks_of_one_second_have_names_of_their_own(void **state)
{
	struct store_world *world = *state;
	struct rollback_result results[4];
	uint32_t id = world_snapshot(world, "s"), i, j;

	for (i = 0; i < 4; i++) {
		world_write(world, 0, 1, i);
		world_rollback(world, id, &results[i]);
		assert_true(results[i].kept);
		for (j = 0; j < i; j++)
			assert_string_not_equal(results[i].kept_as.name,
						results[j].kept_as.name);
	}
}

static void test_a_rollback_needs_a_snapshot(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;

	world_write(world, 0, 10, 2);
	assert_failure(world,
		       history_rollback(world->store, "main", 77, NULL,
					&world_actor, &result, &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_rollback(world->store, "nope",
					world_snapshot(world, "s"), NULL,
					&world_actor, &result, &world->failure),
		       FAILURE_NOT_FOUND);
	world_check(world);
}

/* Each goes on from where it started, and sees nothing of the other. */
static void test_a_clone_and_its_origin_part_for_good(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t id;

	world_write(world, 0, 20000, 2);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, 0, 20000, 3);
	assert_ok(world, clone(world, "main", id, "old"));
	assert_ok(world, clone(world, "main", 0, "new"));
	write_to(world, "old", 4090, "only in old");
	memcpy(copy.data + 4090, "only in old", 11);
	write_to(world, "new", 8000, "only in new");
	world_check(world);
	world_check_branch(world, "old", &copy);
	world_write(world, 4000, 10000, 4);
	world_crash(world);
	world_check(world);
	world_check_branch(world, "old", &copy);
	world_reopen(world);
	world_check(world);
	world_check_branch(world, "old", &copy);
	free(copy.data);
}

static void test_a_clone_of_unsaved_writes_has_them(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;

	world_write(world, WINDOW_BYTES - 10, 5000, 2);
	world_resize(world, WORLD_BASE_BYTES + 1);
	assert_ok(world, clone(world, "main", 0, "c"));
	copy = world_copy(world);
	world_write(world, WINDOW_BYTES - 10, 5000, 3);
	world_resize(world, 10);
	world_check_branch(world, "c", &copy);
	world_crash(world);
	world_check_branch(world, "c", &copy);
	world_check(world);
	free(copy.data);
}

static void test_a_clone_of_a_clone_of_a_clone_reads_through(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	char from[8], to[8], text[8];
	uint32_t i;

	copy = world_copy(world);
	for (i = 0; i < 12; i++) {
		snprintf(from, sizeof(from), i ? "c%u" : "main", i);
		snprintf(to, sizeof(to), "c%u", i + 1);
		snprintf(text, sizeof(text), "in %u", i);
		assert_ok(world, clone(world, from, 0, to));
		write_to(world, to, (size_t)i * 5000, text);
		memcpy(copy.data + (size_t)i * 5000, text, strlen(text));
	}
	world_check_branch(world, "c12", &copy);
	world_reopen(world);
	world_check_branch(world, "c12", &copy);
	world_check(world);
	free(copy.data);
}

static void test_a_clone_needs_a_name_and_an_origin(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");

	assert_failure(world, clone(world, "main", 0, "main"), FAILURE_EXISTS);
	assert_failure(world, clone(world, "main", 0, "a@b"), FAILURE_USAGE);
	assert_failure(world, clone(world, "nope", 0, "c"), FAILURE_NOT_FOUND);
	assert_failure(world, clone(world, "main", 99, "c"), FAILURE_NOT_FOUND);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, false, &world_actor,
					  &world->failure));
	assert_failure(world, clone(world, "main", id, "c"), FAILURE_NOT_FOUND);
}

static void test_a_branch_in_use_is_not_deleted(void **state)
{
	struct store_world *world = *state;
	struct view *view;

	assert_failure(world, drop(world, "main"), FAILURE_BUSY); /* last */
	assert_ok(world, clone(world, "main", 0, "c"));
	assert_failure(world, drop(world, "main"), FAILURE_BUSY); /* open */
	assert_failure(world, drop(world, "nope"), FAILURE_NOT_FOUND);
	assert_ok(world,
		  view_open_branch(world->store, "c", &view, &world->failure));
	assert_failure(world, drop(world, "c"), FAILURE_BUSY);
	view_put(view);
	assert_ok(world, history_snapshot(world->store, "c", "s", NULL,
					  SNAPSHOT_KIND_MANUAL, &world_actor,
					  NULL, &world->failure));
	assert_failure(world, drop(world, "c"), FAILURE_HELD);
	world_undo(world, 0, &(struct undo_result){ 0 });
	assert_ok(world, drop(world, "c"));
	assert_failure(world,
		       view_open_branch(world->store, "c", &view,
					&world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_the_origin_may_go_and_the_clone_stays(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;

	assert_ok(world, clone(world, "main", 0, "a"));
	write_to(world, "a", 5, "from a");
	assert_ok(world, clone(world, "a", 0, "b"));
	write_to(world, "b", 7000, "from b");
	copy = world_copy(world);
	memcpy(copy.data + 5, "from a", 6);
	memcpy(copy.data + 7000, "from b", 6);
	assert_ok(world, drop(world, "a"));
	world_gc(world);
	world_check_branch(world, "b", &copy);
	world_crash(world);
	world_check_branch(world, "b", &copy);
	world_check(world);
	free(copy.data);
}

static void test_a_branch_is_renamed_once_for_all(void **state)
{
	struct store_world *world = *state;
	struct branch_info info;

	assert_ok(world, clone(world, "main", 0, "c"));
	assert_failure(world,
		       history_rename_branch(world->store, "c", "main",
					     &world_actor, &world->failure),
		       FAILURE_EXISTS);
	assert_failure(world,
		       history_rename_branch(world->store, "nope", "x",
					     &world_actor, &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_rename_branch(world->store, "c", "~x",
					     &world_actor, &world->failure),
		       FAILURE_USAGE);
	assert_ok(world, history_rename_branch(world->store, "c", "d",
					       &world_actor, &world->failure));
	world_crash(world);
	assert_ok(world, history_find_branch(world->store, "d", &info,
					     &world->failure));
	assert_failure(world,
		       history_find_branch(world->store, "c", &info,
					   &world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_a_resize_of_a_closed_branch_is_kept(void **state)
{
	struct store_world *world = *state;
	struct branch_info info;

	assert_ok(world, clone(world, "main", 0, "c"));
	assert_ok(world, history_resize(world->store, "c", 1234567,
					&world_actor, &world->failure));
	world_crash(world);
	assert_ok(world, history_find_branch(world->store, "c", &info,
					     &world->failure));
	assert_int_equal(info.size_bytes, 1234567);
	world_check(world);
	assert_true(history_resize(world->store, "c", UINT64_MAX, &world_actor,
				   &world->failure) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_rollback_shows_in_the_open_view),
		WORLD_TEST(test_a_rollback_without_changes_keeps_nothing),
		WORLD_TEST(
			test_rollbacks_of_one_second_have_names_of_their_own),
		WORLD_TEST(test_a_rollback_needs_a_snapshot),
		WORLD_TEST(test_a_clone_and_its_origin_part_for_good),
		WORLD_TEST(test_a_clone_of_unsaved_writes_has_them),
		WORLD_TEST(test_a_clone_of_a_clone_of_a_clone_reads_through),
		WORLD_TEST(test_a_clone_needs_a_name_and_an_origin),
		WORLD_TEST(test_a_branch_in_use_is_not_deleted),
		WORLD_TEST(test_the_origin_may_go_and_the_clone_stays),
		WORLD_TEST(test_a_branch_is_renamed_once_for_all),
		WORLD_TEST(test_a_resize_of_a_closed_branch_is_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
