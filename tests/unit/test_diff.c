/* What differs between two states, in order and to the block. */
#include "store_world.h"

enum { B = BLOCK_BYTES, RUNS_MAX = 32 };

struct runs {
	struct diff_extent list[RUNS_MAX];
	size_t count;
	int stop_with;
};

static int note(void *context, const struct diff_extent *extent)
{
	struct runs *runs = context;

	assert_true(runs->count < RUNS_MAX);
	runs->list[runs->count++] = *extent;
	return runs->stop_with;
}

static void diff(struct store_world *world, uint32_t from, uint32_t to,
		 struct runs *runs)
{
	*runs = (struct runs){ 0 };
	assert_ok(world, history_diff(world->store, from, "main", to, note,
				      runs, &world->failure));
}

static void assert_run(const struct runs *runs, size_t i, uint64_t first,
		       uint64_t count, enum extent_kind kind)
{
	assert_true(i < runs->count);
	assert_int_equal(runs->list[i].start_bytes, first * B);
	assert_int_equal(runs->list[i].length_bytes, count * B);
	assert_int_equal(runs->list[i].kind, kind);
}

static void test_nothing_differs_from_itself(void **state)
{
	struct store_world *world = *state;
	struct runs runs;
	uint32_t id;

	diff(world, 0, 0, &runs);
	assert_int_equal(runs.count, 0);
	world_write(world, 0, 3 * B, 2);
	id = world_snapshot(world, "s");
	diff(world, id, 0, &runs);
	assert_int_equal(runs.count, 0);
	diff(world, id, id, &runs);
	assert_int_equal(runs.count, 0);
}

static void test_runs_join_and_break_where_the_kind_changes(void **state)
{
	struct store_world *world = *state;
	struct runs runs;

	world_write(world, 2 * B, B, 2);
	world_write(world, 3 * B, 2 * B, 3);
	world_zero(world, 5 * B, 2 * B);
	world_write(world, 9 * B, 1, 4);
	diff(world, 0, 0, &runs);
	assert_int_equal(runs.count, 3);
	assert_run(&runs, 0, 2, 3, EXTENT_KIND_DATA);
	assert_run(&runs, 1, 5, 2, EXTENT_KIND_ZERO);
	assert_run(&runs, 2, 9, 1, EXTENT_KIND_DATA);
}

static void test_a_run_goes_over_the_border_of_a_window(void **state)
{
	struct store_world *world = *state;
	struct runs runs;

	world_write(world, WINDOW_BYTES - B, 3 * B, 2);
	diff(world, 0, 0, &runs);
	assert_int_equal(runs.count, 1);
	assert_run(&runs, 0, WINDOW_BLOCKS - 1, 3, EXTENT_KIND_DATA);
}

static void test_only_what_changed_between_two_snapshots(void **state)
{
	struct store_world *world = *state;
	struct runs runs;
	uint32_t a, b;

	world_write(world, 0, 8 * B, 2);
	a = world_snapshot(world, "a");
	world_write(world, 2 * B, B, 3);
	b = world_snapshot(world, "b");
	world_write(world, 4 * B, B, 4);
	diff(world, a, b, &runs);
	assert_int_equal(runs.count, 1);
	assert_run(&runs, 0, 2, 1, EXTENT_KIND_DATA);
	diff(world, b, a, &runs);
	assert_int_equal(runs.count, 1);
	assert_run(&runs, 0, 2, 1, EXTENT_KIND_DATA);
	diff(world, a, 0, &runs);
	assert_int_equal(runs.count, 2);
	assert_run(&runs, 1, 4, 1, EXTENT_KIND_DATA);
}

static void test_going_back_shows_base_again(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct runs runs;
	uint32_t empty = world_snapshot(world, "empty"), full;

	world_write(world, 7 * B, 2 * B, 2);
	full = world_snapshot(world, "full");
	world_rollback(world, empty, &result);
	diff(world, full, 0, &runs);
	assert_int_equal(runs.count, 1);
	assert_run(&runs, 0, 7, 2, EXTENT_KIND_BASE);
}

static void test_two_lines_of_history_are_compared(void **state)
{
	struct store_world *world = *state;
	struct rollback_result result;
	struct runs runs;
	uint32_t start, left;

	world_write(world, 0, 2 * B, 2);
	start = world_snapshot(world, "start");
	world_write(world, 0, B, 3);
	left = world_snapshot(world, "left");
	world_rollback(world, start, &result);
	world_write(world, B, B, 4);
	diff(world, left, 0, &runs);
	assert_int_equal(runs.count, 1);
	assert_run(&runs, 0, 0, 2, EXTENT_KIND_DATA);
}

static void test_a_visitor_that_stops_is_obeyed(void **state)
{
	struct store_world *world = *state;
	struct runs runs = { .stop_with = 5 };

	world_write(world, 0, B, 2);
	world_write(world, 4 * B, B, 2);
	assert_int_equal(history_diff(world->store, 0, "main", 0, note, &runs,
				      &world->failure),
			 5);
	assert_int_equal(runs.count, 1);
}

static void test_what_is_not_there_is_not_compared(void **state)
{
	struct store_world *world = *state;
	struct runs runs = { 0 };

	assert_failure(world,
		       history_diff(world->store, 0, "nope", 0, note, &runs,
				    &world->failure),
		       FAILURE_NOT_FOUND);
	assert_failure(world,
		       history_diff(world->store, 99, "main", 0, note, &runs,
				    &world->failure),
		       FAILURE_NOT_FOUND);
	assert_int_equal(runs.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_nothing_differs_from_itself),
		WORLD_TEST(test_runs_join_and_break_where_the_kind_changes),
		WORLD_TEST(test_a_run_goes_over_the_border_of_a_window),
		WORLD_TEST(test_only_what_changed_between_two_snapshots),
		WORLD_TEST(test_going_back_shows_base_again),
		WORLD_TEST(test_two_lines_of_history_are_compared),
		WORLD_TEST(test_a_visitor_that_stops_is_obeyed),
		WORLD_TEST(test_what_is_not_there_is_not_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
