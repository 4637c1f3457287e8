/* LOST blocks, as cowd-fsck leaves them in the index: never wrong data. */
#include "store_world.h"

#include "store_impl.h"

enum { B = BLOCK_BYTES, LOST_AT = 2, LOST_COUNT = 3 };

/* Blocks 2, 3 and 4 are given up in every row of the first window. */
static void lose(struct store_world *world)
{
	uint8_t *row = malloc(WINDOW_ROW_BYTES_MAX);
	struct slot *slots = calloc(WINDOW_BLOCKS, sizeof(*slots));
	struct window_key key = { 0 };
	size_t bytes, count, i;
	struct index *index;

	assert_true(row && slots);
	world_close(world);
	assert_ok(world, index_open(world->path, &index, &world->failure));
	while (index_window_scan(index, &key, row, &bytes) == 0) {
		int64_t seed;

		assert_int_equal(index_meta_get(index, "seed", &seed), 0);
		assert_int_equal(window_decode((uint64_t)seed, &key, row, bytes,
					       slots, &count),
				 0);
		for (i = 0; i < count; i++)
			if (key.window == 0 && slots[i].first >= LOST_AT &&
			    slots[i].first < LOST_AT + LOST_COUNT)
				slots[i] = (struct slot){
					.kind = SLOT_KIND_LOST,
					.birth = slots[i].birth,
					.first = slots[i].first,
					.count = 1,
				};
		bytes = window_encode((uint64_t)seed, &key, slots, count, row);
		assert_int_equal(index_window_put(index, &key, row, bytes), 0);
	}
	assert_int_equal(index_commit(index), 0);
	index_close(index);
	free(slots);
	free(row);
	world_open(world);
}

static int read_block(struct store_world *world, unsigned block)
{
	uint8_t data[B];
	size_t got;

	return file_read(world->file, (uint64_t)block * B, data, B, &got);
}

static void test_reading_them_fails_and_nothing_else(void **state)
{
	struct store_world *world = *state;
	struct store_counters counters;
	struct store_status status;
	struct file_info before, after;
	uint64_t found;
	uint8_t byte = 1;
	unsigned i;

	world_write(world, 0, 8 * B, 2);
	file_get_info(world->file, &before);
	lose(world);
	for (i = 0; i < 8; i++)
		assert_int_equal(
			read_block(world, i),
			i >= LOST_AT && i < LOST_AT + LOST_COUNT ? -EIO : 0);
	store_counters(world->store, &counters);
	assert_int_equal(counters.lost_reads, LOST_COUNT);
	assert_int_equal(counters.checksum_errors, 0);
	store_status(world->store, &status);
	assert_int_equal(status.health, STORE_HEALTH_ATTENTION);
	file_get_info(world->file, &after);
	assert_int_equal(after.delta_bytes, before.delta_bytes);
	assert_int_equal(file_seek(world->file, LOST_AT * B, true, &found), 0);
	assert_int_equal(found, LOST_AT * B);
	/* A part of one can't be written, as the rest isn't there. */
	assert_int_equal(file_write(world->file, LOST_AT * B + 1, &byte, 1),
			 -EIO);
}

static void test_they_are_written_and_discarded_like_others(void **state)
{
	struct store_world *world = *state;
	struct file_info before, after;

	world_write(world, 0, 8 * B, 2);
	file_get_info(world->file, &before);
	lose(world);
	world_write(world, LOST_AT * B, B, 3);
	file_get_info(world->file, &after);
	assert_int_equal(after.delta_bytes, before.delta_bytes);
	world_zero(world, (LOST_AT + 1) * B, 2 * B);
	file_get_info(world->file, &after);
	assert_int_equal(after.delta_bytes, before.delta_bytes - 2 * B);
	world_check(world);
	world_crash(world);
	world_check(world);
}

struct runs {
	struct diff_extent list[8];
	size_t count;
};

static int note(void *context, const struct diff_extent *extent)
{
	struct runs *runs = context;

	assert_true(runs->count < 8);
	runs->list[runs->count++] = *extent;
	return 0;
}

static void test_they_are_told_and_left_where_they_are(void **state)
{
	struct store_world *world = *state;
	struct compact_result compacted;
	struct gc_result collected;
	struct runs runs = { 0 };
	uint64_t copied;
	uint32_t id;

	world_write(world, 0, 8 * B, 2);
	world_write(world, 100 * B, 8 * B, 3);
	lose(world);
	assert_ok(world, history_diff(world->store, 0, "main", 0, note, &runs,
				      &world->failure));
	assert_int_equal(runs.list[1].kind, EXTENT_KIND_LOST);
	assert_int_equal(runs.list[1].start_bytes, LOST_AT * B);
	assert_int_equal(runs.list[1].length_bytes, LOST_COUNT * B);
	id = world_snapshot(world, "s");
	world_write(world, 0, B, 4);
	assert_ok(world, space_compact(world->store, 0, false, NULL, NULL,
				       &compacted, &world->failure));
	assert_int_equal(file_share(world->file, LOST_AT * B, world->file,
				    200 * B, B, &copied),
			 -EIO);
	runs.count = 0; /* the same in both: no difference */
	assert_ok(world, history_diff(world->store, id, "main", 0, note, &runs,
				      &world->failure));
	assert_int_equal(runs.count, 1);
	assert_ok(world,
		  history_delete_snapshot(world->store, id, true, &world_actor,
					  &world->failure));
	assert_ok(world, space_gc(world->store, 0, false, &world_actor, NULL,
				  NULL, &collected, &world->failure));
	world_reopen(world);
	assert_int_equal(read_block(world, LOST_AT), -EIO);
	assert_int_equal(read_block(world, 0), 0);
	world_write(world, LOST_AT * B, LOST_COUNT * B, 5);
	world_check(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_reading_them_fails_and_nothing_else),
		WORLD_TEST(test_they_are_written_and_discarded_like_others),
		WORLD_TEST(test_they_are_told_and_left_where_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
