/* What a scrub looks at in one go, and what must be there. */
#include "scrub_world.h"

static struct scrub_segment *segment_in(struct scrub_batch *batch, uint32_t id)
{
	size_t i;

	for (i = 0; i < batch->count; i++)
		if (batch->segments[i].id == id)
			return &batch->segments[i];
	fail_msg("no segment %u", id);
	return NULL;
}

static struct scrub_batch *begin(struct store_world *world, uint32_t after)
{
	struct scrub *scrub = world->store->scrub;
	struct scrub_batch *batch;

	scrub->record.end_segment = UINT32_MAX;
	assert_int_equal(store_checkpoint(world->store), 0);
	assert_int_equal(scrub_batch_begin(scrub, after, &batch), 0);
	return batch;
}

static void test_each_block_of_a_row_has_its_sum(void **state)
{
	struct store_world *world = *state;
	struct scrub_segment *segment;
	struct scrub_batch *batch;
	struct slot slot;
	unsigned i, count = 0;

	world_write(world, 0, 20 * BLOCK_BYTES, 5);
	world_write_block(world, 3, 6); /* what was there is free */
	batch = begin(world, 0);
	slot = slot_of(world, 7);
	segment = segment_in(batch, slot.segment);
	assert_int_equal(segment->chunk_blocks[slot.block], 1);
	assert_int_equal(segment->sums[slot.block], slot.sum);
	for (i = 0; i < SEGMENT_BLOCKS; i++)
		count += segment->chunk_blocks[i];
	assert_int_equal(count, 20);
	assert_false(segment->is_old);
	scrub_batch_free(batch);
	batch = begin(world, 1);
	assert_int_equal(batch->count, 0);
	scrub_batch_free(batch);
}

static void test_a_bad_row_is_noted_and_passed_over(void **state)
{
	struct store_world *world = *state;
	struct window_key key = { .inode = 2, .window = 1, .line = 1 };
	const uint8_t row[16] = "nothing like it";
	struct scrub_finding finding;
	struct scrub_batch *batch;

	world_write_block(world, 1, 5);
	world_write_block(world, WINDOW_BLOCKS, 6);
	assert_int_equal(store_checkpoint(world->store), 0);
	key.gen = world->view->gen;
	assert_int_equal(index_window_put(world->store->index, &key, row,
					  sizeof(row)),
			 0);
	batch = begin(world, 0);
	assert_int_equal(batch->bad_row_count, 1);
	assert_int_equal(batch->bad_rows[0].window, 1);
	assert_int_equal(batch->count, 1);
	scrub_batch_free(batch);
	scrub_all(world);
	finding = the_finding(world);
	assert_int_equal(finding.kind, SCRUB_KIND_ROW);
	assert_int_equal(finding.segment, 0);
	assert_int_equal(finding.offset_bytes, WINDOW_BYTES);
	assert_int_equal(finding.len_bytes, WINDOW_BYTES);
	assert_string_equal(finding.branch, "main");
}

static void test_what_is_free_is_no_hit(void **state)
{
	struct store_world *world = *state;
	struct scrub_batch *batch;
	struct slot slot;

	world_write_block(world, 1, 5);
	batch = begin(world, 0);
	slot = slot_of(world, 1);
	world_write_block(world, 1, 6);
	assert_int_equal(
		scrub_batch_hit(batch,
				(struct location){ slot.segment, slot.block },
				1, SCRUB_KIND_DATA),
		0);
	assert_int_equal(batch->hit_count, 0);
	slot = slot_of(world, 1);
	assert_int_equal(
		scrub_batch_hit(batch,
				(struct location){ slot.segment, slot.block },
				1, SCRUB_KIND_DATA),
		0);
	assert_int_equal(batch->hit_count, 1);
	scrub_batch_free(batch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_each_block_of_a_row_has_its_sum),
		WORLD_TEST(test_a_bad_row_is_noted_and_passed_over),
		WORLD_TEST(test_what_is_free_is_no_hit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
