/* Windows in memory stay within their limit; what is unsaved never goes. */
#include "cache.h"
#include "store_world.h"

enum { LIMIT_BYTES = 32 << 10, WINDOWS = 300 };

static int setup(void **state)
{
	struct store_world *world;

	world_setup(state);
	world = *state;
	worker_stop(world->store); /* or it would save them */
	world->store->live.cache_bytes = LIMIT_BYTES;
	world_resize(world, WINDOW_BYTES * 2);
	assert_int_equal(
		file_resize(world->file, (uint64_t)WINDOWS * WINDOW_BYTES), 0);
	return 0;
}

static uint64_t cached_bytes(struct store_world *world)
{
	struct store_status status;

	store_status(world->store, &status);
	return status.cache_bytes;
}

static void write_mark(struct store_world *world, uint64_t window, uint8_t mark)
{
	assert_int_equal(file_write(world->file, window * WINDOW_BYTES + 5,
				    &mark, 1),
			 0);
}

static void assert_mark(struct file *file, uint64_t window, uint8_t mark)
{
	uint8_t found = 0;
	size_t n;

	assert_int_equal(
		file_read(file, window * WINDOW_BYTES + 5, &found, 1, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(found, mark);
}

static void test_reading_stays_within_the_limit(void **state)
{
	struct store_world *world = *state;
	uint64_t i, round;

	for (i = 2; i < WINDOWS / 2; i++)
		write_mark(world, i, (uint8_t)i);
	assert_int_equal(store_checkpoint(world->store), 0);
	for (round = 0; round < 4; round++)
		for (i = 2; i < WINDOWS; i++) {
			assert_mark(world->file, i,
				    i < WINDOWS / 2 ? (uint8_t)i : 0);
			if (round)
				assert_true(cached_bytes(world) <= LIMIT_BYTES);
		}
}

/* With few windows the newest is looked at again and again. */
static void test_a_window_that_is_needed_now_is_not_evicted(void **state)
{
	struct store_world *world = *state;
	uint64_t i;

	for (i = 2; i < WINDOWS / 2; i++)
		write_mark(world, i, 1);
	assert_true(cached_bytes(world) > LIMIT_BYTES);
	assert_mark(world->file, WINDOWS - 1, 0);
	write_mark(world, WINDOWS - 2, 2);
	assert_mark(world->file, WINDOWS - 2, 2);
}

static void test_unsaved_windows_are_never_evicted(void **state)
{
	struct store_world *world = *state;
	uint64_t i;

	for (i = 2; i < WINDOWS; i++)
		write_mark(world, i, (uint8_t)(i % 200 + 1));
	assert_true(cached_bytes(world) > LIMIT_BYTES);
	for (i = 2; i < WINDOWS; i++)
		assert_mark(world->file, i, (uint8_t)(i % 200 + 1));
	world_crash(world);
	for (i = 2; i < WINDOWS; i++)
		assert_mark(world->file, i, (uint8_t)(i % 200 + 1));
}

static void test_all_is_accounted_to_the_byte(void **state)
{
	struct store_world *world = *state;
	struct store_status status;
	struct view *view;
	uint32_t id;
	uint64_t i;

	for (i = 2; i < 50; i++)
		write_mark(world, i, 1);
	id = world_snapshot(world, "s");
	for (i = 2; i < 50; i++)
		write_mark(world, i, 2);
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	for (i = 2; i < 50; i++)
		assert_mark(view_image(view), i, 1);
	for (i = 2; i < 50; i++)
		assert_mark(world->file, i, 2);
	view_put(view);
	assert_int_equal(store_checkpoint(world->store), 0);
	view_put(world->view);
	store_status(world->store, &status);
	assert_int_equal(status.dirty_bytes, 0);
	assert_int_equal(status.cache_bytes, 0);
	assert_ok(world, view_open_branch(world->store, "main", &world->view,
					  &world->failure));
}

static void test_a_loaded_window_is_read_without_the_index(void **state)
{
	struct store_world *world = *state;
	struct store_counters a, b;

	write_mark(world, 7, 1);
	assert_mark(world->file, 7, 1);
	store_counters(world->store, &a);
	assert_mark(world->file, 7, 1);
	write_mark(world, 7, 3);
	assert_mark(world->file, 7, 3);
	store_counters(world->store, &b);
	assert_int_equal(b.window_loads, a.window_loads);
	assert_true(b.window_hits >= a.window_hits + 2);
}

/* The newest unsaved version of a line up to a generation. */
static void test_unsaved_versions_are_found_by_generation(void **state)
{
	struct store_world *world = *state;
	struct store *store = world->store;
	const struct window *window;
	uint32_t line, gen;

	write_mark(world, 3, 1);
	line = world->view->line;
	gen = world->view->gen;
	world_snapshot(world, "s");
	write_mark(world, 3, 2);
	mutex_lock(&store->map_lock);
	window = cache_find_unsaved(store, line, gen, IMAGE_INODE, 3);
	assert_non_null(window);
	assert_int_equal(window->gen, gen);
	assert_true(window->frozen);
	window = cache_find_unsaved(store, line, UINT32_MAX, IMAGE_INODE, 3);
	assert_non_null(window);
	assert_true(window->gen > gen);
	assert_false(window->frozen);
	assert_null(cache_find_unsaved(store, line, gen - 1, IMAGE_INODE, 3));
	assert_null(cache_find_unsaved(store, line + 1, gen, IMAGE_INODE, 3));
	assert_null(cache_find_unsaved(store, line, gen, IMAGE_INODE, 4));
	mutex_unlock(&store->map_lock);
}

#define CACHE_TEST(test) \
	cmocka_unit_test_setup_teardown(test, setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CACHE_TEST(test_reading_stays_within_the_limit),
		CACHE_TEST(test_a_window_that_is_needed_now_is_not_evicted),
		CACHE_TEST(test_unsaved_windows_are_never_evicted),
		CACHE_TEST(test_all_is_accounted_to_the_byte),
		CACHE_TEST(test_a_loaded_window_is_read_without_the_index),
		CACHE_TEST(test_unsaved_versions_are_found_by_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
