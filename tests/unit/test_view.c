/* Views: one for each head, and what they keep alive. */
#include "store_world.h"

static struct view *open_branch(struct store_world *world, const char *name)
{
	struct view *view;

	assert_ok(world,
		  view_open_branch(world->store, name, &view, &world->failure));
	return view;
}

static void test_everybody_gets_the_same_view_of_a_branch(void **state)
{
	struct store_world *world = *state;
	struct view *view = open_branch(world, "main");

	assert_ptr_equal(view, world->view);
	view_put(view);
	world_write(world, 5, 5, 2); /* still open */
	world_check(world);
}

static void test_a_closed_view_keeps_its_unsaved_state(void **state)
{
	struct store_world *world = *state;
	struct file_info info = { .mode = 0640, .uid = 3, .gid = 4 };
	struct file_info seen;

	world_write(world, 100, 9000, 2);
	world_resize(world, WORLD_BASE_BYTES + 77);
	assert_int_equal(file_set_info(world->file, &info), 0);
	view_put(world->view);
	world->view = open_branch(world, "main");
	world->file = view_image(world->view);
	world_check(world);
	file_get_info(world->file, &seen);
	assert_int_equal(seen.mode, 0640);
	view_put(world->view);
	assert_int_equal(store_checkpoint(world->store), 0);
	world->view = open_branch(world, "main");
	world->file = view_image(world->view);
	world_check(world);
	file_get_info(world->file, &seen);
	assert_int_equal(seen.uid, 3);
	world_write(world, 100, 9000, 3);
	world_check(world);
}

static void test_a_snapshot_has_the_size_and_mode_of_its_time(void **state)
{
	struct store_world *world = *state;
	struct file_info info = { .mode = 0600 }, seen;
	struct view *view;
	uint32_t id;

	assert_int_equal(file_set_info(world->file, &info), 0);
	id = world_snapshot(world, "s");
	info.mode = 0444;
	assert_int_equal(file_set_info(world->file, &info), 0);
	world_resize(world, 10);
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	file_get_info(view_image(view), &seen);
	assert_int_equal(seen.mode, 0600);
	assert_int_equal(seen.size_bytes, WORLD_BASE_BYTES);
	view_put(view);
	world_crash(world);
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	file_get_info(view_image(view), &seen);
	assert_int_equal(seen.mode, 0600);
	assert_int_equal(seen.size_bytes, WORLD_BASE_BYTES);
	view_put(view);
}

static void test_an_open_snapshot_survives_the_end_of_its_line(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy copy;
	struct view *view;
	uint32_t base_id = world_snapshot(world, "start"), id;

	world_write(world, 0, 30000, 2);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	world_rollback(world, base_id, &result);
	assert_ok(world,
		  history_delete_snapshot(world->store, base_id, false,
					  &world_actor, &world->failure));
	world_gc(world);
	world_check_file(view_image(view), copy.data, copy.size_bytes);
	view_put(view);
	free(copy.data);
}

static void test_what_is_not_there_is_not_opened(void **state)
{
	struct store_world *world = *state;
	struct view *view;

	assert_failure(world,
		       view_open_branch(world->store, "nope", &view,
					&world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       view_open_snapshot(world->store, 1, &view,
					  &world->failure),
		       FAILURE_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_everybody_gets_the_same_view_of_a_branch),
		WORLD_TEST(test_a_closed_view_keeps_its_unsaved_state),
		WORLD_TEST(test_a_snapshot_has_the_size_and_mode_of_its_time),
		WORLD_TEST(test_an_open_snapshot_survives_the_end_of_its_line),
		WORLD_TEST(test_what_is_not_there_is_not_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
