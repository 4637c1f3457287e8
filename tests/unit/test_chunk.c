/* Stored blocks: compressed only where it pays, verified whenever read. */
#include "store_impl.h"
#include "store_world.h"

enum { B = BLOCK_BYTES };

static void test_a_chunk_saves_a_block_in_eight_or_stays_raw(void **state)
{
	static uint8_t data[16 * B], stored[16 * B];
	uint32_t i;

	(void)state;
	world_fill(data, sizeof(data), 3);
	assert_int_equal(chunk_compress(data, 16, stored), 0);
	memset(data, 'a', sizeof(data));
	assert_int_equal(chunk_compress(data, 16, stored), 1);
	assert_int_equal(chunk_compress(data, 2, stored), 1);
	assert_int_equal(chunk_compress(data, 1, stored), 0);
	/* 13 of 16 blocks that don't compress, and a little more. */
	world_fill(data, (size_t)13 * B, 3);
	i = chunk_compress(data, 16, stored);
	assert_int_equal(i, 14);
	world_fill(data, (size_t)14 * B, 3);
	assert_int_equal(chunk_compress(data, 16, stored), 0);
}

static int setup_inline(void **state)
{
	return world_setup_with(state, WORLD_BASE_BYTES, COMPRESS_MODE_INLINE);
}

/* The slot of one block of the image. */
static struct slot slot_of(struct store_world *world, unsigned block)
{
	struct slot slots[WINDOW_BLOCKS];
	unsigned count, i;

	assert_int_equal(file_map_window(world->file, 0, slots, &count), 0);
	for (i = 0; i < count; i++)
		if (slots[i].first == block)
			return slots[i];
	fail_msg("block %u is not stored", block);
	return slots[0];
}

static void write_text(struct store_world *world)
{
	size_t i;

	for (i = 0; i < 16 * B; i++)
		world->expected[i] = (uint8_t)('a' + i / B);
	assert_int_equal(file_write(world->file, 0, world->expected, 16 * B),
			 0);
}

static void test_each_block_of_a_chunk_is_found(void **state)
{
	struct store_world *world = *state;
	uint8_t block[B];
	unsigned i;

	write_text(world);
	for (i = 16; i-- > 0;) {
		struct slot slot = slot_of(world, i);

		assert_int_equal(slot.kind, SLOT_KIND_LZ4);
		assert_int_equal(slot_skip(&slot), i);
		assert_int_equal(chunk_read_block(world->store, &slot, block),
				 0);
		assert_memory_equal(block, world->expected + i * B, B);
	}
}

static void test_a_block_past_the_end_of_a_chunk_is_damage(void **state)
{
	struct store_world *world = *state;
	uint8_t block[B];
	struct slot slot;

	memset(world->expected, 'a', 3 * B);
	assert_int_equal(file_write(world->file, 0, world->expected, 3 * B), 0);
	slot = slot_of(world, 0);
	slot.lz4 = (uint8_t)((slot.lz4 & 15) | 2 << 4);
	assert_int_equal(chunk_read_block(world->store, &slot, block), 0);
	slot.lz4 = (uint8_t)((slot.lz4 & 15) | 3 << 4);
	assert_int_equal(chunk_read_block(world->store, &slot, block),
			 -EUCLEAN);
}

static void test_a_wrong_sum_is_damage(void **state)
{
	struct store_world *world = *state;
	uint8_t block[B];
	struct slot slot;

	write_text(world);
	world_write_block(world, 20, 3);
	slot = slot_of(world, 20);
	assert_int_equal(slot.kind, SLOT_KIND_RAW);
	assert_int_equal(chunk_read_block(world->store, &slot, block), 0);
	slot.sum ^= 1;
	assert_int_equal(chunk_read_block(world->store, &slot, block),
			 -EUCLEAN);
	slot = slot_of(world, 3);
	slot.sum ^= 1;
	assert_int_equal(chunk_read_block(world->store, &slot, block),
			 -EUCLEAN);
}

/* More chunks than the cache holds, in turn and back. */
static void test_many_chunks_read_in_any_order(void **state)
{
	struct store_world *world = *state;
	uint8_t *data = malloc((size_t)40 * 16 * B);
	size_t i;

	assert_non_null(data);
	for (i = 0; i < (size_t)40 * 16 * B; i++)
		data[i] = (uint8_t)(1 + i / B % 200);
	assert_int_equal(file_write(world->file, 0, data, (size_t)40 * 16 * B),
			 0);
	for (i = 0; i < 2000; i++) {
		uint8_t block[B];
		size_t nr = i * 7919 % (40 * 16), n;

		assert_int_equal(file_read(world->file, nr * B, block, B, &n),
				 0);
		assert_memory_equal(block, data + nr * B, B);
		if (i % 500 == 0)
			chunk_cache_drop(world->store);
	}
	free(data);
}

#define CHUNK_TEST(test) \
	cmocka_unit_test_setup_teardown(test, setup_inline, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			test_a_chunk_saves_a_block_in_eight_or_stays_raw),
		CHUNK_TEST(test_each_block_of_a_chunk_is_found),
		CHUNK_TEST(test_a_block_past_the_end_of_a_chunk_is_damage),
		CHUNK_TEST(test_a_wrong_sum_is_damage),
		CHUNK_TEST(test_many_chunks_read_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
