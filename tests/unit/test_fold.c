/* Lines that nobody is on go into the only one that left them. */
#include "store_impl.h"
#include "store_world.h"

enum { B = BLOCK_BYTES };

static void drop(struct store_world *world, uint32_t id)
{
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
}

static size_t row_count(struct store_world *world)
{
	uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	struct window_key key = { 0 };
	size_t bytes, count = 0;

	assert_int_equal(store_checkpoint(world->store), 0);
	while (index_window_scan(world->store->index, &key, row, &bytes) == 0)
		count++;
	free(row);
	return count;
}

static size_t line_count(struct store_world *world)
{
	size_t count;

	mutex_lock(&world->store->order_lock);
	count = world->store->graph.line_count;
	mutex_unlock(&world->store->order_lock);
	return count;
}

/* A hundred rollbacks leave two lines, not a hundred. */
static void test_lines_that_nobody_is_on_are_folded(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct world_copy start, copy;
	uint32_t id, i;

	world_write(world, 0, 9 * B, 2);
	id = world_snapshot(world, "start");
	start = world_copy(world);
	for (i = 0; i < 20; i++) {
		world_write(world, i * B, B, 3 + i);
		if (i % 3 == 2) {
			world_rollback(world, id, &result);
			world_expect_copy(world, &start);
			drop(world, result.kept_as.id);
		}
	}
	copy = world_copy(world);
	world_gc(world);
	assert_true(line_count(world) <= 2);
	world_check(world);
	world_check_snapshot(world, id, &start);
	world_crash(world);
	assert_true(line_count(world) <= 2);
	world_expect_copy(world, &copy);
	world_check(world);
	drop(world, id);
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	assert_int_equal(row_count(world), 1);
	world_check(world);
	free(start.data);
	free(copy.data);
}

/* Each branch goes on from the one before, which is deleted. */
static void test_a_chain_of_clones_folds_into_the_last(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy = world_copy(world);
	char from[8] = "main", to[8];
	struct branch_info info;
	struct view *view;
	uint32_t i;

	for (i = 0; i < 8; i++) {
		snprintf(to, sizeof(to), "c%u", i);
		assert_ok(world,
			  history_clone(world->store, from, 0, to, &world_actor,
					&info, &world->failure));
		assert_ok(world, view_open_branch(world->store, to, &view,
						  &world->failure));
		world_fill(copy.data + i * 5000, 6000, 50 + i);
		assert_int_equal(file_write(view_image(view), i * 5000,
					    copy.data + i * 5000, 6000),
				 0);
		view_put(view);
		if (i)
			assert_ok(world,
				  history_delete_branch(world->store, from,
							true, &world_actor,
							&world->failure));
		memcpy(from, to, sizeof(from));
	}
	world_gc(world);
	world_check_branch(world, to, &copy);
	world_check(world);
	assert_true(line_count(world) <= 3);
	world_crash(world);
	world_check_branch(world, to, &copy);
	world_check(world);
	free(copy.data);
}

/* Main goes on from a snapshot that goes, as does what it left. */
static void roll_back_and_drop(struct store_world *world, uint32_t id,
			       const struct world_copy *copy)
{
	struct rollback_result result;

	world_rollback(world, id, &result);
	world_expect_copy(world, copy);
	drop(world, id);
	if (result.kept)
		drop(world, result.kept_as.id);
}

static void test_what_the_child_never_wrote_is_handed_down(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t id;

	world_write(world, 0, 3 * B, 2);
	world_write(world, WINDOW_BYTES, 2 * B, 3);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, B, 3 * B, 4);
	roll_back_and_drop(world, id, &copy);
	world_write_block(world, 2 * (size_t)WINDOW_BLOCKS, 5);
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	assert_int_equal(row_count(world), 3);
	world_check(world);
	world_write(world, 1, 1, 6);
	world_crash(world);
	world_check(world);
	free(copy.data);
}

static void test_a_snapshot_before_the_childs_first_write_stays(void **state)
{
	struct store_world *world = *state;
	struct world_copy copy;
	uint32_t id, early;

	world_write(world, 0, 3 * B, 2);
	copy = world_copy(world);
	id = world_snapshot(world, "s");
	world_write(world, B, 3 * B, 4);
	roll_back_and_drop(world, id, &copy);
	early = world_snapshot(world, "early");
	world_write(world, B, 3 * B, 5);
	world_gc(world);
	assert_int_equal(line_count(world), 1);
	world_check_snapshot(world, early, &copy);
	world_check(world);
	world_crash(world);
	world_check_snapshot(world, early, &copy);
	world_check(world);
	free(copy.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_lines_that_nobody_is_on_are_folded),
		WORLD_TEST(test_a_chain_of_clones_folds_into_the_last),
		WORLD_TEST(test_what_the_child_never_wrote_is_handed_down),
		WORLD_TEST(test_a_snapshot_before_the_childs_first_write_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
