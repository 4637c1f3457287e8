/* Lists and look-ups, as commands need them. */
#include "store_world.h"

static int find(struct store_world *world, const char *branch, const char *text,
		struct snapshot_info *info)
{
	return history_find_snapshot(world->store, branch, text, info,
				     &world->failure);
}

static uint32_t found(struct store_world *world, const char *branch,
		      const char *text)
{
	struct snapshot_info info;

	assert_ok(world, find(world, branch, text, &info));
	return info.id;
}

static void test_a_snapshot_is_found_by_name_age_and_id(void **state)
{
	struct store_world *world = *state;
	uint32_t a = world_snapshot(world, "a"), b = world_snapshot(world, "b");
	char hex[16];

	assert_int_equal(found(world, NULL, "a"), a);
	assert_int_equal(found(world, "main", "b"), b);
	assert_int_equal(found(world, NULL, "latest"), b);
	assert_int_equal(found(world, NULL, "~1"), b);
	assert_int_equal(found(world, NULL, "~2"), a);
	snprintf(hex, sizeof(hex), "%08x", a);
	assert_int_equal(found(world, NULL, hex), a);
}

static void test_what_is_no_name_age_or_id_is_not_found(void **state)
{
	static const char *const texts[] = {
		"c",	     "~0", "~3",  "~",	  "~1x",
		"~-1",	     "0",  "000", "0000", /* of both */ "zzzz",
		"000000001", ""
	};
	struct store_world *world = *state;
	struct snapshot_info info;
	size_t i;

	world_snapshot(world, "a");
	world_snapshot(world, "b");
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_failure(world, find(world, NULL, texts[i], &info),
			       FAILURE_NOT_FOUND);
	assert_failure(world, find(world, "nope", "a", &info),
		       FAILURE_NOT_FOUND);
}

static void test_the_trash_is_not_found_but_listed_when_asked(void **state)
{
	struct store_world *world = *state;
	uint32_t a = world_snapshot(world, "a"), b = world_snapshot(world, "b");
	struct snapshot_info info, *list;
	size_t count;

	assert_ok(world,
		  history_delete_snapshot(world->store, b, false, &world_actor,
					  &world->failure));
	assert_failure(world, find(world, NULL, "b", &info), FAILURE_NOT_FOUND);
	assert_int_equal(found(world, NULL, "latest"), a);
	assert_ok(world, history_snapshots(world->store, "main", false, &list,
					   &count, &world->failure));
	assert_int_equal(count, 1);
	free(list);
	assert_ok(world, history_snapshots(world->store, "main", true, &list,
					   &count, &world->failure));
	assert_int_equal(count, 2);
	assert_int_equal(list[1].state, SNAPSHOT_STATE_TRASH);
	assert_true(list[1].deleted_ns > 0);
	free(list);
	assert_failure(world,
		       history_snapshots(world->store, "nope", false, &list,
					 &count, &world->failure),
		       FAILURE_NOT_FOUND);
}

/* One at a time or in a list: the same parents and sizes. */
static void test_a_list_says_what_each_look_up_says(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct snapshot_info *list, info;
	uint32_t a, b;
	size_t count, i;

	world_write(world, 0, 8192, 2);
	a = world_snapshot(world, "a");
	world_write(world, 0, 4096, 3);
	b = world_snapshot(world, "b");
	world_rollback(world, a, &result);
	world_snapshot(world, "c");
	assert_ok(world, history_snapshots(world->store, NULL, true, &list,
					   &count, &world->failure));
	assert_int_equal(count, 3);
	for (i = 0; i < count; i++) {
		assert_ok(world, find(world, NULL, list[i].name, &info));
		assert_int_equal(info.id, list[i].id);
		assert_int_equal(info.parent_id, list[i].parent_id);
		assert_string_equal(info.parent, list[i].parent);
		assert_int_equal(info.refer_bytes, list[i].refer_bytes);
		assert_int_equal(info.clone_count, list[i].clone_count);
	}
	assert_int_equal(list[0].parent_id, 0);
	assert_int_equal(list[0].refer_bytes, 8192);
	assert_int_equal(list[0].written_bytes, 8192);
	assert_int_equal(list[0].clone_count, 1);
	assert_int_equal(list[1].id, b);
	assert_int_equal(list[1].parent_id, a);
	assert_int_equal(list[1].written_bytes, 4096);
	assert_string_equal(list[2].parent, "a");
	free(list);
}

static void test_a_parent_is_never_in_the_trash(void **state)
{
	struct store_world *world = *state;
	uint32_t a = world_snapshot(world, "a"), b = world_snapshot(world, "b");
	struct snapshot_info *list, info;
	size_t count;

	world_snapshot(world, "c");
	assert_ok(world,
		  history_delete_snapshot(world->store, b, false, &world_actor,
					  &world->failure));
	assert_ok(world, find(world, NULL, "c", &info));
	assert_int_equal(info.parent_id, a);
	assert_ok(world, history_snapshots(world->store, NULL, true, &list,
					   &count, &world->failure));
	assert_int_equal(count, 3);
	assert_int_equal(list[2].parent_id, a);
	free(list);
}

static void test_a_branch_says_where_it_came_from(void **state)
{
	struct store_world *world = *state;
	uint32_t id = world_snapshot(world, "s");
	struct branch_info *list, info;
	size_t count;

	assert_ok(world, history_clone(world->store, "main", id, "c",
				       &world_actor, &info, &world->failure));
	assert_string_equal(info.parent, "main@s");
	assert_int_equal(info.parent_snapshot_id, id);
	assert_int_equal(info.size_bytes, WORLD_BASE_BYTES);
	assert_false(info.changed);
	assert_ok(world, history_clone(world->store, "c", 0, "d", &world_actor,
				       &info, &world->failure));
	assert_string_equal(info.parent, "c");
	world_write(world, 0, 4096, 2);
	assert_ok(world, history_find_branch(world->store, NULL, &info,
					     &world->failure));
	assert_string_equal(info.name, "main");
	assert_true(info.changed);
	assert_int_equal(info.snapshot_count, 1);
	assert_int_equal(info.written_bytes, 4096);
	assert_int_equal(history_branches(world->store, true, &list, &count),
			 0);
	assert_int_equal(count, 3);
	free(list);
	assert_failure(world,
		       history_find_branch(world->store, "e", &info,
					   &world->failure),
		       FAILURE_NOT_FOUND);
}

static void test_the_operation_log_is_newest_first(void **state)
{
	struct store_world *world = *state;
	struct operation_info *list;
	size_t count;
	int round;

	world_snapshot(world, "a");
	world_snapshot(world, "b");
	world_undo(world, 0, &(struct undo_result){ 0 });
	for (round = 0; round < 2; round++) {
		assert_int_equal(
			history_operations(world->store, 10, &list, &count), 0);
		assert_int_equal(count, 3);
		assert_int_equal(list[0].kind, OPERATION_SNAPSHOT_DELETE);
		assert_int_equal(list[0].undoes, list[1].id);
		assert_true(list[1].undone);
		assert_false(list[2].undone);
		assert_int_equal(list[2].uid, world_actor.uid);
		assert_string_equal(list[2].text, "snapshot create main@a");
		free(list);
		world_reopen(world);
	}
	assert_int_equal(history_operations(world->store, 1, &list, &count), 0);
	assert_int_equal(count, 1);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_snapshot_is_found_by_name_age_and_id),
		WORLD_TEST(test_what_is_no_name_age_or_id_is_not_found),
		WORLD_TEST(test_the_trash_is_not_found_but_listed_when_asked),
		WORLD_TEST(test_a_list_says_what_each_look_up_says),
		WORLD_TEST(test_a_parent_is_never_in_the_trash),
		WORLD_TEST(test_a_branch_says_where_it_came_from),
		WORLD_TEST(test_the_operation_log_is_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
