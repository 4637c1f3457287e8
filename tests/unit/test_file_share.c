/* Copies within a store share what is stored. */
#include "store_world.h"

#include <stdatomic.h>

enum { B = BLOCK_BYTES, AT = 4 << 20 };

static atomic_int_fast64_t flies_ns; /* between two looks at the clock */
static atomic_int_fast64_t flown_ns;

int64_t __real_store_monotonic_ns(void);
int64_t __wrap_store_monotonic_ns(void);

int64_t __wrap_store_monotonic_ns(void)
{
	return __real_store_monotonic_ns() +
	       atomic_fetch_add(&flown_ns, atomic_load(&flies_ns));
}

static uint64_t stored_bytes(struct store_world *world)
{
	struct store_counters counters;

	store_counters(world->store, &counters);
	return counters.stored_bytes;
}

/* As a reader of both wants it: all of the range. */
static void copy(struct store_world *world, struct file *from,
		 const uint8_t *bytes, size_t from_at, size_t to_at, size_t len)
{
	size_t done = 0;
	uint64_t step = 1;

	for (; done < len && step > 0; done += step)
		assert_int_equal(file_share(from, from_at + done, world->file,
					    to_at + done, len - done, &step),
				 0);
	assert_int_equal(done, len);
	if (to_at + len > world->size_bytes)
		world_expect_size(world, to_at + len);
	memmove(world->expected + to_at, bytes + from_at, len);
}

static void copy_within(struct store_world *world, size_t from_at, size_t to_at,
			size_t len)
{
	uint8_t *bytes = malloc(world->size_bytes + len);

	assert_non_null(bytes);
	memcpy(bytes, world->expected, world->size_bytes);
	copy(world, world->file, bytes, from_at, to_at, len);
	free(bytes);
}

static void check_always(struct store_world *world)
{
	world_check(world);
	world_crash(world);
	world_check(world);
	world_reopen(world);
	world_check(world);
}

static void test_a_copy_of_stored_blocks_stores_nothing(void **state)
{
	struct store_world *world = *state;
	uint64_t before;

	world_write(world, AT, (size_t)700 * B, 2);
	before = stored_bytes(world);
	copy_within(world, AT, AT + 800 * B, (size_t)700 * B);
	copy_within(world, AT + 3 * B, AT + 1501 * B, (size_t)600 * B);
	assert_int_equal(stored_bytes(world), before);
	check_always(world);
}

/* Nothing would be taken for the end of the original. */
static void test_who_is_slow_still_copies_something(void **state)
{
	struct store_world *world = *state;

	world_write(world, AT, (size_t)700 * B, 2);
	atomic_store(&flies_ns, 1000000000);
	copy_within(world, AT, AT + 800 * B, (size_t)700 * B);
	atomic_store(&flies_ns, 0);
	world_check(world);
}

static void test_writing_to_a_copy_leaves_the_original(void **state)
{
	struct store_world *world = *state;

	world_write(world, AT, (size_t)20 * B, 2);
	copy_within(world, AT, AT + 600 * B, (size_t)20 * B);
	world_write(world, AT + 601 * B + 5, 100, 3);
	world_write(world, AT + 2 * B, (size_t)3 * B, 4);
	world_zero(world, AT + 9 * B, (size_t)2 * B);
	assert_ok(world, store_checkpoint(world->store));
	assert_ok(world, store_checkpoint(world->store));
	check_always(world);
}

static void test_ends_of_files_are_shared_and_cut_right(void **state)
{
	struct store_world *world = *state;
	uint64_t before;

	world_write(world, AT, (size_t)2 * B + 77, 2);
	before = stored_bytes(world);
	copy_within(world, AT, AT + 100 * B, (size_t)2 * B + 77);
	assert_int_equal(stored_bytes(world), before);
	/* What is behind the copy's end stays. */
	world_write(world, AT + 200 * B, (size_t)3 * B, 3);
	copy_within(world, AT + 100 * B, AT + 200 * B, (size_t)2 * B + 77);
	/* And the original's end is not the range's. */
	copy_within(world, AT, AT + 300 * B, (size_t)B + 50);
	world_resize(world, AT + 400 * B);
	check_always(world);
}

static void test_odd_places_are_copied(void **state)
{
	struct store_world *world = *state;

	world_write(world, AT, (size_t)10 * B, 2);
	copy_within(world, AT + 1, AT + 100 * B, (size_t)3 * B);
	copy_within(world, AT + 100, AT + 200 * B + 100, (size_t)4 * B);
	copy_within(world, AT + 100, AT + 300 * B + 100, 50);
	check_always(world);
}

static void test_base_and_holes_are_copied(void **state)
{
	struct store_world *world = *state;
	uint64_t before;

	world_write_block(world, 5, 2);
	world_zero(world, 7 * B, (size_t)2 * B);
	copy_within(world, 0, AT, WORLD_BASE_BYTES);
	world_resize(world, 64 << 20);
	world_write(world, AT + WORLD_BASE_BYTES, (size_t)30 * B, 3);
	before = stored_bytes(world);
	copy_within(world, 10 << 20, AT, (size_t)40 << 20); /* nothing */
	assert_int_equal(stored_bytes(world), before);
	check_always(world);
}

static void test_a_range_behind_the_end_is_nothing(void **state)
{
	struct store_world *world = *state;
	uint64_t len_bytes = 7;

	assert_int_equal(file_share(world->file, world->size_bytes, world->file,
				    AT, B, &len_bytes),
			 0);
	assert_int_equal(len_bytes, 0);
	world_check(world);
}

static void test_a_snapshot_is_copied_from_but_not_to(void **state)
{
	struct store_world *world = *state;
	struct world_copy old;
	struct view *view;
	uint64_t before, len_bytes;
	uint32_t id;

	world_write(world, AT, (size_t)50 * B, 2);
	old = world_copy(world);
	id = world_snapshot(world, "first");
	world_write(world, AT, (size_t)50 * B, 3);
	world_snapshot(world, "second");
	world_write(world, AT, (size_t)50 * B, 4);
	assert_ok(world,
		  view_open_snapshot(world->store, id, &view, &world->failure));
	assert_int_equal(file_share(world->file, AT, view_image(view), AT, B,
				    &len_bytes),
			 -EROFS);
	before = stored_bytes(world);
	copy(world, view_image(view), old.data, AT, AT, (size_t)50 * B);
	assert_int_equal(stored_bytes(world), before);
	view_put(view);
	world_check(world);
	/* No neighbour of the version that it came from. */
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_ok(world, store_checkpoint(world->store));
	check_always(world);
	free(old.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_a_copy_of_stored_blocks_stores_nothing),
		WORLD_TEST(test_who_is_slow_still_copies_something),
		WORLD_TEST(test_writing_to_a_copy_leaves_the_original),
		WORLD_TEST(test_ends_of_files_are_shared_and_cut_right),
		WORLD_TEST(test_odd_places_are_copied),
		WORLD_TEST(test_base_and_holes_are_copied),
		WORLD_TEST(test_a_range_behind_the_end_is_nothing),
		WORLD_TEST(test_a_snapshot_is_copied_from_but_not_to),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
